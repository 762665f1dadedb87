import dataclasses
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from by_hand import case_study, code, error, markdown, write_notebook
from conftest import demo_network, run_by_hand
from reading import web

from evalkit.errors import PublishError
from evalkit.publish import publish_network
from evalkit.publish.pandoc import Pandoc
from evalkit.results import TIDY_COLUMNS

ALL = ("html", "pdf", "docx")


def publish(workspace, *, formats=("html",), **choice):
    return publish_network(workspace, network="demo", renderer="pandoc", formats=formats, **choice)


def row_of(index: Path, name: str):
    return next(row for row in web(index).tbody.find_all("tr") if name in row.th.get_text())


def test_the_index_says_what_turned_where_and_links_every_format(workspace):
    report = publish(workspace, formats=ALL)
    row = row_of(report.index, "Alder Park")
    assert "North side, Exampleton" in row.get_text()
    assert "Turned: Graduation and Chronic absence" in row.get_text()
    assert "Not yet: English language arts" in row.get_text()
    links = {link["href"] for link in row.find_all("a")}
    assert links == {"alder-park.html", "alder-park.pdf", "alder-park.docx"}
    assert (
        "Of 5 curves followed in 2 neighborhoods, 2 turned, 1 beat the baseline without turning"
        in web(report.index).get_text()
    )


def test_every_link_of_the_website_leads_to_a_page_that_is_there(workspace):
    report = publish(workspace, formats=ALL)
    for path in report.pages:
        assert path.is_file()
        if path.suffix == ".html":
            for link in web(path).find_all("a", href=True):
                if not link["href"].startswith(("#", "https:")):
                    assert (path.parent / link["href"]).is_file(), f"{path.name}: {link['href']}"


def test_a_site_whose_run_failed_is_listed_and_not_shown(workspace):
    report = publish(workspace)
    row = row_of(report.index, "Cedar Flats <west>")
    assert "Not published: run failed" in row.get_text()
    assert not row.find_all("a")
    assert not list(report.index.parent.glob("cedar-flats*"))
    assert any(problem.startswith("cedar-flats/6_case_study: its run failed") for problem in report.problems)


def test_a_file_that_is_no_record_says_nothing_of_a_site(workspace):
    run = workspace.outputs("demo", "public") / "cedar-flats" / "run"
    run.mkdir()
    (run / "backup.json").write_text("half a rec")
    (run / "6_case_study.json").write_text("[]")
    assert "Not published: run failed" in row_of(publish(workspace).index, "Cedar Flats").get_text()


def test_a_site_that_was_never_run_says_so(workspace):
    (workspace.outputs("demo", "public") / "cedar-flats" / "notebooks" / "6_case_study.failed.ipynb").unlink()
    assert "Not published: not run yet" in row_of(publish(workspace).index, "Cedar Flats").get_text()


def test_a_site_whose_first_notebook_failed_did_not_go_without_a_run(workspace):
    folder = workspace.outputs("demo", "public") / "cedar-flats"
    (folder / "notebooks" / "6_case_study.failed.ipynb").unlink()
    (folder / "run").mkdir()
    record = {"status": "failed", "error": "ValueError in cell 3", "outputs": {}}
    (folder / "run" / "1_data_quality.json").write_text(json.dumps(record))
    assert "Not published: run failed" in row_of(publish(workspace).index, "Cedar Flats").get_text()


@pytest.mark.parametrize("fault", ["failed notebook", "run record", "error output"])
def test_nothing_of_an_earlier_run_is_shown_for_a_site_that_failed_since(workspace, fault):
    before = publish(workspace)
    assert (before.index.parent / "birchwater.html").is_file()
    folder = workspace.outputs("demo", "public") / "birchwater"
    if fault == "failed notebook":
        write_notebook(folder / "notebooks" / "6_case_study.failed.ipynb", case_study())
    elif fault == "run record":
        (folder / "run").mkdir()
        record = {"status": "failed", "error": "ValueError in cell 3"}
        (folder / "run" / "6_case_study.json").write_text(json.dumps(record))
    else:
        write_notebook(folder / "notebooks" / "6_case_study.ipynb", [markdown("# T"), code(error())])
    after = publish(workspace)
    assert not list(after.index.parent.glob("birchwater*"))
    assert "Not published: run failed" in row_of(after.index, "Birchwater").get_text()
    assert (after.index.parent / "alder-park.html").is_file()


