"""What a notebook writes is looked through before it stands: a planted leak fails the run, and is gone."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.batch_cache import CACHE_VARIABLE
from evalkit.cli import main
from evalkit.runs.execute import run_plan
from evalkit.runs.guard import leaks_of
from evalkit.runs.network import plan_network, prepare_data
from evalkit.runs.pages import run_job
from evalkit.runs.record import run_state
from evalkit.views import withheld_from
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]
SITES = ("alder-park", "birchwater", "cedar-flats", "dogwood-heights", "elm-crossing")

# Every notebook finds one small count that the public may not see, and tells it in its own way.
FIND = """
from evalkit.site_data import read_declared
from evalkit.views import withheld_from
from pathlib import Path
home, declared = read_declared(Path.cwd(), network)
hidden = withheld_from("public", network=network, site_id=site_id).numbers
cell = hidden[hidden["numerator"].notna() & hidden["dimension"].ne("all")].iloc[0]
label = home.dictionary.indicator(cell["indicator"]).label
told = f"{label}, {cell['subgroup']}, {cell['period']}: count"
text = withheld_from("public", network=network, site_id=site_id).texts[0]
folder = Path("outputs") / network / audience / site_id / "results"
folder.mkdir(parents=True, exist_ok=True)
""".strip()
WAYS = {
    "alder-park": "print(f\"{told} {cell['numerator']:.0f} of {cell['persons']:.0f}\")",
    "birchwater": "cell.to_frame().T[['indicator', 'period', 'subgroup', 'numerator']]"
    ".to_csv(folder / 'rows.csv', index=False)",
    "cedar-flats": "raise ValueError(f\"{told} {cell['numerator']:.0f} of {cell['persons']:.0f}\")",
    "dogwood-heights": "print(text)",
    "elm-crossing": "import pandas as pd\n"
    "pd.DataFrame({'student_id': ['s1'], 'absent': [3]}).to_parquet(folder / 'students.parquet')",
}


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory, write_notebook):
    """The demonstration with one leaky notebook, whose way of telling depends on the site."""
    root = tmp_path_factory.mktemp("guarded")
    for part in ("parameters", "data_dictionary"):
        shutil.copytree(HOME / part, root / part)
    names = 'network = ""\naudience = ""\nsite_id = ""\ndata = ""'
    ways = "\n".join(f"ways[{site!r}] = {way!r}" for site, way in WAYS.items())
    write_notebook(
        root / "notebooks" / "site" / "1_leaky.ipynb",
        FIND,
        f"ways = {{}}\n{ways}",
        "exec(ways[site_id])",
        parameters=names,
    )
    write_notebook(root / "notebooks" / "site" / "2_quiet.ipynb", "print('42 of 61')", parameters=names)
    workspace = Workspace(root)
    prepare_data(workspace, plan_network(workspace, "demo"))
    return workspace


@pytest.fixture(name="report", scope="module")
def _report(home, warm_pool):
    plan = plan_network(home, "demo", sites=SITES, notebooks=["1_leaky"])
    return plan, run_plan(plan, pool=warm_pool)


@pytest.mark.parametrize(
    ("site", "what"),
    [
        ("alder-park", "notebooks/1_leaky.ipynb: hidden number"),
        ("birchwater", "results/rows.csv: hidden number"),
        ("cedar-flats", "notebooks/1_leaky.ipynb: hidden number"),
        ("dogwood-heights", "notebooks/1_leaky.ipynb: restricted text"),
        ("elm-crossing", "results/students.parquet: person's row"),
    ],
)
def test_a_leak_fails_its_run_and_the_reason_names_file_and_kind(report, site, what):
    row = next(row for row in report[1].rows if row.site_id == site)
    assert row.status == "failed"
    assert row.error.startswith("kept back, because the audience public may not see this: ")
    assert f"{site}/{what}" in row.error
    assert row.where == ""


def test_nothing_that_told_it_is_left_in_any_file(home, report):
    plan, _ = report
    left = [path for path in plan.folder.rglob("*") if path.is_file()]
    assert not [path for path in left if path.suffix in (".ipynb", ".csv", ".parquet")]
    assert all("'s1'" not in path.read_text() and "s1,3" not in path.read_text() for path in left)


def test_the_partnerships_own_evaluators_see_everything(home, warm_pool):
    plan = plan_network(home, "demo", sites=["alder-park"], notebooks=["1_leaky"], audience="internal")
    assert [row.status for row in run_plan(plan, pool=warm_pool).rows] == ["done"]


def test_a_number_that_names_no_cell_is_no_leak(home, warm_pool):
    plan = plan_network(home, "demo", sites=["alder-park"], notebooks=["2_quiet"])
    assert [row.status for row in run_plan(plan, pool=warm_pool).rows] == ["done"]


def test_what_cannot_be_judged_is_not_let_through(home, tmp_path):
    run = plan_network(home, "demo", sites=["alder-park"], notebooks=["2_quiet"]).chains[0][0]
    (tmp_path / "indicators.parquet").write_bytes(b"no parquet")
    blind = replace(run, terms=replace(run.terms, data=str(tmp_path)))
    with pytest.raises(OSError, match=r"evidence\.csv"):
        leaks_of(blind, "{}", [], root=home.root)
    receipt = run_job(blind, root=home.root, time_limit=60)
    assert (receipt.status, receipt.saved) == ("failed", None)
    assert receipt.error.startswith("kept back, because nobody can tell what it may not show: ")


def test_a_run_stopped_before_its_notebook_was_read_is_told_as_stopped(home, monkeypatch):
    run = plan_network(home, "demo", sites=["alder-park"], notebooks=["2_quiet"]).chains[0][0]
    monkeypatch.setattr("nbformat.read", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    receipt = run_job(run, root=home.root, time_limit=60)
    assert (receipt.status, receipt.error, receipt.saved) == (
        "interrupted",
        "the run was stopped from outside",
        None,
    )


@pytest.mark.parametrize(
    ("part", "value", "error"),
    [("nbformat", 5, "NBFormatError: Unsupported nbformat version 5"), ("metadata", None, "ValidationError")],
)
def test_of_a_notebook_that_nobody_can_read_the_reason_is_told(home, tmp_path, part, value, error):
    run = plan_network(home, "demo", sites=["alder-park"], notebooks=["2_quiet"]).chains[0][0]
    content = json.loads(run.notebook.read_text()) | {part: value}
    torn = replace(run, notebook=tmp_path / "2_quiet.ipynb")
    torn.notebook.write_text(json.dumps(content))
    receipt = run_job(torn, root=home.root, time_limit=60)
    assert (receipt.status, receipt.saved) == ("failed", None)
    assert receipt.error.startswith(error)


def test_a_page_that_shows_a_hidden_number_is_not_published_and_the_command_ends_with_1(
    home, monkeypatch, tmp_path, capsys
):
    root = tmp_path / "workspace"
    for part in ("parameters", "data_dictionary", "notebooks"):
        shutil.copytree(home.root / part, root / part)
    workspace = Workspace(root)
    shutil.copytree(home.root / "outputs" / "demo" / "data", root / "outputs" / "demo" / "data")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    hidden = withheld_from("public", network="demo", site_id="alder-park", workspace=str(root)).numbers
    cell = hidden[hidden["numerator"].notna() & hidden["dimension"].ne("all")].iloc[0]
    label = workspace.dictionary.indicator(cell["indicator"]).label
    told = (
        f"{label}, {cell['subgroup']}, {cell['period']}: count {cell['numerator']:.0f} "
        f"of {cell['persons']:.0f}"
    )
    for site_id, text in (("alder-park", told), ("birchwater", "Nothing to tell.")):
        folder = root / "outputs" / "demo" / "public" / site_id / "notebooks"
        folder.mkdir(parents=True)
        cells = [{"cell_type": "markdown", "metadata": {}, "source": f"# A case study\n\n{text}"}]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "6_case_study.ipynb").write_text(json.dumps(notebook))
    assert (
        main(["publish", "--network", "demo", "--to", "html", "--jobs", "1", "--workspace", str(root)]) == 1
    )
    site = root / "outputs" / "demo" / "public" / "site"
    assert (site / "birchwater.html").is_file()
    assert not (site / "alder-park.html").exists()
    assert told not in "".join(path.read_text() for path in site.glob("*.html"))
    assert "alder-park.html is kept back, because its audience may not see this" in capsys.readouterr().out
    assert not (site.parent / ".pages-prepared").exists()


AGREEMENT = """
data_agreements:
  - agreement_id: district-2026
    source: simulation
    parties: [Alder School District, The Backbone]
    audiences: [partners, public]
    expires: "2026-12-31"
