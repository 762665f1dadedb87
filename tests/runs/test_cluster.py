"""A real Dask cluster of two worker processes on this machine: what holds when one of them is killed."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

import evalkit.runs.cluster
from evalkit.errors import RunError
from evalkit.runs.cluster import ClusterPool
from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are to be killed, and looked for in /proc"
)

HOME = Path(__file__).resolve().parents[2]
SAVES = """
from pathlib import Path
results = Path("outputs") / network / audience / site_id / "results"
results.mkdir(parents=True, exist_ok=True)
_ = (results / f"{name}.csv").write_text(site_id)
print(name, site_id)
"""
COUNTS = """
import os, time
def note(what):
    with open(COUNT, "a") as file:
        file.write(f"{what} {site_id}\\n")
note("begun")
time.sleep(0.3)
note("ended")
"""
# The worker that holds the warm server: the first ancestor that is no process of evalkit's own making.
WORKER = """
def parent(process):
    return int(open(f"/proc/{process}/stat").read().rpartition(")")[2].split()[1])
worker = os.getpid()
while "multiprocessing" not in open(f"/proc/{worker}/cmdline").read():
    worker = parent(worker)
"""


def _new_cluster(*, threads):
    return distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=threads,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    try:
        with _new_cluster(threads=1) as cluster:
            yield cluster
    finally:
        os.chdir(before)


@pytest.fixture(name="workspace")
def _workspace(tmp_path, write_notebook):
    """Two notebooks for each site, the second reads what the first has saved, and one across sites."""
    site = tmp_path / "ws" / "notebooks" / "site"
    write_notebook(site / "1_first.ipynb", f"name = 'first'\n{SAVES}")
    reads = "print((results / 'first.csv').read_text())"
    write_notebook(site / "2_second.ipynb", f"name = 'second'\n{SAVES}{reads}")
    listing = 'from pathlib import Path\nsorted(p.as_posix() for p in Path("outputs").rglob("*.csv"))'
    write_notebook(site.parent / "network" / "1_all.ipynb", listing, parameters='network = ""\naudience = ""')
    return tmp_path / "ws"


def _outcome(root):
    paths = [path for path in (root / "outputs" / "demo").rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.name != "runs.jsonl"
    }


def _run(plan, cluster, **options):
    return run_plan(plan, time_limit=60, pool=ClusterPool(plan, address=cluster.scheduler_address, **options))


def _pids(cluster):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def _children_of(processes):
    """Find the programs that the workers have started themselves."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
            command = (place.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent in processes and b"evalkit.runs.server" in command:
            found.append(int(place.parent.name))
    return found


def _counting_notebooks(root, write_notebook, *cells):
    count = root / "count.txt"
    write_notebook(root / "notebooks" / "site" / "1_count.ipynb", f"COUNT = {str(count)!r}\n{COUNTS}", *cells)
    return count


@pytest.mark.parametrize("share", ["", pytest.param("share", marks=pytest.mark.slow)])
def test_a_cluster_gives_the_same_bytes_as_this_machine_and_holds_nothing_afterwards(
    cluster, workspace, tmp_path, share
):
    plan = plan_runs(workspace, network_id="demo", site_ids=["a", "b"])
    assert run_plan(plan, jobs=2).problems == ()
    here = _outcome(workspace)
    shutil.rmtree(workspace / "outputs")
    report = _run(plan, cluster, share=f"file://{tmp_path}/{share}" if share else "")
    assert (report.problems, report.note) == ((), "")
    assert _outcome(workspace) == here
    assert len(here) == 2 * 2 * 3 + 2
    assert [path.name for path in (workspace / "outputs").iterdir() if path.name != ".lock"] == ["demo"]
    assert list((tmp_path / "share").glob("*")) == []
    assert _children_of(_pids(cluster)) == []


@pytest.mark.slow
@pytest.mark.parametrize("share", ["", "share"])
def test_a_killed_worker_costs_no_output_and_no_notebook_that_has_ended_runs_again(
    tmp_path, write_notebook, share
):
    count = _counting_notebooks(tmp_path, write_notebook)
    sites = [f"site{number}" for number in range(20)]
    plan = plan_runs(tmp_path, network_id="demo", site_ids=sites)
    ended = []

    with _new_cluster(threads=1) as cluster:
        victim = _pids(cluster)[0]

        def kill_mid_run(event):
            if event.row is not None:
                ended.append(event.run.site_id)
                if len(ended) == 6:
                    os.kill(victim, signal.SIGKILL)

        url = f"file://{tmp_path}/{share}" if share else ""
        pool = ClusterPool(plan, address=cluster.scheduler_address, share=url)
        report = run_plan(plan, pool=pool, tell=kill_mid_run)
        assert victim not in _pids(cluster)
    assert report.problems == ()
    assert all(run.output.is_file() for run in plan.runs)
    counted = Counter(count.read_text().splitlines())
    assert {counted[f"begun {site}"] for site in ended[:6]} == {1}
    # the worker ran one notebook at a time
    assert sum(counted[f"begun {site}"] for site in sites) <= 21


@pytest.mark.slow
def test_a_notebook_that_kills_its_own_process_fails_alone(cluster, tmp_path, write_notebook):
    dies = "import os, signal\nif site_id == 'dies': os.kill(os.getpid(), signal.SIGKILL)"
    write_notebook(tmp_path / "notebooks" / "site" / "1_dies.ipynb", dies)
    before = set(_pids(cluster))
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "dies", "b", "c"])
    report = _run(plan, cluster)
    assert [row.status for row in report.rows] == ["done", "failed", "done", "done"]
    assert report.rows[1].error.startswith("code cell 3: the kernel died 2 times")
    assert (tmp_path / report.rows[1].where).is_file()
    assert set(_pids(cluster)) == before


