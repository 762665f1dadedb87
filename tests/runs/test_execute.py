"""Real kernels, few of them: one batch in which every site meets another fate, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs
from evalkit.runs.record import run_state

FIRST = """
import os, sys, time
from pathlib import Path
results = Path("outputs") / network / audience / site_id / "results"
results.mkdir(parents=True, exist_ok=True)
_ = (results / "first.csv").write_text(site_id)
print(os.environ["MPLBACKEND"], os.environ["OPENBLAS_NUM_THREADS"], Path.cwd().name)
"""
SECOND = """
import os, subprocess, sys, time
if site_id == "divides": half = 1 / 0
if site_id == "exits": sys.exit(0)
if site_id == "dies":
    orphan = subprocess.Popen(["sleep", "3600"])
    Path = open("orphan.pid", "w").write(str(orphan.pid))
    os._exit(0)
if site_id == "hangs": time.sleep(3600)
"""
LISTING = 'from pathlib import Path\nsorted(p.parts[-3] for p in Path("outputs").rglob("first.csv"))'
SITES = ("works", "divides", "exits", "dies", "hangs", "blocked")
TIME_LIMIT = 8.0  # seconds; a kernel starts in about half a second, on a busy machine in several


def _write_notebooks(root, write_notebook):
    folder = root / "notebooks"
    write_notebook(folder / "site" / "1_first.ipynb", FIRST, "{'c', 'a', 'b'}, object.__hash__ is not None")
    write_notebook(folder / "site" / "2_second.ipynb", SECOND, "print('reached')")
    write_notebook(folder / "site" / "3_third.ipynb", "print('third')")
    write_notebook(folder / "network" / "1_listing.ipynb", LISTING, parameters='network = ""\naudience = ""')


@pytest.fixture(scope="module", name="batch", params=["warm", pytest.param("plain", marks=pytest.mark.slow)])
def _batch(request, tmp_path_factory, write_notebook):
    # a kernel of its own for each notebook needs no server to be warm
    pool = request.getfixturevalue("warm_pool") if request.param == "warm" else None
    root = tmp_path_factory.mktemp("workspace {with braces}")
    _write_notebooks(root, write_notebook)
    folder = root / "outputs" / "demo" / "public"
    folder.mkdir(parents=True)
    (folder / "stale.ipynb.partial").write_text("half a file of a run that was killed")
    (folder / "blocked").mkdir()
    (folder / "blocked" / "notebooks").write_text("a file where a folder is needed")
    plan = plan_runs(root, network_id="demo", site_ids=SITES)
    events = []
    report = run_plan(plan, jobs=2, time_limit=TIME_LIMIT, warm=False, pool=pool, tell=events.append)
    rows = {(row.site_id, row.notebook): row for row in report.rows}
    return SimpleNamespace(
        root=root, folder=folder, plan=plan, report=report, rows=rows, events=events, pool=pool
    )


def _read(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_a_site_whose_notebooks_all_run_is_done(batch):
    for name in ("1_first", "2_second", "3_third"):
        assert batch.rows["works", name].status == "done"
        assert batch.rows["works", name].seconds > 0
    assert "reached" in str(_read(batch.folder / "works" / "notebooks" / "2_second.ipynb").cells[-1].outputs)


def test_a_notebook_runs_in_the_workspace_with_a_backend_that_needs_no_screen_and_one_thread(batch):
    cell = _read(batch.folder / "works" / "notebooks" / "1_first.ipynb").cells[3]
    assert cell.outputs[0].text == f"agg 1 {batch.root.name}\n"


@pytest.mark.parametrize(
    ("site", "error"),
    [
        ("divides", "code cell 3: ZeroDivisionError: division by zero"),
        ("exits", "code cell 3: SystemExit: 0"),
        ("dies", "code cell 3: the kernel died"),
        ("hangs", "code cell 3: not finished within the limit of 8 s"),
    ],
)
def test_a_failed_notebook_is_kept_with_its_error_where_it_happened(batch, site, error):
    row = batch.rows[site, "2_second"]
    assert row.status == "failed"
    assert row.error.startswith(error)
    assert row.where == f"outputs/demo/public/{site}/notebooks/2_second.failed.ipynb"
    kept = _read(batch.root / row.where)
    assert row.error in kept.cells[0].source
    assert "error" in [output.output_type for output in kept.cells[4].outputs]
    assert kept.cells[5].outputs == []
    assert kept.metadata.evalkit.status == "failed"


def test_the_rest_of_a_site_is_not_run_after_a_failure_and_the_other_sites_go_on(batch):
    for site in ("divides", "exits", "dies", "hangs"):
        assert batch.rows[site, "1_first"].status == "done"
        assert batch.rows[site, "3_third"].status == "not run"
        assert batch.rows[site, "3_third"].error == "2_second did not end well"


def test_a_notebook_that_cannot_be_saved_fails_with_the_reason(batch):
    row = batch.rows["blocked", "1_first"]
    assert (row.status, row.where) == ("failed", "")
    assert "cannot save 1_first.ipynb" in row.error


def test_the_network_notebooks_run_over_the_sites_that_are_there(batch):
    assert batch.rows["network", "1_listing"].status == "done"
    cell = _read(batch.folder / "network" / "notebooks" / "1_listing.ipynb").cells[-1]
    assert cell.outputs[0].data["text/plain"] == str(sorted(set(SITES) - {"blocked"}))


def test_the_report_and_runs_jsonl_hold_every_planned_run_in_order(batch):
    planned = [(run.site_id or "network", run.name) for run in batch.plan.runs]
    assert [(row.site_id, row.notebook) for row in batch.report.rows] == planned
    lines = (batch.folder / "runs.jsonl").read_text().splitlines()
    assert [(json.loads(line)["site_id"], json.loads(line)["notebook"]) for line in lines] == planned
    assert len(batch.report.problems) == 4 * 2 + 3
    assert batch.report.stopped_by is None
    ended = [event.run for event in batch.events if event.row is not None]
    assert sorted(ended, key=batch.plan.runs.index) == list(batch.plan.runs)


def test_nothing_half_written_and_no_process_is_left(batch, is_gone):
    assert list(batch.root.rglob("*.partial")) == []
    assert is_gone(int((batch.root / "orphan.pid").read_text()))


def test_a_saved_notebook_holds_no_clock_and_no_path_of_the_machine_in_its_metadata(batch):
    notebook = _read(batch.folder / "works" / "notebooks" / "3_third.ipynb")
    parameters = {"network": "demo", "site_id": "works", "audience": "public", "data": ""}
    told = {"notebook": "3_third", "parameters": parameters, "status": "done"}
    assert notebook.metadata.pop("evalkit") == told
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [set(cell.metadata) for cell in notebook.cells] == [{"tags"}] * 4
    assert [cell.id for cell in notebook.cells] == ["title", "parameters", "injected-parameters", "code-0"]


def test_a_second_batch_skips_what_is_done_and_a_forced_one_gives_the_same_bytes(batch):
    done = [path for path in (batch.folder / "works").rglob("*") if path.is_file()]
    assert len(done) == 7
    before = {path: path.read_bytes() for path in done}
    plan = plan_runs(batch.root, network_id="demo", site_ids=SITES, sites=["works"])
    plan.runs[0].failed.write_text("what an interrupted run left beside the good one")
    again = run_plan(plan, jobs=1, warm=False, pool=batch.pool)
    assert [row.status for row in again.rows] == ["up to date"] * 4
    assert not plan.runs[0].failed.exists()
    forced = run_plan(plan, jobs=2, force=True, warm=False, pool=batch.pool)
    assert [row.status for row in forced.rows] == ["done"] * 4
    assert {path: path.read_bytes() for path in done} == before


def test_what_an_earlier_run_left_is_removed_when_its_notebook_no_longer_runs(
    tmp_path, write_notebook, warm_pool
):
    _write_notebooks(tmp_path, write_notebook)
    site = tmp_path / "outputs" / "demo" / "public" / "works"
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["works"], notebooks=["1_first", "3_third"])
    assert run_plan(plan, pool=warm_pool).problems == ()
    write_notebook(tmp_path / "notebooks" / "site" / "1_first.ipynb", FIRST, "raise ValueError('one\\ntwo')")
    assert [run_state(plan, run).state for run in plan.runs] == ["stale", "done"]
    report = run_plan(plan, pool=warm_pool)
    assert [row.status for row in report.rows] == ["failed", "not run"]
    assert report.rows[0].error == "code cell 4: ValueError: one (and 1 more lines)"
    left = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    assert left == ["notebooks/1_first.failed.ipynb", "run/1_first.json"]
    assert [run_state(plan, run).state for run in plan.runs] == ["failed", "never run"]


def test_a_lost_worker_process_fails_its_own_notebook_only(tmp_path, write_notebook, warm_pool):
    folder = tmp_path / "notebooks" / "site"
    write_notebook(
        folder / "1_kill.ipynb", "import os, signal\nif site_id == 'a': os.kill(os.getppid(), signal.SIGKILL)"
    )
    report = run_plan(plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"]), pool=warm_pool)
    assert [row.status for row in report.rows] == ["failed", "done"]
    assert "was killed" in report.rows[0].error


BATCH_PROGRAM = """
import sys
from pathlib import Path
from evalkit.runs.execute import run_plan
from evalkit.runs.plan import plan_runs

