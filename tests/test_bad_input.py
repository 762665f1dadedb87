"""Every kind of bad input, met as a person meets it: `evalkit check` on a workspace of their own."""

import shutil
from pathlib import Path

import pytest

from evalkit.audit import check_workspace, unseen_data
from evalkit.cli import main
from evalkit.errors import ParameterError
from evalkit.views import open_site, withheld_from
from evalkit.workspace import find_workspace

ROOT = Path(__file__).parents[1]

NETWORK = """network_id: little
name: Little
sources:
  - {source_id: registry, kind: tidy, path: indicators.csv}
"""
SITE = """site_id: oak
name: Oak
headline: [graduation_rate]
baselines:
  - {indicator: graduation_rate, period: 2012}
"""
HEADER = "indicator,site_id,population,period,dimension,subgroup,numerator,denominator\n"
GOOD = (
    HEADER
    + "graduation_rate,oak,target_school,2012,all,All,60,100\n"
    + "graduation_rate,oak,target_school,2013,all,All,66,100\n"
)
DATA = "data/indicators.csv"
OAK = "parameters/little/sites/oak.yml"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "data_dictionary", tmp_path / "data_dictionary")
    (tmp_path / "notebooks").mkdir()
    sites = tmp_path / "parameters" / "little" / "sites"
    sites.mkdir(parents=True)
    (sites.parent / "network.yml").write_text(NETWORK, encoding="utf-8")
    (sites / "oak.yml").write_text(SITE, encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "indicators.csv").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything_under(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def check(capsys):
    code = main(["check", "--network", "little", "--data", "data"])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out + said.err


def test_a_good_workspace_has_no_problem(workspace, capsys):
    assert check(capsys)[0] == 0


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        (DATA, None, None, "indicators.csv"),
        (DATA, "numerator", "numertor", "did you mean 'numerator'"),
        (DATA, "60,100", "sixty,100", "line 2"),
        (DATA, "66,100", "166,100", "line 3: graduation_rate, oak, All, 2013: numerator 166 is above"),
        (DATA, "2013,all", "2012,all", "line 3: the same key as line 2"),
        (
            DATA,
            "graduation_rate,oak",
            "gradution_rate,oak",
            "line 2: unknown indicator 'gradution_rate'; did",
        ),
        (DATA, "2013,all,All", "2013,race_ethnicity,Latino", "line 3: unknown subgroup 'Latino'"),
        (DATA, "oak", "elm", "oak: the data hold no row of this site"),
        (DATA, GOOD, HEADER, "indicators.csv"),
        (OAK, "site_id: oak", "site_id: 06037", "oak.yml, line 1: `site_id` is the number 06037; quote it"),
        (OAK, "name: Oak", "name: [Oak", "not valid YAML"),
        (OAK, "headline:", "headlin:", "oak.yml, line 3: unknown key 'headlin'; did you mean 'headline'?"),
        ("parameters/little/network.yml", "kind: tidy", "kind: tidi", "network.yml, line 4"),
        (
            "data_dictionary/indicators.yml",
            "favourable: higher",
            "favourable: hihger",
            "indicators.yml, line",
        ),
        ("data_dictionary/dimensions.yml", "dimensions:", "dimensons:", "did you mean 'dimensions'?"),
    ],
)
def test_check_finds_it_says_where_and_writes_nothing(workspace, capsys, path, old, new, words):
    target = workspace / path
    if old is None:
        target.unlink()
    else:
        text = target.read_text(encoding="utf-8")
        assert old in text
        target.write_text(text.replace(old, new, -1 if old == "oak" else 1), encoding="utf-8")
    before = everything_under(workspace)
    code, said = check(capsys)
    assert code == 1
    assert words in said
    assert everything_under(workspace) == before


def test_check_tells_the_problems_of_all_files_at_once(workspace, capsys):
    (workspace / "parameters" / "little" / "sites" / "elm.yml").write_text(
        "site_id: 7\nname: Elm\n", encoding="utf-8"
    )
    text = (workspace / "parameters" / "little" / "sites" / "oak.yml").read_text(encoding="utf-8")
    (workspace / "parameters" / "little" / "sites" / "oak.yml").write_text(
        text + "stage: done\n", encoding="utf-8"
    )
    _, said = check(capsys)
    assert "elm.yml, line 1" in said
    assert "oak.yml, line 6" in said


def test_a_site_opens_for_one_audience_and_small_cells_stay_hidden(workspace):
    small = "graduation_rate,oak,target_school,2013,race_ethnicity,Latinx,3,7\n"
    (workspace / "data" / "indicators.csv").write_text(GOOD + small, encoding="utf-8")
    public = open_site(network="little", site_id="oak", audience="public", data="data")
    internal = open_site(network="little", site_id="oak", audience="internal", data="data")
    hidden = public.table.where(subgroup="Latinx").frame.iloc[0]
    shown = internal.table.where(subgroup="Latinx").frame.iloc[0]
    assert hidden["status"] == "suppressed"
    assert hidden[["numerator", "denominator"]].isna().all()
    assert shown["numerator"] == 3


@pytest.mark.parametrize("today", ["tomorrow", "2026-02-30", "30.9.2026"])
def test_what_is_no_day_is_refused_also_where_there_are_no_agreements(workspace, today):
    with pytest.raises(ParameterError, match="is not a day; write it as 2026-09-30"):
        open_site(network="little", site_id="oak", data="data", today=today)
    with pytest.raises(ParameterError, match="is not a day; write it as 2026-09-30"):
        withheld_from("public", network="little", site_id="oak", data="data", today=today)


