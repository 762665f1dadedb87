"""Every notebook in git is held to the same rules; a new one is held as soon as its file is there."""

import ast
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)

CODE_CELLS_AT_MOST = 12
LINES_AT_MOST = 10  # of one code cell
NAME = re.compile(r"[0-9]+_[a-z0-9][a-z0-9_-]*")

# A thin notebook calls; whatever decides, repeats, defines or computes belongs in evalkit.
KEPT_OUT = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.BinOp,
    ast.AugAssign,
    ast.If,
    ast.Try,
)

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="there is no notebook yet")


@pytest.fixture(
    name="notebook",
    scope="module",
    params=NOTEBOOKS,
    ids=[path.relative_to(FOLDER).as_posix() for path in NOTEBOOKS],
)
def _notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def parameters_cells(notebook):
    return [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]


def thickness(code):
    """List what a thin notebook does not hold, by line."""
    return [
        f"line {node.lineno}: {type(node).__name__}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, KEPT_OUT)
    ]


def test_a_notebook_is_valid_in_format_4_5_with_an_id_of_its_own_for_every_cell(notebook):
    import nbformat

    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    ids = [cell.get("id") for cell in notebook["cells"]]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    nbformat.validate(notebook)


def test_a_notebook_starts_with_a_title(notebook):
    first = notebook["cells"][0]
    assert first["cell_type"] == "markdown"
    assert re.match(r"# \S", source(first))


def test_a_notebook_has_one_parameters_cell_of_plain_literals(notebook):
    (cell,) = parameters_cells(notebook)
    assert cell["cell_type"] == "code"
    statements = ast.parse(source(cell)).body
    assert statements
    for statement in statements:
        assert isinstance(statement, ast.Assign | ast.AnnAssign), ast.unparse(statement)
        assert isinstance(statement.value, ast.Constant), ast.unparse(statement)
        assert isinstance(statement.value.value, str), "parameters are text"


def test_a_notebook_is_thin(notebook):
    for cell in code_cells(notebook):
        assert thickness(source(cell)) == [], source(cell)


def test_a_notebook_has_few_short_code_cells(notebook):
    cells = code_cells(notebook)
    assert len(cells) <= CODE_CELLS_AT_MOST
    for cell in cells:
        assert len(source(cell).splitlines()) <= LINES_AT_MOST, source(cell)
        assert source(cell).strip(), "an empty code cell"


def test_a_notebook_is_kept_without_outputs_and_counts(notebook):
    for cell in code_cells(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        assert "execution" not in cell["metadata"]


def test_a_notebook_runs_in_the_python3_kernel_and_names_no_machine(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    text = json.dumps(notebook)
    assert not re.search(r"(/(home|Users|root)/|[A-Z]:\\\\)", text)


@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path.parent != FOLDER], ids=lambda path: path.stem
)
def test_a_notebook_that_runs_in_batch_is_numbered(path):
    assert NAME.fullmatch(path.stem)


@pytest.mark.parametrize(
    "code",
    [
        "def f(): pass",
        "class A: pass",
        "f = lambda: 1",
        "for x in y: pass",
        "while x: pass",
        "z = [x for x in y]",
        "z = a + 1",
        "a -= 1",
        "if a: b()",
    ],
)
def test_the_rule_sees_code_that_is_not_thin(code):
    assert thickness(code)


@pytest.mark.parametrize(
    "code", ["import evalkit", "view = evalkit.open_site(network=network)", "view.table[0]"]
)
def test_the_rule_lets_calls_through(code):
    assert thickness(code) == []
