"""A site that is withdrawn from an audience is gone from all that stands for it after the next run."""

import json
import shutil
from pathlib import Path

import pytest

from evalkit.audit import check_workspace
from evalkit.cli import main
from evalkit.errors import DataError, ParameterError
from evalkit.publish import publish_network
from evalkit.runs.execute import run_plan
from evalkit.runs.network import plan_network
from evalkit.runs.record import run_states
from evalkit.runs.withdrawn import remove_withdrawn, withdrawn_folders
from evalkit.views import open_network, open_site
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]
NETWORK = """network_id: little
name: Little
sources:
  - {source_id: registry, kind: tidy, path: indicators.csv}
"""
HEADER = "indicator,site_id,population,period,dimension,subgroup,numerator,denominator\n"
SAVES = """
import evalkit
from evalkit.results import Result, tidy_frame
view = evalkit.open_site(network=network, site_id=site_id, audience=audience, data=data)
rows = tidy_frame([{"method": "turn_the_curve", "site_id": site_id, "note": view.site.name}])
view.save(Result(method="turn_the_curve", title="T", design={}, tidy=rows, narrative=(view.site.name,)))
print(view.site.name)
"""
COMPARES = """
import pandas as pd
import evalkit
from evalkit.results import Result
view = evalkit.open_network(network=network, audience=audience)
rows = pd.concat([saved["turn_the_curve"].tidy for saved in view.results.values()])
view.save(Result(method="comparison", title="T", design={}, tidy=rows))
print([site.name for site in view.network.sites.values()])
"""
NAMES = 'network = ""\naudience = ""'


def site_file(site_id, more=""):
    return f"site_id: {site_id}\nname: The place called {site_id.title()}\n{more}"


@pytest.fixture(name="root")
def _root(tmp_path, write_notebook):
    """Two sites, one of which stands to be withdrawn, run for the public and published."""
    shutil.copytree(HOME / "data_dictionary", tmp_path / "data_dictionary")
    sites = tmp_path / "parameters" / "little" / "sites"
    sites.mkdir(parents=True)
    (sites.parent / "network.yml").write_text(NETWORK)
    for site_id in ("elm", "oak"):
        (sites / f"{site_id}.yml").write_text(site_file(site_id))
    (tmp_path / "data").mkdir()
    rows = "".join(
        f"graduation_rate,{site_id},target_school,2012,all,All,60,100\n" for site_id in ("elm", "oak")
    )
    (tmp_path / "data" / "indicators.csv").write_text(HEADER + rows)
    write_notebook(
        tmp_path / "notebooks" / "site" / "6_case_study.ipynb",
        SAVES,
        parameters=NAMES + '\nsite_id = ""\ndata = ""',
    )
    write_notebook(tmp_path / "notebooks" / "network" / "1_comparison.ipynb", COMPARES, parameters=NAMES)
    return tmp_path


def plan_of(root, **choice):
    return plan_network(Workspace(root), "little", data=root / "data", **choice)


def publish(root):
    return publish_network(Workspace(root), network="little", formats=("html",), renderer="pandoc")


def withdraw(root, way):
    oak = root / "parameters" / "little" / "sites" / "oak.yml"
    oak.unlink() if way == "deleted" else oak.write_text(site_file("oak", "audiences: [internal]\n"))


def files_that_name(root, word):
    """Find what stands for the public below a folder and holds a word, in its name or its content."""
    folder = root / "outputs" / "little" / "public"
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if word in path.name.lower() or (path.is_file() and word.encode() in path.read_bytes().lower())
    ]


@pytest.mark.parametrize("way", ["not shown any more", "deleted"])
def test_a_site_that_is_withdrawn_is_in_no_file_after_the_next_run(root, warm_pool, way):
    assert run_plan(plan_of(root), pool=warm_pool).problems == ()
    site = publish(root).index.parent
    assert (site / "oak.html").is_file()
    withdraw(root, way)
    before = run_states(plan_of(root))
    assert [(state.run.label, state.state) for state in before] == [
        ("elm/6_case_study", "done"),
        ("network/1_comparison", "stale"),
    ]
    report = run_plan(plan_of(root), pool=warm_pool)
    assert report.removed == (
        "oak: not shown to the audience public, or no longer in the network; removed what runs had made in "
        "outputs/little/public/oak, and the pages and results across sites",
    )
    assert [(row.site_id, row.status) for row in report.rows] == [("elm", "up to date"), ("network", "done")]
    publish(root)
    assert files_that_name(root, "oak") == []
    assert "The place called Elm" in (site / "index.html").read_text()
    assert run_plan(plan_of(root), pool=warm_pool).removed == ()


