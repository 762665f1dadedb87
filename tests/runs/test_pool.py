"""What is temporary goes with the batch, whatever ends it."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evalkit.runs.pool import WarmPool

HOME = Path(__file__).resolve().parents[2]
BATCH = """
import sys
from pathlib import Path
from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs

if __name__ == "__main__":
    plan = plan_runs(Path(sys.argv[1]), network_id="demo", site_ids=["a"])
    run_plan(plan, jobs=1, warm=sys.argv[2] == "warm")
"""
LEAVES = """
import tempfile, time
from pathlib import Path
made = tempfile.mkdtemp(prefix="evalkit-page-")
_ = (Path(made) / "page.html").write_text("not looked through yet")
_ = Path("begun").write_text(made)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("kind", ["warm", "plain"])
def test_kill_9_leaves_no_temporary_file_of_a_worker(tmp_path, write_notebook, processes_of, kind):
    write_notebook(tmp_path / "notebooks" / "site" / "1_leaves.ipynb", LEAVES)
    program, temporary, begun = tmp_path / "batch.py", tmp_path / "tmp", tmp_path / "begun"
    program.write_text(BATCH)
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(HOME), "TMPDIR": str(temporary)}
    batch = subprocess.Popen([sys.executable, str(program), str(tmp_path), kind], env=environment)
    deadline = time.monotonic() + 60
    while not (begun.is_file() and begun.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    batch.kill()
    batch.wait()
    assert Path(begun.read_text()).is_relative_to(temporary)
    deadline = time.monotonic() + 15
    while processes_of(temporary) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [path.name for path in temporary.iterdir() if path.name.startswith("evalkit-")] == []


def test_a_server_that_cannot_be_started_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    pool = WarmPool(jobs=1)
    assert [pool.start()] == list(tmp_path.iterdir())
    assert pool.note.startswith("no warm start (")
    pool.kill()
    assert list(tmp_path.iterdir()) == []
