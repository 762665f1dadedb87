"""Tiny notebooks that need no evalkit inside, and one warm server for all tests that need none of its own."""

import os
import re
import sys
import time
from pathlib import Path

import nbformat
import pytest

from evalkit.runs.pool import WarmPool

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


class _LastingPool(WarmPool):
    """Goes on from batch to batch, so that the imports are paid once."""

    def __exit__(self, *exception):
        pass


@pytest.fixture(name="warm_pool", scope="session")
def _warm_pool():
    if sys.platform != "linux":
        pytest.skip("a fork is safe on Linux only")
    pool = _LastingPool(jobs=2)
    with pytest.MonkeyPatch.context() as patch:
        # seeing it, a kernel leaves the file descriptors alone
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        pool.start()
    yield pool
    pool.kill()


def _is_gone(process):
    """Wait a little: a killed orphan keeps its number until the first process has taken note of its end."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(name="is_gone", scope="session")
def _is_gone_fixture():
    return _is_gone


@pytest.fixture(name="processes_of", scope="session")
def _processes_of():
    """Find the processes whose environment names a folder, or one in it, as that for temporary files."""

    def find(folder):
        found = []
        for place in Path("/proc").glob("[0-9]*/environ"):
            try:
                if re.search(rf"(^|\0)TMPDIR={re.escape(str(folder))}[/\0]".encode(), place.read_bytes()):
                    found.append(int(place.parent.name))
            except OSError:
                continue
        return found

    return find