@pytest.fixture(name="stands")
def _stands(root):
    """What runs leave, as they leave it, with a person's own files beside."""
    folder = root / "outputs" / "little" / "public"
    record = json.dumps({"notebook": "n", "status": "done", "outputs": {}, "inputs": {}})
    for name in ("elm/run/1_a.json", "oak/run/1_a.json", "network/run/1_comparison.json"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(record)
    for name in (
        "oak/results/a.csv",
        "oak/notebooks/1_a.failed.ipynb",
        "oak/release.json",
        "elm/results/a.csv",
        "network/results/a.csv",
        "site/oak.html",
        ".site-previous/oak.html",
        ".pages-prepared/k.oak.html",
        "published.json",
        "runs.jsonl",
        "my notes/run/1_a.json",
        "minutes/notes.txt",
        "minutes/run/notes.json",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


def left_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


STAYS = {
    "elm/run/1_a.json",
    "elm/results/a.csv",
    "runs.jsonl",
    "my notes/run/1_a.json",
    "minutes/notes.txt",
    "minutes/run/notes.json",
}


def test_what_evalkit_did_not_make_stays_where_it_is(root, stands):
    withdraw(root, "deleted")
    (stands / "oak" / "letter.txt").write_text("by a person")
    remove_withdrawn(plan_of(root))
    assert left_in(stands) == {*STAYS, "oak/letter.txt"}
    assert withdrawn_folders(stands, ["elm"]) == []


def test_nothing_is_removed_while_every_site_may_be_shown_or_because_only_one_is_run(root, stands):
    before = left_in(stands)
    assert remove_withdrawn(plan_of(root)) == ()
    assert remove_withdrawn(plan_of(root, sites=["elm"])) == ()
    assert left_in(stands) == before


def test_a_folder_that_only_points_elsewhere_is_left_alone(root, stands):
    withdraw(root, "deleted")
    (stands / "oak").rename(root / "elsewhere")
    (stands / "oak").symlink_to(root / "elsewhere", target_is_directory=True)
    assert remove_withdrawn(plan_of(root)) == ()
    assert (root / "elsewhere" / "results" / "a.csv").is_file()


def test_a_removal_that_was_cut_short_goes_on(root, stands, monkeypatch):
    withdraw(root, "deleted")
    rmtree = shutil.rmtree

    def fail(path, *rest, **more):
        if Path(path) == stands / "oak" / "results":
            raise PermissionError(13, "Permission denied", str(path))
        rmtree(path, *rest, **more)

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(PermissionError):
        remove_withdrawn(plan_of(root))
    assert not (stands / "site").exists()
    monkeypatch.undo()
    assert len(remove_withdrawn(plan_of(root))) == 1
    assert left_in(stands) == STAYS


@pytest.mark.parametrize("way", ["not shown any more", "deleted"])
def test_status_and_check_tell_of_what_stands_and_remove_nothing(root, stands, way, capsys):
    withdraw(root, way)
    before = left_in(stands)
    chosen = ["--network", "little", "--data", str(root / "data"), "--workspace", str(root)]
    main(["status", *chosen])
    table = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert ["oak", "all", "withdrawn", "not to be shown; the next run removes it"] in table
    assert check_workspace(Workspace(root), network="little", data=str(root / "data"))[0] == (
        "outputs/little/public/oak: of a site that is not shown to the audience public; "
        "`evalkit run --network little --audience public` removes it"
    )
    assert left_in(stands) == before


def test_a_note_tells_the_person_who_publishes_what_was_removed(root, stands, capsys):
    withdraw(root, "deleted")
    main(["publish", "--network", "little", "--to", "html", "--workspace", str(root)])
    assert "note: oak: not shown to the audience public" in capsys.readouterr().out
    assert left_in(stands) >= STAYS
    assert not (stands / "oak").exists()


def test_no_page_across_sites_is_published_that_rests_on_a_site_not_shown(root, warm_pool):
    assert run_plan(plan_of(root), pool=warm_pool).problems == ()
    assert (publish(root).index.parent / "comparison.html").is_file()
    withdraw(root, "not shown any more")
    report = publish(root)
    assert report.problems[0] == (
        "network/1_comparison: rests on oak, not shown to this audience; run it again"
    )
    assert not (report.index.parent / "comparison.html").exists()
    assert not list(report.index.parent.glob("oak*"))
    assert "oak" not in report.index.read_text().lower()


def test_a_site_opens_only_for_the_audiences_that_its_parameters_allow(root):
    withdraw(root, "not shown any more")
    chosen = {"network": "little", "site_id": "oak", "data": str(root / "data"), "workspace": str(root)}
    with pytest.raises(ParameterError) as caught:
        open_site(**chosen, audience="public")
    assert caught.value.problems == (
        "oak: not shown to the audience public, because its parameters allow internal; open it for one that "
        "is allowed, or add public to `audiences` in oak.yml",
    )
    assert open_site(**chosen, audience="internal").site.name == "The place called Oak"
    elm = open_site(**(chosen | {"site_id": "elm"}), audience="public")
    assert list(elm.network.sites) == ["elm"]


def test_a_network_opens_with_the_sites_only_that_the_audience_may_see(root, warm_pool):
    assert run_plan(plan_of(root), pool=warm_pool).problems == ()
    withdraw(root, "not shown any more")
    view = open_network(network="little", workspace=str(root))
    assert list(view.results) == list(view.network.sites) == ["elm"]
    assert not [name for name in view.inputs if "oak" in name]
    with pytest.raises(DataError, match="no site has saved results for audience internal"):
        open_network(network="little", audience="internal", workspace=str(root))
    (root / "parameters" / "little" / "sites" / "elm.yml").write_text(site_file("elm", "audiences: []\n"))
    with pytest.raises(ParameterError, match="little: no site is shown to the audience public; add it"):
        open_network(network="little", workspace=str(root))


def test_what_a_notebook_has_made_goes_with_the_notebook(root, warm_pool, write_notebook):
    made = write_notebook(
        root / "notebooks" / "site" / "7_quince.ipynb",
        SAVES.replace("turn_the_curve", "quince"),
        parameters=NAMES + '\nsite_id = ""\ndata = ""',
    )
    assert run_plan(plan_of(root), pool=warm_pool).problems == ()
    assert len(files_that_name(root, "quince")) > 0
    made.unlink()
    report = run_plan(plan_of(root), pool=warm_pool)
    assert report.removed == (
        "notebooks/site/7_quince.ipynb: no longer in the workspace; removed what it had made of 2 folders",
    )
    assert files_that_name(root, "quince") == []
    assert [row.status for row in report.rows] == ["up to date", "up to date", "done"]
    assert run_plan(plan_of(root), pool=warm_pool).removed == ()


def test_where_no_site_ends_well_the_website_says_so_and_shows_nothing_older(
    root, write_notebook, monkeypatch
):
    monkeypatch.chdir(root)
    asked = ["run", "--network", "little", "--data", "data", "--jobs", "2"]
    assert main(asked) == 0
    site = root / "outputs" / "little" / "public" / "site"
    assert {path.name for path in site.glob("*.html")} == {
        "index.html",
        "comparison.html",
        "elm.html",
        "oak.html",
    }
    write_notebook(
        root / "notebooks" / "site" / "6_case_study.ipynb",
        "1 / 0",
        parameters=NAMES + '\nsite_id = ""\ndata = ""',
    )
    assert main(asked) == 1
    assert [path.name for path in site.iterdir()] == ["index.html"]
    assert (site / "index.html").read_text().count("Not published: run failed") == 2
    assert not list((root / "outputs" / "little" / "public" / "network").rglob("*.csv"))
