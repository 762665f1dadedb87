"""The house rules that the imports can break: arrows point down, methods do not know one another."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "evalkit"

FLOORS = {
    "errors": 1,
    "periods": 1,
    "documents": 1,
    "wording": 1,
    "intervals": 1,
    "charts": 1,
    "simulate": 1,
    "fictional_network": 1,
    "fictional_evidence": 1,
    "dictionary": 2,
    "contribution_model": 2,
    "agreements": 2,
    "sources": 2,
    "sites": 2,
    "parameters": 2,
    "results": 2,
    "checks": 3,
    "indicators": 3,
    "quality": 3,
    "readers": 3,
    "disclosure": 3,
    "its": 4,
    "equity": 4,
    "contribution": 4,
    "synthesis": 4,
    "workspace": 5,
    "batch_cache": 5,
    "site_data": 5,
    "views": 5,
    "audit": 5,
    "runs": 5,
    "publish": 5,
    "progress": 5,
    "cli": 6,
    "__main__": 6,
}
METHODS = {"its", "equity", "contribution", "synthesis"}

# One foreign library, one room.
LIBRARIES = {
    "papermill": {"runs"},
    "nbformat": {"runs", "publish"},
    "matplotlib": {"charts", "results"},
    "seaborn": {"charts"},
    "networkx": {"charts", "contribution"},
    "yaml": {"documents"},
    "openpyxl": {"readers"},
    "pandera": {"checks"},
    "typer": {"cli"},
    "rich": {"cli", "progress"},
    "pypandoc": {"publish"},
    "typst": {"publish"},
    "distributed": {"runs"},
    "fsspec": {"runs"},
}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import; write evalkit.… in full"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "evalkit" else {module}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_room_stands_on_a_floor(path):
    assert room_of(path) in {*FLOORS, "__init__"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_and_methods_do_not_know_one_another(path):
    room = room_of(path)
    if room == "__init__":
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "evalkit" or len(parts) == 1 or parts[1] == "__version__":
            continue
        other = parts[1]
        assert FLOORS[other] <= FLOORS[room], f"{path.name} (floor {FLOORS[room]}) imports {name} above it"
        if room in METHODS and other in METHODS:
            assert other == room, f"{path.name}: method {room} imports method {other}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_foreign_library_one_room(path):
    for name in imports_of(path):
        library = name.split(".")[0]
        if library == "matplotlib" and name in {"matplotlib.axes", "matplotlib.figure"}:
            continue
        assert room_of(path) in LIBRARIES.get(library, {room_of(path)}), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_stay_small(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 480, f"{path.name} has {lines} lines; split the room"


def test_no_file_imports_in_a_circle():
    arrows = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): {
            name for name in imports_of(path) if name.startswith("evalkit.")
        }
        for path in SOURCES
        if path.parent != PACKAGE or path.name != "__init__.py"
    }
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle of imports: {' -> '.join((*above, name))}"
        if name not in done:
            for other in sorted(arrows.get(name, ())):
                if not name.startswith(f"{other}.") and other != name:
                    walk(other, (*above, name))
            done.add(name)

    for name in sorted(arrows):
        walk(name, ())
