"""Faults made for real: a full disk, kill -9 at any moment, floods of output, two runs at once."""

import dataclasses
import datetime
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from evalkit.errors import RunError
from evalkit.runs.execute import run_plan
from evalkit.runs.lock import workspace_lock
from evalkit.runs.plan import parameter_problems, plan_runs

HOME = Path(__file__).resolve().parents[2]
BATCH = """
import sys
from pathlib import Path
from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs

if __name__ == "__main__":
    plan = plan_runs(Path(sys.argv[1]), network_id="demo", site_ids=["a", "b"])
    report = run_plan(plan, jobs=2, warm=sys.argv[2] == "warm")
    print(*(row.status for row in report.rows))
"""
SAVES = """
import time
from pathlib import Path
results = Path("outputs") / network / audience / site_id / "results"
results.mkdir(parents=True, exist_ok=True)
_ = (results / f"{name}.csv").write_text(site_id * 100_000)
time.sleep(0.1)
print(site_id * 100_000)
"""


def _batch(root, *, kind="warm"):
    program = root / "batch.py"
    program.write_text(BATCH)
    environment = {**os.environ, "PYTHONPATH": str(HOME), "TMPDIR": str(root / "tmp")}
    (root / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(program), str(root), kind], env=environment, stdout=subprocess.PIPE, text=True
    )


def _outcome(root):
    paths = [path for path in (root / "outputs" / "demo").rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.name != "runs.jsonl"
    }


def _check_nothing_is_torn(root):
    for path in root.glob("outputs/**/*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))
    for path in root.glob("outputs/*/*/*/run/*.json"):
        for name, sha256 in json.loads(path.read_text())["outputs"].items():
            assert hashlib.sha256((root / name).read_bytes()).hexdigest() == sha256, f"{path.name}: {name}"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("warm", 2),
        pytest.param("warm", 50, marks=pytest.mark.slow),
        pytest.param("plain", 10, marks=pytest.mark.slow),
    ],
)
def test_kill_9_at_any_moment_tears_nothing_and_the_resumed_run_ends_with_the_same_bytes(
    tmp_path, write_notebook, processes_of, kind, times
):
    for name in ("1_first", "2_second"):
        cell = f"name = {name!r}\n{SAVES}"
        write_notebook(tmp_path / "notebooks" / "site" / f"{name}.ipynb", cell)
    write_notebook(
        tmp_path / "notebooks" / "network" / "1_all.ipynb", "1", parameters='network = ""\naudience = ""'
    )
    started = time.monotonic()
    said, _ = _batch(tmp_path, kind=kind).communicate(timeout=120)
    undisturbed = time.monotonic() - started
    assert said.split() == ["done"] * 5
    expected = _outcome(tmp_path)
    moments = random.Random(7)
    for _ in range(times):
        shutil.rmtree(tmp_path / "outputs")
        batch = _batch(tmp_path, kind=kind)
        time.sleep(moments.uniform(0.5, 1.0) * undisturbed)
        batch.kill()
        batch.communicate()
        _check_nothing_is_torn(tmp_path)
        deadline = time.monotonic() + 15
        while processes_of(tmp_path / "tmp") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(tmp_path / "tmp") == []
        assert [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("evalkit-")] == []
    said, _ = _batch(tmp_path, kind=kind).communicate(timeout=120)
    assert set(said.split()) <= {"done", "up", "to", "date"}
    assert _outcome(tmp_path) == expected


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path):
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only the superuser can make a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_by_file_and_room_and_earlier_outputs_stay(small_disk, write_notebook, warm_pool):
    write_notebook(small_disk / "notebooks" / "site" / "1_first.ipynb", "print('small')")
    path = write_notebook(small_disk / "notebooks" / "site" / "2_long.ipynb", "print('small')")
    plan = plan_runs(small_disk, network_id="demo", site_ids=["a"])
    assert run_plan(plan, pool=warm_pool).problems == ()
    before = plan.runs[0].output.read_bytes()
    write_notebook(path, "print('x' * 4_000_000)")
    rows = run_plan(plan, pool=warm_pool).rows
    assert [row.status for row in rows] == ["up to date", "failed"]
    assert "cannot save 2_long.ipynb: No space left on device; it takes 4.0 MB" in rows[1].error
    assert plan.runs[0].output.read_bytes() == before
    assert list(small_disk.rglob("*.partial")) == []
    write_notebook(path, "print('small again')")
    assert [row.status for row in run_plan(plan, pool=warm_pool).rows] == ["up to date", "done"]


@pytest.mark.parametrize("kind", ["warm", "plain"])
def test_output_without_end_is_cut_with_a_note_and_stands_whole_beside_the_notebook(
    request, tmp_path, write_notebook, kind
):
    pool = request.getfixturevalue("warm_pool") if kind == "warm" else None
    cells = ["for n in range(60): print(str(n).zfill(1_000_000)[:999_999])", "print('after')"]
    write_notebook(tmp_path / "notebooks" / "site" / "1_flood.ipynb", *cells)
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a"])
    assert run_plan(plan, jobs=1, warm=False, pool=pool).problems == ()
    run = plan.runs[0]
    assert 50_000_000 < run.output.stat().st_size < 51_000_000
    outputs = nbformat.read(run.output, as_version=4).cells[3].outputs
    assert "more than 50,000,000 characters. The whole is in 1_flood.output.txt." in outputs[1].text
    assert run.overflow.stat().st_size == 60 * 1_000_000 + len("after\n")
    record = json.loads((run.folder / "run" / "1_flood.json").read_text())
    assert len(record["outputs"]) == 2


def test_two_runs_at_once_are_refused_with_the_process_that_holds_the_workspace(tmp_path, write_notebook):
    write_notebook(tmp_path / "notebooks" / "site" / "1_wait.ipynb", "import time; time.sleep(60)")
    first = _batch(tmp_path, kind="plain")
    lock = tmp_path / "outputs" / ".lock"
    deadline = time.monotonic() + 30
    while not (lock.is_file() and lock.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(RunError, match=rf"another run is under way here \(process {first.pid}\)"):
        run_plan(plan_runs(tmp_path, network_id="demo", site_ids=["a"]), jobs=1)
    first.kill()
    first.communicate(timeout=30)
    with workspace_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    "value",
    [
        6037,
        1.5,
        float("nan"),
        True,
        None,
        np.int64(3),
        Path("a"),
        datetime.date(2020, 1, 1),
        pd.NaT,
        ("a",),
        {"a"},
    ],
    ids=repr,
)
def test_a_parameter_that_is_not_text_is_refused_by_name(tmp_path, write_notebook, value):
    write_notebook(tmp_path / "notebooks" / "site" / "1_a.ipynb", "1")
    run = plan_runs(tmp_path, network_id="demo", site_ids=["a"]).runs[0]
    told = dataclasses.replace(run, parameters={"site_id": value})
    (problem,) = parameter_problems(told)
    assert "parameter 'site_id' is" in problem
    assert "parameters are text" in problem


@pytest.mark.parametrize("name", ["x; import os", "a b", "1a", "class", "", "x=1\nimport os"])
def test_a_parameter_whose_name_is_code_is_refused(tmp_path, write_notebook, name):
    write_notebook(tmp_path / "notebooks" / "site" / "1_a.ipynb", "1")
    run = plan_runs(tmp_path, network_id="demo", site_ids=["a"]).runs[0]
    (problem,) = parameter_problems(dataclasses.replace(run, parameters={name: "x"}))
    assert "cannot be the name of a parameter" in problem
