"""The contract with the quarto command, held against a fake that keeps it and misbehaves on request."""

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest
from by_hand import case_study, write_notebook
from reading import pdf_alts, pdf_text, squeezed, web, word, word_alts, word_text

from evalkit.errors import PublishError
from evalkit.publish import publish_network
from evalkit.publish.notebooks import read_page
from evalkit.publish.pages import Link, Surround
from evalkit.publish.pandoc import Pandoc, pandoc_program
from evalkit.publish.quarto import Quarto, find_quarto
from evalkit.publish.renderers import choose_renderer

SURROUND = Surround(network="Demo", audience="public", synthetic=True, nav=(Link("Sites", "index.html"),))
FAKE = Path(__file__).with_name("fake_quarto.py")


@pytest.fixture
def quarto(tmp_path, monkeypatch):
    """Put the fake where QUARTO_PATH names it."""
    program = tmp_path / "bin" / "quarto"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("QUARTO_PATH", str(program))
    monkeypatch.setenv("FAKE_QUARTO_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAKE_QUARTO_PANDOC", pandoc_program())
    return program


@pytest.fixture
def page(tmp_path):
    notebook = tmp_path / "alder-park" / "notebooks" / "6_case_study.ipynb"
    return read_page(write_notebook(notebook, case_study(partner="<b>Sons</b> *Ltd*")), name="alder-park")


def calls(tmp_path):
    return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def is_running(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_quarto_path_goes_before_path(quarto, tmp_path, monkeypatch):
    other = tmp_path / "other" / "quarto"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_quarto() == str(quarto)
    monkeypatch.delenv("QUARTO_PATH")
    assert find_quarto() == str(other)


def test_auto_takes_quarto_where_it_is_found_and_pandoc_where_not(quarto, monkeypatch, tmp_path):
    assert choose_renderer("auto").name == "quarto"
    monkeypatch.delenv("QUARTO_PATH")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_renderer("auto").name == "pandoc"


def test_quarto_asked_for_and_absent_is_an_error_with_the_mend(monkeypatch, tmp_path):
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PublishError, match=r"was not found; install it .* or use --renderer pandoc"):
        choose_renderer("quarto")


@pytest.mark.parametrize(
    ("version", "is_taken"), [("1.3.450", False), ("1.4.0", True), ("1.10.2", True), ("0.9", False)]
)
def test_a_quarto_older_than_1_4_is_refused(quarto, monkeypatch, version, is_taken):
    monkeypatch.setenv("FAKE_QUARTO_VERSION", version)
    if is_taken:
        assert choose_renderer("quarto").name == "quarto"
    else:
        with pytest.raises(PublishError, match=r"too old, 1\.4 is needed"):
            choose_renderer("quarto")


def test_a_quarto_path_that_does_not_run_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("QUARTO_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(PublishError, match="does not run"):
        choose_renderer("quarto")


def test_each_page_is_rendered_in_a_fresh_folder_away_from_any_project(quarto, page, tmp_path):
    (tmp_path / "_quarto.yml").write_text("project:\n  type: website\n")
    renderer = Quarto.found()
    for to in ("html", "docx"):
        renderer.render(page, SURROUND, to=to, folder=tmp_path)
    first, second = calls(tmp_path)
    assert first["arguments"][:2] == ["render", "page.qmd"]
    assert first["folder"] != second["folder"]
    assert not Path(first["folder"]).exists()


def test_exit_code_zero_without_an_output_is_a_failure(quarto, page, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_QUARTO", "silent")
    with pytest.raises(PublishError, match="quarto made no html"):
        Quarto.found().render(page, SURROUND, to="html", folder=tmp_path)
    assert not (tmp_path / "alder-park.html").exists()


def test_an_error_logged_as_information_is_found(quarto, page, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_QUARTO", "fails")
    with pytest.raises(PublishError, match=r"quarto made no html: Error running filter native\.lua"):
        Quarto.found().render(page, SURROUND, to="html", folder=tmp_path)


def test_a_missing_picture_that_only_the_log_tells_of_is_a_failure(quarto, page, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_QUARTO", "missing")
    with pytest.raises(
        PublishError, match=r"something missing: \[WARNING\] Could not fetch resource curve\.png"
    ):
        Quarto.found().render(page, SURROUND, to="html", folder=tmp_path)
    assert not (tmp_path / "alder-park.html").exists()


def test_a_quarto_that_hangs_is_ended_with_its_children(quarto, page, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_QUARTO", "hang")
    with pytest.raises(PublishError, match="took more than 1 s and was ended"):
        Quarto(str(quarto), time_limit=1).render(page, SURROUND, to="html", folder=tmp_path)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can write everywhere")
def test_a_home_that_cannot_be_written_is_replaced(quarto, page, tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    monkeypatch.setenv("HOME", str(locked))
    Quarto.found().render(page, SURROUND, to="html", folder=tmp_path)
    assert calls(tmp_path)[0]["home"] != str(locked)


def test_an_absent_home_is_replaced(quarto, page, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    Quarto.found().render(page, SURROUND, to="html", folder=tmp_path)
    assert Path(calls(tmp_path)[0]["home"]).name.startswith("evalkit-page-")


def test_both_renderers_give_the_same_page(quarto, page, tmp_path):
    made = {}
    for renderer in (Quarto.found(), Pandoc()):
        folder = tmp_path / renderer.name
        folder.mkdir()
        made[renderer.name] = {
            to: renderer.render(page, SURROUND, to=to, folder=folder)[0] for to in ("html", "pdf", "docx")
        }
    ours, theirs = made["pandoc"], made["quarto"]
    assert theirs["html"].name == ours["html"].name
    for tag in ("h1", "h2", "h3", "caption", "figcaption", "th", "td", "p", "li"):
        texts = [[found.get_text() for found in web(paths["html"]).find_all(tag)] for paths in (ours, theirs)]
        assert texts[0] == texts[1]
        assert texts[0]
    assert [i["alt"] for i in web(ours["html"]).find_all("img")] == [
        i["alt"] for i in web(theirs["html"]).find_all("img")
    ]
    assert word_text(ours["docx"]) == word_text(theirs["docx"])
    assert word_alts(ours["docx"]) == word_alts(theirs["docx"])
    assert [p.style.name for p in word(ours["docx"]).paragraphs] == [
        p.style.name for p in word(theirs["docx"]).paragraphs
    ]
    assert squeezed("".join(pdf_text(ours["pdf"]))) == squeezed("".join(pdf_text(theirs["pdf"])))
    assert pdf_alts(ours["pdf"]) == pdf_alts(theirs["pdf"])


def test_a_whole_network_is_published_through_quarto(quarto, workspace, tmp_path):
    report = publish_network(workspace, network="demo", formats=("html",), renderer="auto")
    assert report.renderer == "quarto"
    assert {Path(call["arguments"][1]).name for call in calls(tmp_path)} == {"page.qmd"}
    named = {path.name for path in report.pages}
    again = publish_network(workspace, network="demo", formats=("html",), renderer="pandoc")
    assert {path.name for path in again.pages} == named
