"""The parameters of networks and sites: what is shipped is right, and what is wrong is told."""

import shutil
from pathlib import Path

import pytest

from evalkit.errors import ParameterError
from evalkit.parameters import read_network
from evalkit.publish import ACROSS
from evalkit.publish.exchange import SITE
from evalkit.sites import RESERVED_FOLDERS, RESERVED_PAGES, reserved_site_id

ROOT = Path(__file__).parents[1]


@pytest.fixture
def network(tmp_path):
    folder = tmp_path / "parameters" / "little"
    (folder / "sites").mkdir(parents=True)
    (folder / "network.yml").write_text("network_id: little\nname: Little\n", encoding="utf-8")
    (folder / "sites" / "oak.yml").write_text("site_id: oak\nname: Oak\nstart: 2019\n", encoding="utf-8")
    return folder


def problems(folder, dictionary=None):
    with pytest.raises(ParameterError) as caught:
        read_network(folder, dictionary=dictionary)
    return caught.value.problems


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("parameters/*/network.yml")))
def test_the_shipped_networks_are_without_a_problem(name, dictionary):
    network = read_network(ROOT / "parameters" / name, dictionary=dictionary)
    assert network.network_id == name
    assert network.sites


def test_a_year_may_be_written_without_quotes_and_becomes_text(network):
    assert read_network(network).sites["oak"].start == "2019"


def test_a_site_of_another_name_than_its_file_is_told(network):
    shutil.copy(network / "sites" / "oak.yml", network / "sites" / "elm.yml")
    (problem,) = problems(network)
    assert problem == "elm.yml, line 1: `site_id` is 'oak' but the file is elm.yml; rename one"


def test_the_problems_of_every_file_are_told_together(network, dictionary):
    (network / "sites" / "oak.yml").write_text("site_id: 12\nname: Oak\nstge: planning\n", encoding="utf-8")
    (network / "sites" / "elm.yml").write_text(
        "site_id: elm\nname: Elm\nheadline: [gradution_rate]\nstage: plan\n", encoding="utf-8"
    )
    found = problems(network, dictionary)
    assert len(found) == 3
    assert found[0].startswith("elm.yml, line 4: `stage` is 'plan'; use one of 'planning'")
    assert found[1].startswith("oak.yml, line 1: `site_id` is the number 12; quote it")
    assert found[2] == "oak.yml, line 3: unknown key 'stge'; did you mean 'stage'?"


def test_an_indicator_that_the_dictionary_does_not_have_is_told_with_its_line(network, dictionary):
    (network / "sites" / "oak.yml").write_text(
        "site_id: oak\nname: Oak\ntargets:\n- indicator: gradution_rate\n  period: 2024\n  value: 90\n",
        encoding="utf-8",
    )
    (problem,) = problems(network, dictionary)
    assert problem == "oak.yml, line 4: unknown indicator 'gradution_rate'; did you mean 'graduation_rate'?"


@pytest.mark.parametrize("bad", ["../oak", "Oak", "", "a/b", "-oak"])
def test_an_id_that_could_leave_its_folder_is_refused(network, bad):
    (network / "sites" / "oak.yml").write_text(f"site_id: '{bad}'\nname: Oak\n", encoding="utf-8")
    assert any("site_id" in problem for problem in problems(network))


@pytest.mark.parametrize("path", ["../rows.csv", "sub/../../rows.csv", "/rows.csv", ".hidden/rows.csv"])
def test_a_file_outside_the_data_folder_or_hidden_in_it_is_refused(network, path):
    (network / "sites" / "oak.yml").write_text(
        f"site_id: oak\nname: Oak\nsources:\n- {{source_id: rows, kind: tidy, path: {path}}}\n"
        f"contribution:\n  question: Did it help?\n  evidence_file: {path}\n",
        encoding="utf-8",
    )
    mend = "outside the data folder, or hidden in it; put the file into the data folder and name it as it"
    assert problems(network) == (
        f"oak.yml, line 4: `path`: '{path}' is {mend} stands there",
        f"oak.yml, line 7: `evidence_file`: '{path}' is {mend} stands there",
    )


def test_every_page_and_folder_that_evalkit_makes_beside_the_sites_is_reserved():
    assert {"index", *ACROSS} == RESERVED_PAGES
    assert {"network", SITE} == RESERVED_FOLDERS


@pytest.mark.parametrize("taken", ["index", "comparison", "learning-review", "network", "site"])
def test_an_id_that_a_page_or_folder_already_has_is_refused(network, taken):
    (network / "sites" / "oak.yml").rename(network / "sites" / f"{taken}.yml")
    (network / "sites" / f"{taken}.yml").write_text(f"site_id: {taken}\nname: Oak\n", encoding="utf-8")
    assert problems(network) == (
        f"{taken}.yml, line 1: `site_id`: '{taken}' is the name of a folder or page that evalkit makes "
        f"itself; choose another id, such as '{taken}-site'",
    )


# "Naming Files, Paths, and Namespaces", Microsoft Learn: these are reserved, with any ending
@pytest.mark.parametrize("device", ["con", "nul", "aux", "prn", "com1", "com9", "lpt1", "lpt9"])
def test_an_id_under_which_windows_opens_a_device_is_refused(network, device):
    (network / "sites" / "oak.yml").write_text(f"site_id: {device}\nname: Oak\n", encoding="utf-8")
    assert problems(network)[0].startswith(f"oak.yml, line 1: `site_id`: '{device}' is the name of a device")


@pytest.mark.parametrize(
    "site_id", ["indexes", "comparison-street", "com", "com10", "lpt", "conway", "network-2"]
)
def test_an_id_that_only_begins_like_a_reserved_one_may_be_had(site_id):
    assert reserved_site_id(site_id) == ""


def test_a_network_is_shown_with_the_sites_only_that_allow_the_audience(network):
    (network / "sites" / "elm.yml").write_text(
        "site_id: elm\nname: Elm\naudiences: [internal, partners]\n", encoding="utf-8"
    )
    whole = read_network(network)
    assert list(whole.shown_to("public").sites) == ["oak"]
    assert list(whole.shown_to("partners").sites) == list(whole.sites) == ["elm", "oak"]


def test_a_probability_outside_its_range_and_a_wrong_period_are_told(network):
    (network / "sites" / "oak.yml").write_text(
        "site_id: oak\nname: Oak\nstart: 2018-19\ncontribution:\n  question: Did it?\n"
        "  hypotheses:\n  - id: main\n    statement: It did.\n    prior_lo: 1.4\n",
        encoding="utf-8",
    )
    found = problems(network)
    assert "oak.yml, line 3" in found[0]
    assert "is not a period" in found[0]
    assert "oak.yml, line 9: `prior_lo` is '1.4'" in found[1]


def test_an_unknown_network_and_one_without_sites_are_told(network):
    with pytest.raises(ParameterError, match="did you mean 'little'"):
        read_network(network.parent / "litle")
    (network / "sites" / "oak.yml").unlink()
    assert problems(network) == ("little: no site files; add little/sites/<site_id>.yml",)