@pytest.mark.parametrize("taken", ["network", "index", "nul"])
def test_check_tells_of_an_id_that_is_not_free(workspace, capsys, taken):
    (workspace / OAK).rename(workspace / OAK.replace("oak", taken))
    (workspace / OAK.replace("oak", taken)).write_text(SITE.replace("oak", taken), encoding="utf-8")
    code, said = check(capsys)
    assert code == 1
    assert f"{taken}.yml, line 1: `site_id`: '{taken}' is the name of " in said


def add_site(workspace, name):
    (workspace / OAK.replace("oak", name)).write_text(SITE.replace("oak", name), encoding="utf-8")


def test_check_tells_a_problem_of_the_whole_network_once(workspace):
    add_site(workspace, "elm")
    (workspace / DATA).write_text(GOOD.replace("66,100", "166,100"), encoding="utf-8")
    told = check_workspace(find_workspace(workspace), network="little", data="data")
    assert len(told) == 1
    assert "line 3: graduation_rate, oak, All, 2013: numerator 166 is above" in told[0]
    (workspace / DATA).write_text(GOOD.replace("oak", "ash"), encoding="utf-8")
    assert check_workspace(find_workspace(workspace), network="little", data="data") == [
        "elm and oak: the data hold no row of this site; check its ids and its sources"
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            HEADER.replace("population", "unit_id,population")
            + "graduation_rate,oak,0123,target_school,2012,all,All,60,100\n",
            "oak: the headline indicator graduation_rate has rows of single units only in registry, and no "
            "curve can be made of them; add up the units to rows of the whole site (unit_id 'all'), or map a "
            "table of the whole site without unit_id",
        ),
        (
            HEADER + "graduation_rate,oak,target_school,2012,income,low income,60,100\n",
            "oak: the headline indicator graduation_rate has rows of subgroups only in registry, and no "
            "curve can be made of them; add the rows of everyone (dimension 'all', subgroup 'All')",
        ),
        (
            HEADER + "chronic_absence,oak,target_school,2012,all,All,60,100\n",
            "oak: the headline indicator graduation_rate has no row in the data; add its rows, or take it "
            "out of `headline`",
        ),
    ],
)
def test_check_tells_of_a_headline_indicator_of_which_no_curve_can_be_made(workspace, table, words):
    (workspace / DATA).write_text(table, encoding="utf-8")
    assert check_workspace(find_workspace(workspace), network="little", data="data") == [words]


def test_check_of_all_networks_names_those_whose_files_it_could_not_look_at(workspace):
    home = find_workspace(workspace)
    assert check_workspace(home) == []
    assert unseen_data(home) == [
        "little: its data were not looked at, because they are files and there is no folder "
        "outputs/little/data; say where they are: `evalkit check --network little --data DIR`"
    ]
    (workspace / "outputs" / "little").mkdir(parents=True)
    (workspace / "data").rename(workspace / "outputs" / "little" / "data")
    assert check_workspace(home) == unseen_data(home) == []


def test_the_workspace_is_found_from_a_folder_inside_it(workspace, monkeypatch):
    monkeypatch.chdir(workspace / "parameters" / "little")
    assert find_workspace().root == workspace.resolve()


AGREEMENT = """data_agreements:
  - agreement_id: dsa-2024
    source: registry
    parties: [Hub, Schools]
    audiences: [partners]
    expires: 2026-09-30
"""


def test_check_tells_what_ends_soon_and_what_no_agreement_allows(workspace):
    with (workspace / "parameters" / "little" / "network.yml").open("a", encoding="utf-8") as stream:
        stream.write(AGREEMENT)
    home = find_workspace(workspace)
    told = check_workspace(home, network="little", data="data", today="2026-08-01")
    assert told == [
        "network.yml: data agreement dsa-2024 (Hub, Schools) ends on 2026-09-30, in 60 days; renew it",
        "oak, for public: graduation_rate by all: not shared, because no data agreement on the source "
        "registry allows it for this audience",
    ]
    assert len(check_workspace(home, network="little", data="data", today="2026-10-01")) == 4


def test_a_site_shows_nothing_once_its_agreement_has_ended(workspace):
    with (workspace / "parameters" / "little" / "network.yml").open("a", encoding="utf-8") as stream:
        stream.write(AGREEMENT)
    opened = {"network": "little", "site_id": "oak", "audience": "partners", "data": "data"}
    before = open_site(**opened, today="2026-09-30")
    assert before.table.frame["status"].eq("reported").all()
    assert before.release.record["agreements"] == ["dsa-2024"]
    after = open_site(**opened, today="2026-10-01")
    assert after.table.frame["status"].eq("suppressed").all()
    assert "ended on 2026-09-30" in " ".join(after.release.explanation())


def test_an_agreement_on_no_source_is_told_with_its_line(workspace, capsys):
    with (workspace / "parameters" / "little" / "network.yml").open("a", encoding="utf-8") as stream:
        stream.write(AGREEMENT.replace("registry", "registri"))
    code, said = check(capsys)
    assert code == 1
    assert "network.yml, line 7: unknown source 'registri'; did you mean 'registry'?" in said
