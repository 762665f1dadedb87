"""The main job from end to end, as a person runs it: notebooks, results, pages."""

import re
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from evalkit.cli import main
from evalkit.results import read_result
from evalkit.workspace import init_workspace

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return init_workspace(tmp_path_factory.mktemp("home") / "workspace").root


@pytest.fixture(scope="module")
def demo(workspace):
    code = main(["run", "--network", "demo", "--site", "alder-park", "--workspace", str(workspace)])
    assert code == 0
    return workspace / "outputs" / "demo" / "public"


@pytest.fixture(scope="module")
def promise(workspace, edfacts_folder):
    arguments = ["run", "--network", "promise-neighborhoods", "--data", str(edfacts_folder)]
    assert main([*arguments, "--site", "mission", "--workspace", str(workspace)]) == 0
    return workspace / "outputs" / "promise-neighborhoods" / "public"


def words_of(page: Path) -> str:
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return re.sub(r"\s+", " ", soup.get_text(" "))


def test_the_demo_publishes_every_format_and_marks_each_as_synthetic(demo):
    site = demo / "site"
    assert "Synthetic data" in words_of(site / "index.html")
    assert "Synthetic data" in words_of(site / "alder-park.html")
    assert all("Synthetic data" in page.extract_text() for page in PdfReader(site / "alder-park.pdf").pages)
    with zipfile.ZipFile(site / "alder-park.docx") as archive:
        headers = [archive.read(name).decode() for name in archive.namelist() if "header" in name]
    assert any("Synthetic data" in header for header in headers)


def test_a_site_that_was_not_run_is_listed_and_not_linked(demo):
    index = BeautifulSoup((demo / "site" / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert "Birchwater (fictional)" in index.get_text()
    assert not index.find("a", href="birchwater.html")
    assert index.find("a", href="alder-park.html")


def test_every_picture_of_a_case_study_says_its_finding_in_words(demo):
    page = BeautifulSoup((demo / "site" / "alder-park.html").read_text(encoding="utf-8"), "html.parser")
    pictures = page.find_all("img")
    assert len(pictures) >= 3
    assert all(len(picture.get("alt", "")) > 40 for picture in pictures)


def test_the_pages_hold_no_path_of_the_machine_and_no_word_of_cause(demo, workspace):
    for page in sorted((demo / "site").glob("*.html")):
        words = words_of(page)
        assert str(workspace) not in page.read_text(encoding="utf-8")
        assert not re.search(r"\b(caused|led to|due to)\b", words), page.name
        assert " nan " not in words.lower()


def test_nothing_was_to_do_the_second_time(demo, workspace, capsys):
    arguments = ["run", "--network", "demo", "--site", "alder-park", "--workspace", str(workspace)]
    assert main(arguments) == 0
    assert "done in" not in capsys.readouterr().out


def test_results_read_back_are_what_the_case_study_tells(demo):
    curve = read_result(demo / "alder-park" / "results", "turn_the_curve")
    rows = curve.tidy.set_index(["indicator", "term"])
    change = rows.loc[("kindergarten_ready", "change_from_baseline")]
    last = change[change["period"] == change["period"].max()].iloc[0]
    assert f"+{last['estimate']:.1f} points" in words_of(demo / "site" / "alder-park.html")


def test_the_workbench_runs_by_hand_with_its_defaults(demo, workspace, tmp_path):
    import papermill

    executed = papermill.execute_notebook(
        str(workspace / "notebooks" / "explore.ipynb"),
        str(tmp_path / "explore.ipynb"),
        cwd=str(workspace),
        progress_bar=False,
    )
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


def test_the_case_study_of_o_connell_shows_bands_endpoints_and_the_comparison_trap(promise):
    words = words_of(promise / "site" / "mission.html")
    # The worked case beside the files: feasible graduates of 108 and of 71, and the two endpoints.
    assert "between 64.8 and 69.4%" in words
    assert "between 80.3 and 83.1%" in words.replace("Between", "between")
    assert "worst case +15.8 points, 95% interval 3.9 to 26.8" in words
    assert "best case +23.8 points, 95% interval 12.0 to 34.5" in words
    assert "worst case +10.8 points, 95% interval −2.5 to 22.8" in words
    assert "The conclusion depends on the endpoint" in words
    # The comparison trap: 16 schools with a cohort in every year, 22 listed in every year.
    assert "only the 16 schools" in words
    assert "22 schools are listed in every year" in words
    assert "between +10.1 and +20.5 points" in words
    assert "between +19.2 and +30.3 points" in words
    assert "between +18.8 and +29.4 points" in words


def test_what_edfacts_does_not_say_is_left_out_and_said_so(promise):
    words = words_of(promise / "site" / "mission.html")
    assert "The records used here do not say who leads the work" in words
    assert "no theory of change or evidence log has been supplied" in words
    assert "this is not a two-generation finding" in words


def test_init_ships_what_the_repository_holds(workspace):
    for part in ("data_dictionary", "notebooks", "parameters"):
        for path in sorted((ROOT / part).rglob("*.*")):
            if path.is_file() and ".ipynb_checkpoints" not in path.parts:
                assert (workspace / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
