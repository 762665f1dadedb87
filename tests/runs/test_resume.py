"""What is done again, and what is believed: stopped batches, one site's new data, notes that do not hold."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import evalkit.runs.execute
from evalkit.cli import main
from evalkit.errors import DataError, RunError
from evalkit.runs.execute import run_plan
from evalkit.runs.guard import leaks_of
from evalkit.runs.network import SIMULATED, plan_network, prepare_data
from evalkit.runs.pages import Publication
from evalkit.runs.published import note_publication, standing_publication
from evalkit.runs.record import run_states
from evalkit.simulate import simulate_network
from evalkit.workspace import Workspace
from tests.benchmarks.movement import write_movement

HOME = Path(__file__).resolve().parents[2]
SITES = ("alder-park", "birchwater", "cedar-flats")
SAVES = """
import time
from pathlib import Path
results = Path("outputs") / network / audience / site_id / "results"
results.mkdir(parents=True, exist_ok=True)
_ = (results / "rows.csv").write_text(site_id)
time.sleep(1)
print(site_id)
"""


@pytest.fixture(name="root")
def _root(tmp_path, write_notebook):
    """Three sites of the demonstration and one light notebook; their data are a file for each."""
    root = tmp_path / "workspace"
    for part in ("parameters", "data_dictionary"):
        shutil.copytree(HOME / part, root / part)
    shutil.rmtree(root / "parameters" / "promise-neighborhoods")
    declared = root / "parameters" / "demo"
    network = (declared / "network.yml").read_text()
    (declared / "network.yml").write_text(network[: network.index("sources:")])
    for path in (declared / "sites").glob("*.yml"):
        if path.stem not in SITES:
            path.unlink()
            continue
        source = f"{{source_id: own, kind: tidy, path: {path.stem}.csv}}"
        path.write_text(f"{path.read_text()}\nsources: [{source}]\n")
    simulated = simulate_network()
    (root / "data").mkdir()
    for site_id in SITES:
        rows = simulated.indicators[simulated.indicators["site_id"].str.startswith(site_id)]
        rows.to_csv(root / "data" / f"{site_id}.csv", index=False)
    simulated.evidence.to_csv(root / "data" / "evidence.csv", index=False)
    write_notebook(root / "notebooks" / "site" / "1_save.ipynb", SAVES)
    write_notebook(
        root / "notebooks" / "network" / "1_all.ipynb",
        "from pathlib import Path\n[path.read_text() for path in sorted(Path('outputs').rglob('rows.csv'))]",
        parameters='network = ""\naudience = ""',
    )
    return root


def _outcome(root):
    paths = [path for path in (root / "outputs" / "demo").rglob("*") if path.is_file()]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in paths if p.name != "runs.jsonl"}


def _evalkit(root, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit", *arguments, "--workspace", str(root)],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_stopped_batch_says_so_by_its_code_and_goes_on_to_the_same_bytes(root, warm_pool, number, code):
    plan = plan_network(Workspace(root), "demo", data=root / "data")
    assert run_plan(plan, pool=warm_pool).problems == ()
    expected = _outcome(root)
    shutil.rmtree(root / "outputs" / "demo")
    batch = _evalkit(root, "run", "--data", str(root / "data"), "--jobs", "1")
    assert batch.stdout is not None
    first = next(line for line in batch.stdout if line.startswith("[1/4]"))
    assert "alder-park/1_save done" in first
    time.sleep(0.3)
    batch.send_signal(number)
    said, _ = batch.communicate(timeout=60)
    assert batch.returncode == code, said
    assert {row.status for row in run_plan(plan, pool=warm_pool).rows} == {"up to date", "done"}
    assert _outcome(root) == expected


def test_only_the_site_whose_data_changed_runs_again_with_the_network(root, warm_pool):
    plan = plan_network(Workspace(root), "demo", data=root / "data")
    assert run_plan(plan, pool=warm_pool).problems == ()
    path = root / "data" / "birchwater.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.to_csv(path, index=False, lineterminator="\r\n")
    assert {row.status for row in run_plan(plan, pool=warm_pool).rows} == {"up to date"}
    table.iloc[1:].to_csv(path, index=False)
    rows = run_plan(plan, pool=warm_pool).rows
    assert [row.status for row in rows] == ["up to date", "done", "up to date", "up to date"]
    path = root / "notebooks" / "site" / "1_save.ipynb"
    path.write_text(path.read_text().replace("write_text(site_id)", "write_text(site_id + ' anew')"))
    rows = run_plan(
        plan_network(Workspace(root), "demo", sites=["birchwater"], data=root / "data"), pool=warm_pool
    ).rows
    # the network's notebook rests on what the site's saved
    assert [row.status for row in rows] == ["done", "done"]


def test_only_a_site_of_which_something_stands_is_looked_for_in_what_rests_on_several(root):
    (root / "data" / "birchwater.csv").unlink()
    (run,) = plan_network(Workspace(root), "demo", data=root / "data").network_runs
    folder = run.folder.parent / "birchwater"
    for name in ("notebooks/1_save.failed.ipynb", "run/1_save.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{}")
    text = run.notebook.read_text()
    assert leaks_of(run, text, [], root=root) == []
    (folder / "results").mkdir()
    (folder / "results" / "rows.csv").write_text("what is left of an earlier run")
    with pytest.raises(DataError, match=r"birchwater\.csv"):
        leaks_of(run, text, [], root=root)


@pytest.mark.slow
def test_a_site_whose_data_are_not_there_keeps_nothing_from_the_others(root, capsys):
    save = root / "notebooks" / "site" / "1_save.ipynb"
    save.rename(save.with_name("6_case_study.ipynb"))
    (root / "notebooks" / "network" / "1_all.ipynb").rename(root / "notebooks/network/1_comparison.ipynb")
    (root / "data" / "birchwater.csv").unlink()
    assert main(["run", "--data", str(root / "data"), "--jobs", "2", "--workspace", str(root)]) == 1
    said = capsys.readouterr().out
    assert "1 of 4 notebooks did not end well:" in said
    assert "birchwater.csv" in said
    site = root / "outputs" / "demo" / "public" / "site"
    names = {path.name for path in site.glob("*.html")}
    assert {"index.html", "alder-park.html", "cedar-flats.html", "comparison.html"} <= names
    assert "birchwater.html" not in names
    assert "1 neighborhood is not published" in (site / "index.html").read_text()


def test_in_a_table_of_many_sites_only_the_one_whose_rows_changed_runs_again(
    tmp_path, write_notebook, warm_pool
):
    data = write_movement(tmp_path, sites=2)
    shutil.rmtree(tmp_path / "notebooks")
    names = 'network = ""\naudience = ""\nsite_id = ""\ndata = ""'
    write_notebook(tmp_path / "notebooks" / "site" / "1_look.ipynb", "site_id", parameters=names)

    def statuses():
        plan = plan_network(Workspace(tmp_path), "movement", data=data)
        return [row.status for row in run_plan(plan, pool=warm_pool).rows]

    assert statuses() == ["done", "done"]
    path = data / "indicators.parquet"
    table = pd.read_parquet(path).reset_index(drop=True)
    table.to_parquet(path, index=False, compression="gzip")
    assert statuses() == ["up to date", "up to date"]
    row = table.index[table["site_id"].eq("birchwater-1") & table["numerator"].gt(20)][0]
    table.loc[row, "numerator"] -= 1
    table.to_parquet(path, index=False)
    assert statuses() == ["up to date", "done"]
    plan = plan_network(Workspace(tmp_path), "movement", data=data)
    assert [state.reason for state in run_states(plan)] == ["", ""]


@pytest.fixture(name="simulated", scope="module")
def _simulated(tmp_path_factory):
    root = tmp_path_factory.mktemp("simulated")
    for part in ("parameters", "data_dictionary", "notebooks"):
        shutil.copytree(HOME / part, root / part)
    workspace = Workspace(root)
    plan = plan_network(workspace, "demo")
    prepare_data(workspace, plan)
    return workspace, plan


def _without(note, key):
    return json.dumps({name: value for name, value in json.loads(note).items() if name != key})


def _with(note, **changes):
    return json.dumps({**json.loads(note), **changes})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: None,
        lambda note: note[: len(note) // 2],
        lambda note: "[]",
        lambda note: _without(note, "files"),
        lambda note: _with(note, evalkit_sha256="0" * 64),
        lambda note: _with(note, seed=1),
        lambda note: _with(note, versions={"numpy": "1.0"}),
    ],
    ids=["missing", "truncated", "a list", "no files", "another evalkit", "another seed", "other libraries"],
)
def test_a_note_on_the_simulation_that_does_not_hold_is_not_believed(simulated, spoil):
    workspace, plan = simulated
    folder = workspace.data("demo", "")
    note = folder.with_name("simulation.json")
    whole, before = note.read_text(), {name: (folder / name).read_bytes() for name in SIMULATED}
    spoilt = spoil(whole)
    note.unlink() if spoilt is None else note.write_text(spoilt)
    (folder / "reach.csv").write_text("what an older evalkit has simulated")
    prepare_data(workspace, plan)
    assert note.read_text() == whole
    assert {name: (folder / name).read_bytes() for name in SIMULATED} == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: None,
        lambda note: note[: len(note) // 2],
        lambda note: "[]",
        lambda note: _without(note, "files"),
        lambda note: _without(note, "problems"),
        lambda note: _with(note, stamp="0" * 64),
        lambda note: _with(note, files={}),
    ],
    ids=["missing", "truncated", "a list", "no files", "no problems", "another stamp", "other files"],
)
def test_a_note_on_the_publication_that_does_not_hold_is_not_believed(simulated, spoil):
    _, plan = simulated
    index = plan.folder / "site" / "index.html"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("<!doctype html>")
    note_publication(plan, Publication(), ("a page is missing",))
    standing = standing_publication(plan, Publication())
    assert standing is not None
    assert standing.problems == ("a page is missing",)
    note = plan.folder / "published.json"
    spoilt = spoil(note.read_text())
    note.unlink() if spoilt is None else note.write_text(spoilt)
    assert standing_publication(plan, Publication()) is None


def test_a_page_changed_by_hand_or_another_format_is_made_anew(simulated):
    _, plan = simulated
    index = plan.folder / "site" / "index.html"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("<!doctype html>")
    note_publication(plan, Publication(), ())
    assert standing_publication(plan, Publication(formats=("html",))) is None
    index.write_text("<!doctype html> and more")
    assert standing_publication(plan, Publication()) is None


def test_an_unknown_kind_of_kernel_is_refused_before_anything_starts(root, capsys):
    assert main(["run", "--kernel", "cold", "--workspace", str(root)]) == 2
    assert "'cold'; use one of warm, plain" in " ".join(capsys.readouterr().err.split())
    assert not (root / "outputs").exists()


@pytest.mark.parametrize("limit", ["2.1e6", "inf", "nan", "0", "604801"])
def test_a_time_limit_that_no_timer_can_hold_is_refused(root, capsys, limit):
    assert main(["run", "--time-limit", limit, "--workspace", str(root)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{float(limit):g}; use 1 to 604800 seconds, which is a week" in said


@pytest.mark.parametrize("verb", ["run", "check", "status", "publish"])
@pytest.mark.parametrize("option", ["--data", "--workspace"])
def test_a_folder_that_is_told_empty_is_refused(root, capsys, verb, option):
    choice = {"--workspace": str(root), option: ""}
    assert main([verb, *(word for pair in choice.items() for word in pair)]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"Invalid value for {option}: it is empty (a variable that is not set?)" in said.replace("'", "")
    assert not (root / "outputs").exists()


@pytest.mark.parametrize(("kind", "warm"), [("warm", True), ("plain", False)])
def test_the_kind_of_kernel_that_is_asked_for_is_taken(root, monkeypatch, kind, warm):
    asked = []

    def note(plan, **choice):
        asked.append(choice["warm"])
        raise RunError("enough is known")

    monkeypatch.setattr(evalkit.runs.execute, "run_plan", note)
    assert main(["run", "--kernel", kind, "--data", str(root / "data"), "--workspace", str(root)]) == 1
    assert asked == [warm]