@pytest.mark.slow
def test_a_notebook_that_kills_its_worker_is_tried_twice_and_takes_no_other_along(tmp_path, write_notebook):
    kills = f"{WORKER}\nif site_id == 'kills': os.kill(worker, 9); time.sleep(60)\ntime.sleep(1)"
    count = _counting_notebooks(tmp_path, write_notebook, kills)
    sites = ["a", "b", "kills", "c", "d", "e"]
    plan = plan_runs(tmp_path, network_id="demo", site_ids=sites)
    with _new_cluster(threads=3) as cluster:
        report = _run(plan, cluster)
    assert {row.site_id: row.status for row in report.rows} == {
        site: "failed" if site == "kills" else "done" for site in sites
    }
    assert "was killed" in report.rows[2].error
    counted = Counter(count.read_text().splitlines())
    assert counted["begun kills"] == 2
    assert max(counted.values()) == 2


@pytest.mark.slow
def test_kernels_are_used_on_a_cluster_where_they_are_asked_for(cluster, workspace):
    plan = plan_runs(workspace, network_id="demo", site_ids=["a"])
    assert run_plan(plan, jobs=1, warm=False).problems == ()
    here = _outcome(workspace)
    shutil.rmtree(workspace / "outputs")
    assert _run(plan, cluster, warm=False).problems == ()
    assert _outcome(workspace) == here


BATCH = """
import sys
from pathlib import Path
from evalkit.runs.cluster import ClusterPool
from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs

if __name__ == "__main__":
    plan = plan_runs(Path(sys.argv[1]), network_id="demo", site_ids=["a", "b", "c"])
    report = run_plan(plan, pool=ClusterPool(plan, address=sys.argv[2], share=sys.argv[3]))
    print(report.stopped_by, *(row.status.replace(" ", "-") for row in report.rows))
"""


