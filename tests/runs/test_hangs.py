"""Whatever hangs or is killed on its own account ends clearly, and nothing of it stays."""

import signal
import sys
import tempfile
from multiprocessing import resource_tracker

import pytest

from evalkit.runs.execute import run_plan
from evalkit.runs.kernels import WORKER_GRACE
from evalkit.runs.plan import plan_runs
from evalkit.runs.pool import PlainPool, WarmPool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

TIME_LIMIT = 6  # seconds; enough for a good notebook on a busy machine
ANCESTORS = """
import os, signal, subprocess, time
from pathlib import Path
def parent(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
worker = os.getppid()
"""
# a server that one notebook has killed is there again for the others
KILLS_SERVER = """
_ = subprocess.Popen(["sleep", "3600"])
if site_id == "a" and (always or not Path("killed").exists()):
    Path("killed").touch()
    os.kill(parent(worker), signal.SIGKILL)
    time.sleep(3600)
time.sleep(1)
"""
IGNORES = """
import os, signal, subprocess, time
_ = signal.signal(signal.SIGINT, signal.SIG_IGN)
_ = open("hung.pid", "w").write(str(os.getpid()))
_ = open("left.pid", "w").write(str(subprocess.Popen(["sleep", "3600"]).pid))
while site_id == "a": time.sleep(0.1)
"""
STOPS = """
if site_id == "a":
    _ = subprocess.Popen(["sleep", "3600"])
    print("begun", flush=True)
    os.kill({whom}, signal.SIGSTOP)
    time.sleep(3600)
"""


@pytest.fixture(name="scratch")
def _scratch(tmp_path, monkeypatch):
    """A folder for temporary files, by which the processes of a batch are known."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    # Python's own helper of spawned processes lives as long as this process; it is none of a batch's
    resource_tracker.ensure_running()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _check_nothing_stays(scratch, processes_of, is_gone):
    assert all(is_gone(process) for process in processes_of(scratch))
    assert [path.name for path in scratch.iterdir() if path.name.startswith("evalkit-")] == []


@pytest.mark.parametrize(
    ("always", "statuses"),
    [
        (False, ["done", "done", "done"]),
        pytest.param(True, ["failed", "done", "done"], marks=pytest.mark.slow),
    ],
)
def test_a_batch_goes_on_when_its_warm_server_is_killed(
    tmp_path, write_notebook, scratch, processes_of, is_gone, always, statuses
):
    path = tmp_path / "notebooks" / "site" / "1_kill.ipynb"
    write_notebook(path, f"always = {always}\n{ANCESTORS}{KILLS_SERVER}")
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b", "c"])
    # one at a time: a run that is under way beside the killer would be lost as often as he kills
    rows = run_plan(plan, jobs=1 if always else 2).rows
    assert [row.status for row in rows] == statuses
    assert ("was killed" in rows[0].error) is always
    assert list(tmp_path.rglob("*.partial")) == []
    _check_nothing_stays(scratch, processes_of, is_gone)


@pytest.mark.parametrize("kind", ["warm", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_cell_that_hangs_and_ignores_the_interrupt_is_ended_and_the_other_sites_go_on(
    request, tmp_path, write_notebook, is_gone, kind
):
    pool = request.getfixturevalue("warm_pool") if kind == "warm" else None
    write_notebook(tmp_path / "notebooks" / "site" / "1_ignore.ipynb", IGNORES, "print('after')")
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["b", "a"])
    rows = run_plan(plan, jobs=1, time_limit=TIME_LIMIT, warm=False, pool=pool).rows
    assert [row.status for row in rows] == ["done", "failed"]
    assert rows[1].error == "code cell 3: not finished within the limit of 6 s for a notebook"
    for name in ("hung.pid", "left.pid"):
        assert is_gone(int((tmp_path / name).read_text()))


@pytest.mark.parametrize("kind", ["warm", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_cell_that_heeds_the_interrupt_may_put_its_things_in_order_and_is_not_tried_again(
    request, tmp_path, write_notebook, kind
):
    pool = request.getfixturevalue("warm_pool") if kind == "warm" else None
    cell = """
import time
_ = open("begun", "a").write("once")
try: time.sleep(3600)
finally: print("in", "order", flush=True)"""
    write_notebook(tmp_path / "notebooks" / "site" / "1_heed.ipynb", cell)
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a"])
    (row,) = run_plan(plan, time_limit=TIME_LIMIT, warm=False, pool=pool).rows
    assert row.error == "code cell 3: not finished within the limit of 6 s for a notebook"
    assert (tmp_path / "begun").read_text() == "once"
    kept = (tmp_path / row.where).read_text()
    assert "in order" in kept
    assert "KeyboardInterrupt" not in kept


@pytest.mark.slow
@pytest.mark.parametrize("pool", [WarmPool, PlainPool])
def test_a_worker_that_is_stopped_is_ended_seconds_after_the_limit(
    tmp_path, write_notebook, scratch, processes_of, is_gone, pool
):
    write_notebook(tmp_path / "notebooks" / "site" / "1_stop.ipynb", ANCESTORS + STOPS.format(whom="worker"))
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"])
    rows = run_plan(plan, time_limit=TIME_LIMIT, pool=pool(jobs=2)).rows
    assert [row.status for row in rows] == ["failed", "done"]
    assert rows[0].error.startswith("not finished within the limit of 6 s for a notebook, nor 15 s later")
    assert rows[0].seconds == TIME_LIMIT + WORKER_GRACE == 21
    _check_nothing_stays(scratch, processes_of, is_gone)


@pytest.mark.slow
def test_a_server_that_is_stopped_is_ended_too_and_the_batch_goes_on(
    tmp_path, write_notebook, scratch, processes_of, is_gone
):
    write_notebook(
        tmp_path / "notebooks" / "site" / "1_stop.ipynb", ANCESTORS + STOPS.format(whom="parent(worker)")
    )
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"])
    rows = run_plan(plan, jobs=1, time_limit=TIME_LIMIT).rows
    assert [row.status for row in rows] == ["failed", "done"]
    assert "did not answer" in rows[0].error
    _check_nothing_stays(scratch, processes_of, is_gone)


def test_a_plain_worker_that_is_killed_takes_no_other_along(
    tmp_path, write_notebook, scratch, processes_of, is_gone
):
    cell = f"{ANCESTORS}\nif site_id == 'a': os.kill(worker, {int(signal.SIGKILL)})\ntime.sleep(1)"
    write_notebook(tmp_path / "notebooks" / "site" / "1_kill.ipynb", cell)
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"])
    begun = []
    report = run_plan(
        plan,
        jobs=2,
        warm=False,
        tell=lambda event: begun.append(event.run.site_id) if not event.row else None,
    )
    assert [row.status for row in report.rows] == ["failed", "done"]
    assert sorted(begun) == ["a", "a", "b"]
    _check_nothing_stays(scratch, processes_of, is_gone)