if __name__ == "__main__":
    plan = plan_runs(Path(sys.argv[1]), network_id="demo", site_ids=["a", "b"])
    report = run_plan(plan, jobs=1)
    print(report.stopped_by, *(row.status for row in report.rows))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_run_that_is_terminated_keeps_what_it_has_and_leaves_no_process(tmp_path, write_notebook, is_gone):
    sleeper = (
        "import os, time\n_ = open('kernel.pid', 'w').write(str(os.getpid()))\nprint('begun', flush=True)"
    )
    write_notebook(tmp_path / "notebooks" / "site" / "1_sleep.ipynb", sleeper, "time.sleep(3600)")
    earlier = tmp_path / "outputs" / "demo" / "public" / "a" / "notebooks" / "1_sleep.ipynb"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("what an earlier run left")
    program = tmp_path / "batch.py"
    program.write_text(BATCH_PROGRAM)
    home = str(Path(__file__).resolve().parents[2])
    batch = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "kernel.pid").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    batch.send_signal(signal.SIGTERM)
    said, _ = batch.communicate(timeout=20)
    assert said.split() == [str(int(signal.SIGTERM)), "interrupted", "not", "run"]
    kept = _read(earlier.with_name("1_sleep.failed.ipynb"))
    assert kept.metadata.evalkit.status == "interrupted"
    assert "begun" in str(kept.cells[4].outputs)
    assert earlier.read_text() == "what an earlier run left"
    assert is_gone(int((tmp_path / "kernel.pid").read_text()))