def test_every_page_bears_the_mark_the_audience_and_the_way_home(workspace):
    for path in publish(workspace).pages:
        page = web(path)
        assert "Synthetic data" in page.find(class_="mark").get_text()
        assert "Prepared for: public" in page.footer.get_text()
        assert [link.get_text() for link in page.header.find_all("a")][1:] == [
            "Sites",
            "Comparison",
            "Learning review",
        ]


def test_working_pages_are_linked_from_the_foot_of_the_case_study(workspace):
    report = publish(workspace)
    foot = web(report.index.parent / "alder-park.html").find(class_="working")
    assert [link["href"] for link in foot.find_all("a")] == [
        "alder-park.html",
        "alder-park-1-data-quality.html",
        "alder-park-2-turn-the-curve.html",
    ]
    assert foot.find(attrs={"aria-current": "page"})["href"] == "alder-park.html"


def record_run(workspace, notebook="2_turn_the_curve", result="turn_the_curve", place="alder-park"):
    """Leave the record of a run that has saved a result."""
    folder = workspace.outputs("demo", "public") / place
    saved = sorted((folder / "results").glob(f"{result}.*"))
    outputs = {f"any/results/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in saved}
    (folder / "run").mkdir(exist_ok=True)
    record = {"status": "done", "error": "", "outputs": outputs}
    (folder / "run" / f"{notebook}.json").write_text(json.dumps(record), encoding="utf-8")
    return folder / "results" / f"{result}.tidy.csv"


def test_every_estimate_behind_a_page_can_be_had_as_a_table(workspace):
    saved = record_run(workspace)
    report = publish(workspace)
    site = report.index.parent
    assert (site / "alder-park-2-turn-the-curve.csv").read_bytes() == saved.read_bytes()
    assert site / "alder-park-2-turn-the-curve.csv" in report.pages
    head = web(site / "alder-park-2-turn-the-curve.html").find(class_="facts")
    assert head.a["href"] == "alder-park-2-turn-the-curve.csv"
    assert head.a.get_text() == "Every estimate (CSV)"
    assert [path.name for path in site.glob("*.csv")] == ["alder-park-2-turn-the-curve.csv"]


def test_results_of_one_run_share_a_table_under_one_heading(workspace):
    saved = record_run(workspace)
    further = saved.with_name("its_sensitivity.tidy.csv")
    further.write_text(saved.read_text(encoding="utf-8").replace("turn_the_curve", "its_sensitivity"))
    record_run(workspace, result="*")
    found = pd.read_csv(publish(workspace).index.parent / "alder-park-2-turn-the-curve.csv")
    assert tuple(found.columns) == TIDY_COLUMNS
    assert found["method"].value_counts().to_dict() == {"turn_the_curve": 3, "its_sensitivity": 3}


@pytest.mark.parametrize("fault", ["changed", "gone"])
def test_a_table_that_is_not_what_its_run_saved_is_not_published(workspace, fault):
    saved = record_run(workspace)
    if fault == "gone":
        saved.unlink()
    else:
        saved.write_text(saved.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    report = publish(workspace)
    assert not [*report.index.parent.glob("*.csv"), *report.index.parent.glob("alder-park-2*")]
    problem = "alder-park/turn_the_curve.tidy.csv: is not what its run saved; run it again"
    assert problem in report.problems


def test_an_executed_notebook_that_somebody_changed_is_not_published(workspace):
    record_run(workspace)
    folder = workspace.outputs("demo", "public") / "alder-park"
    path, record = folder / "notebooks" / "2_turn_the_curve.ipynb", folder / "run" / "2_turn_the_curve.json"
    run = json.loads(record.read_text(encoding="utf-8"))
    name = f"outputs/demo/public/alder-park/notebooks/{path.name}"
    run["outputs"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.write_text(json.dumps(run), encoding="utf-8")
    problem = "alder-park/2_turn_the_curve.ipynb: is not what its run saved; run it again"
    assert problem not in publish(workspace).problems
    path.write_text(path.read_text(encoding="utf-8").replace("Every year.", "Every day."), encoding="utf-8")
    report = publish(workspace)
    assert problem in report.problems
    assert not [*report.index.parent.glob("alder-park-2*")]


def test_only_the_formats_asked_for_are_made(workspace):
    report = publish(workspace, formats=("html", "docx"))
    assert {path.suffix for path in report.pages} == {".html", ".docx"}
    assert "alder-park.pdf" not in report.index.read_text(encoding="utf-8")


def test_the_folder_holds_the_website_and_nothing_half_done(workspace):
    report = publish(workspace, formats=ALL)
    assert sorted(report.index.parent.iterdir()) == sorted(report.pages)
    outputs = workspace.outputs("demo", "public")
    assert not [path for path in outputs.iterdir() if path.name.startswith(".")]


def forget_pages(workspace):
    """Have the next publication render every page, as if none had been made before."""
    (workspace.outputs("demo", "public") / "pages.json").unlink()


def test_two_runs_give_the_same_bytes(workspace):
    before = {path.name: path.read_bytes() for path in publish(workspace, formats=ALL).pages}
    forget_pages(workspace)
    after = {path.name: path.read_bytes() for path in publish(workspace, formats=ALL).pages}
    assert before == after


def test_a_publication_that_breaks_off_leaves_the_website_as_it_was(workspace, monkeypatch):
    report = publish(workspace)
    before = {path.name: path.read_bytes() for path in report.pages}

    forget_pages(workspace)

    def break_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pandoc, "render", break_off)
    with pytest.raises(KeyboardInterrupt):
        publish(workspace)
    assert {path.name: path.read_bytes() for path in report.index.parent.iterdir()} == before
    assert not list(workspace.outputs("demo", "public").glob(".site*"))


def test_an_exchange_cut_short_is_put_right_by_the_next_run(workspace, monkeypatch):
    site = publish(workspace).index.parent
    forget_pages(workspace)
    site.rename(site.with_name(".site-previous"))

    def refuse(self, page, surround, *, to, folder):
        raise PublishError("the disk is full")

    monkeypatch.setattr(Pandoc, "render", refuse)
    with pytest.raises(PublishError):
        publish(workspace)
    assert (site / "index.html").is_file()
    assert not list(site.parent.glob(".site*"))


def test_a_page_that_cannot_be_made_is_left_out_and_never_linked(workspace, monkeypatch):
    honest = Pandoc.render

    def stumble(self, page, surround, *, to, folder):
        if page.name == "comparison" or (page.name == "birchwater" and to == "pdf"):
            raise PublishError(f"{page.name}: no {to} today")
        return honest(self, page, surround, to=to, folder=folder)

    monkeypatch.setattr(Pandoc, "render", stumble)
    report = publish(workspace, formats=ALL)
    assert not list(report.index.parent.glob("comparison*"))
    assert not list(report.index.parent.glob("birchwater*"))
    assert "Not published: the page could not be made" in row_of(report.index, "Birchwater").get_text()
    assert "comparison.html" not in "".join(
        path.read_text("utf-8") for path in report.pages if path.suffix == ".html"
    )
    assert "birchwater: no pdf today" in report.problems


def test_where_no_page_can_be_made_the_reason_is_raised(workspace, monkeypatch):
    def refuse(self, page, surround, *, to, folder):
        raise PublishError(f"{page.name}: the disk is full")

    monkeypatch.setattr(Pandoc, "render", refuse)
    with pytest.raises(PublishError, match="the disk is full"):
        publish(workspace)
    assert not (workspace.outputs("demo", "public") / "site").exists()


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"formats": ("html", "odt")}, "unknown format 'odt'"),
        ({"audience": "partners"}, "nothing has been run for the audience 'partners'"),
    ],
)
def test_what_cannot_be_published_is_refused_with_the_mend(workspace, choice, sentence):
    with pytest.raises(PublishError, match=sentence):
        publish(workspace, **choice)


def test_an_unknown_renderer_is_refused(workspace):
    with pytest.raises(PublishError, match="unknown renderer 'word'"):
        publish_network(workspace, network="demo", renderer="word")


def test_a_network_with_nothing_made_up_bears_no_mark(workspace):
    real = dataclasses.replace(
        workspace, networks={"demo": demo_network().model_copy(update={"synthetic": False, "name": "Three"})}
    )
    run_by_hand(workspace.outputs("demo", "public"), "alder-park")
    for path in publish(real).pages:
        assert "ynthetic" not in web(path).get_text()