"""


def test_an_agreement_that_ends_makes_what_rested_on_it_stale(home, tmp_path, warm_pool):
    root = tmp_path / "workspace"
    for part in ("parameters", "data_dictionary", "notebooks"):
        shutil.copytree(home.root / part, root / part)
    with (root / "parameters" / "demo" / "network.yml").open("a") as stream:
        stream.write(AGREEMENT)
    workspace = Workspace(root)
    shutil.copytree(home.root / "outputs" / "demo" / "data", root / "outputs" / "demo" / "data")

    def plan(today):
        return plan_network(workspace, "demo", sites=["alder-park"], notebooks=["2_quiet"], today=today)

    run = plan("2026-11-21").chains[0][0]
    assert [row.status for row in run_plan(plan("2026-11-21"), pool=warm_pool).rows] == ["done"]
    assert run_state(plan("2026-12-31"), run).state == "done"
    later = plan("2027-01-01")
    state = run_state(later, later.chains[0][0])
    assert (state.state, state.reason) == ("stale", "what the data agreements allow today changed")


def test_every_notebook_of_a_batch_sees_the_same_day(home, tmp_path, write_notebook, warm_pool):
    root = tmp_path / "workspace"
    for part in ("parameters", "data_dictionary"):
        shutil.copytree(home.root / part, root / part)
    names = 'network = ""\naudience = ""\nsite_id = ""\ndata = ""'
    write_notebook(
        root / "notebooks" / "site" / "1_day.ipynb",
        "from evalkit.batch_cache import batch_day\nbatch_day()",
        parameters=names,
    )
    workspace = Workspace(root)
    shutil.copytree(home.root / "outputs" / "demo" / "data", root / "outputs" / "demo" / "data")
    plan = plan_network(workspace, "demo", sites=["alder-park"], today="2031-02-03")
    assert run_plan(plan, pool=warm_pool).problems == ()
    assert "'2031-02-03'" in plan.chains[0][0].output.read_text()