def _start_batch(root, cluster, *, share):
    program = root / "batch.py"
    program.write_text(BATCH)
    command = [sys.executable, str(program), str(root), cluster.scheduler_address, share]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    batch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 60
    while len(list(root.glob("*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    return batch, [int(path.read_text()) for path in root.glob("*.pid")]


def _sleeper(root, write_notebook):
    begun = f"import os, time\n_ = open({str(root)!r} + f'/{{site_id}}.pid', 'w').write(str(os.getpid()))"
    path = root / "notebooks" / "site" / "1_sleep.ipynb"
    return write_notebook(path, begun, "print('begun', flush=True)\ntime.sleep(3600)")


def _are_gone(processes, *, seconds):
    deadline = time.monotonic() + seconds
    while any(Path(f"/proc/{process}").exists() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("share", ["", "share"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_batch_that_is_stopped_keeps_what_it_has_and_leaves_no_process_on_the_workers(
    cluster, tmp_path, write_notebook, share, number
):
    _sleeper(tmp_path, write_notebook)
    url = f"file://{tmp_path}/{share}" if share else ""
    batch, processes = _start_batch(tmp_path, cluster, share=url)
    assert len(processes) == 2
    batch.send_signal(number)
    said, _ = batch.communicate(timeout=60)
    assert sorted(said.split()) == sorted([str(int(number)), "interrupted", "interrupted", "not-run"])
    kept = list((tmp_path / "outputs").rglob("*.failed.ipynb"))
    assert len(kept) == 2
    assert all("begun" in path.read_text() for path in kept)
    assert _are_gone(processes, seconds=5)
    assert _children_of(_pids(cluster)) == []
    assert list((tmp_path / "share").glob("*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("share", ["", "share"])
def test_a_batch_that_is_killed_leaves_nothing_on_the_workers_and_the_next_one_sweeps_its_files(
    cluster, tmp_path, write_notebook, share
):
    path = _sleeper(tmp_path, write_notebook)
    url = f"file://{tmp_path}/{share}" if share else ""
    batch, processes = _start_batch(tmp_path, cluster, share=url)
    batch.kill()
    batch.communicate()
    assert _are_gone(processes, seconds=15)
    assert _are_gone(_children_of(_pids(cluster)), seconds=15)
    assert len(list((tmp_path / "outputs" / ".cluster").iterdir())) == 1
    write_notebook(path, "print('short')")
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b", "c"])
    assert _run(plan, cluster, share=url).problems == ()
    assert not (tmp_path / "outputs" / ".cluster").exists()
    assert list((tmp_path / "share").glob("*")) == []


@pytest.mark.slow
def test_a_scheduler_that_goes_ends_the_batch_with_a_sentence_and_what_is_finished_stays(
    tmp_path, write_notebook
):
    count = _counting_notebooks(tmp_path, write_notebook)
    plan = plan_runs(tmp_path, network_id="demo", site_ids=[f"site{number}" for number in range(8)])
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    file = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen([*program, "--no-dashboard", "--scheduler-file", str(file)], stderr=-3)
    program = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    worker = subprocess.Popen([*program, "--no-dashboard", "--nworkers", "2", "--nthreads", "1"], stderr=-3)

    def kill_mid_run():
        while not count.is_file() or count.read_text().count("ended") < 3:
            time.sleep(0.02)
        scheduler.kill()

    try:
        while not file.is_file():
            time.sleep(0.05)
        threading.Thread(target=kill_mid_run, daemon=True).start()
        with pytest.raises(RunError, match="the scheduler is gone; what is finished is kept"):
            run_plan(plan, pool=ClusterPool(plan, address=str(file)))
    finally:
        for process in (scheduler, worker):
            process.terminate()
            process.wait()
    records = [json.loads(path.read_text()) for path in plan.folder.glob("*/run/*.json")]
    assert len(records) >= 1
    assert {record["status"] for record in records} == {"done"}
    assert run_plan(plan, jobs=2).problems == ()


def _refusal(workspace, address, **options):
    plan = plan_runs(workspace, network_id="demo", site_ids=["a"])
    with pytest.raises(RunError) as refused:
        run_plan(plan, pool=ClusterPool(plan, address=address, **options))
    assert not (workspace / "outputs" / ".cluster").exists()
    return str(refused.value)


def test_workers_of_another_evalkit_are_refused_with_what_differs(cluster, workspace, monkeypatch):
    address = cluster.scheduler_address
    with monkeypatch.context() as patch:
        patch.setattr(evalkit.runs.cluster, "hash_evalkit", lambda: "0" * 64)
        assert "has another source of evalkit" in _refusal(workspace, address)
    newer = {**evalkit.runs.cluster.library_versions(), "pandas": "99.0"}
    monkeypatch.setattr(evalkit.runs.cluster, "library_versions", lambda: newer)
    refused = _refusal(workspace, address).splitlines()
    assert len(refused) == 2
    assert refused[0].startswith("the worker tcp://127.0.0.1:")
    assert refused[0].endswith(f"has pandas {_pandas()} instead of 99.0; install the same there")


def _pandas():
    import pandas as pd

    return pd.__version__


def test_an_address_where_nobody_answers_is_told(workspace, monkeypatch):
    monkeypatch.setattr(evalkit.runs.cluster, "CONNECT_LIMIT", 0.5)
    assert "tcp://127.0.0.1:9: no Dask scheduler answers" in _refusal(workspace, "tcp://127.0.0.1:9")
    assert "no Dask scheduler answers" in _refusal(workspace, "nowhere")
    assert "no such scheduler file" in _refusal(workspace, "scheduler.json")


def test_a_client_that_was_refused_is_closed_at_once(workspace):
    def loops():
        return [thread for thread in threading.enumerate() if thread.name == "IO loop"]

    before = loops()
    _refusal(workspace, "nowhere")
    assert loops() == before


def test_a_cluster_without_workers_is_told(workspace, monkeypatch):
    monkeypatch.setattr(evalkit.runs.cluster, "WORKER_LIMIT", 0.5)
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        assert "no worker came within 0.5 s" in _refusal(workspace, cluster.scheduler_address)


def test_memory_that_other_processes_do_not_see_is_refused_as_a_share(workspace):
    refused = _refusal(workspace, "tcp://127.0.0.1:9", share="memory://batch")
    assert "seen by one process only" in refused


def test_a_share_of_a_kind_that_nobody_knows_is_refused(workspace):
    assert "abc://" in _refusal(workspace, "tcp://127.0.0.1:9", share="abc://batch")


def test_the_extra_that_is_missing_is_named(workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'evalkit[cluster]'" in _refusal(workspace, "tcp://127.0.0.1:9")
