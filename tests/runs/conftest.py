"""A workspace of tiny notebooks that need no evalkit inside, so that a run costs a kernel and little more."""

from pathlib import Path

import nbformat
import pytest

PARAMETERS = 'network = "demo"\naudience = "public"\ndata = ""'
SITE_PARAMETERS = PARAMETERS + '\nsite_id = "alder-park"'


def write_notebook(path: Path, *cells: str, parameters: str | None = SITE_PARAMETERS) -> Path:
    """Write a notebook with a title, a parameters cell (unless None) and code cells."""
    first = []
    if parameters is not None:
        tagged = {"tags": ["parameters"]}
        first.append(nbformat.v4.new_code_cell(parameters, id="parameters", metadata=tagged))
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A title", id="title"),
            *first,
            *(nbformat.v4.new_code_cell(source, id=f"code-{n}") for n, source in enumerate(cells)),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture(name="write_notebook", scope="session")
def _write_notebook():
    return write_notebook
