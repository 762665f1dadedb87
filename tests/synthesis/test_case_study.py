import re
from pathlib import Path

import pandas as pd
import pytest

from evalkit.equity import equity_gaps
from evalkit.indicators import IndicatorTable
from evalkit.parameters import Network
from evalkit.results import Result, tidy_frame
from evalkit.sites import Partner, PublishedFigure, Site, Solution, Target
from evalkit.sources import Source
from evalkit.synthesis import case_study

NAN = float("nan")
PARTS = (
    *("headline", "finding", "place", "indicators", "definitions", "story", "comparison", "gaps"),
    *("two_generation", "contribution", "claims", "partners", "partnership", "voices", "not_shown"),
    *("methods", "reproduce"),
)
CAUSAL = re.compile(r"\b(caused|led to|due to|because of the work)\b", re.IGNORECASE)


def curve(*, generation: str = "child", blurred: bool = False) -> Result:
    """Graduation from 60.0% (2018) to 70.0% (2024), +10.0 (2.0 to 18.0); blurred: +8.0 to +12.0."""
    indicator = "graduation_rate" if generation == "child" else "caregiver_employed"
    key = {
        "method": "turn_the_curve",
        "indicator": indicator,
        "site_id": "alder",
        "unit_id": "all",
        "population": "target_school",
        "dimension": "all",
        "subgroup": "All",
        "period": "2024",
    }
    change = [{"term": "change_from_baseline", "estimate": 10.0, "conf_low": 2.0, "conf_high": 18.0}]
    if blurred:
        change = [
            {"term": "change_worst_case", "estimate": 8.0, "conf_low": -1.0, "conf_high": 17.0},
            {"term": "change_best_case", "estimate": 12.0, "conf_low": 3.0, "conf_high": 21.0},
        ]
    rows = [
        key | {"term": "verdict", "note": "cannot be told" if blurred else "turned"},
        key | {"term": "baseline_forecast", "estimate": 61.0, "conf_low": 54.0, "conf_high": 68.0},
        *(key | {"unit": "percentage points"} | row for row in change),
    ]
    cells = [("2018", 60.0, 62.0 if blurred else 60.0), ("2024", 70.0, 72.0 if blurred else 70.0)]
    middle = [("2020", 63.0, 63.0)]
    glance = {
        "indicator": indicator,
        "population": "target_school",
        "baseline": "2018",
        "last_period": "2024",
        "target": 75.0,
        "target_period": "2025",
        "verdict": "cannot be told" if blurred else "turned",
        "verdict_because": "the last value beats the forecast's interval",
        "endpoint": "",
        "sources": "state",
    }
    augment = pd.DataFrame(
        [
            {"indicator": indicator, "period": period, "low": low, "high": high}
            for period, low, high in sorted(cells + middle)
        ]
    )
    return Result(
        method="turn_the_curve",
        title="",
        design={},
        tidy=tidy_frame(rows),
        glance=pd.DataFrame([glance]),
        augment=augment,
    )


@pytest.fixture
def site() -> Site:
    return Site(
        site_id="alder",
        name="Alder Park",
        headline=("graduation_rate",),
        start="2019",
        partners=(
            Partner(
                partner_id="school",
                name="Alder High",
                solutions=(
                    Solution(
                        solution_id="coach", name="Coaching", kind="program", indicators=("graduation_rate",)
                    ),
                ),
            ),
        ),
        targets=(Target(indicator="graduation_rate", period="2025", value=75),),
        published_figures=(
            PublishedFigure(indicator="graduation_rate", period="2018", value=60, source="its report"),
            PublishedFigure(indicator="graduation_rate", period="2024", value=70, source="its report"),
        ),
    )


@pytest.fixture
def compose(dictionary, site):
    def make(results, *, site=site, synthetic=False, **more):
        network = Network(
            network_id="demo",
            name="Demo",
            synthetic=synthetic,
            sources=(Source(source_id="state", kind="tidy", label="State records"),),
            sites={site.site_id: site},
        )
        return case_study(site, results, dictionary, network=network, audience="public", **more)

    return make


def test_the_headline_names_what_turned(compose):
    study = compose({"turn_the_curve": curve()})
    assert study.headline.paragraphs == ("Alder Park: 1 of 1 indicators has turned (Graduation).",)


def test_the_first_page_gives_every_number_with_its_interval(compose):
    text = repr(compose({"turn_the_curve": curve()}).finding)
    assert "70.0% in 2023-24; in 2017-18 it was 60.0%" in text
    assert "+10.0 points (2.0 to 18.0), a change for the better" in text
    assert "61.0% (54.0 to 68.0) would be expected" in text
    assert "The target of 75.0% for 2024-25 is not met" in text


def test_the_table_of_indicators_says_what_the_first_page_says(compose):
    study = compose({"turn_the_curve": curve()})
    row = study.indicators.frame.iloc[0]
    assert row["Baseline"] == "60.0% (2017-18)"
    assert row["Latest"] == "70.0% (2023-24)"
    assert row["Target"] == "75.0% (2024-25): not met"
    assert row["Change (95% interval)"] == "+10.0 points (2.0 to 18.0)"
    assert row["Has the curve turned?"] == "turned"
    definition = study.definitions.frame.iloc[0]
    assert "regular high school diploma" in definition["Numerator"]
    assert "cohort" in definition["Denominator"]
    assert definition["Indicator"].endswith("(GPRA 2011: G6; GPRA 2016: 4; StriveTogether: 4)")
    assert definition["Source"] == "State records"


def test_blurred_counts_stay_two_ends_to_the_last_page(compose):
    study = compose({"turn_the_curve": curve(blurred=True)})
    text = repr(study.finding)
    assert "Between 70.0 and 72.0% in 2023-24" in text
    assert "+8.0 points (−1.0 to 17.0) to +12.0 points (3.0 to 21.0)" in text
    assert "clear only if the hidden counts lie at their best" in text
    assert study.indicators.frame.loc[0, "Latest"] == "70.0 to 72.0% (2023-24)"
    assert "+10" not in text


def test_the_published_figures_are_held_against_the_data_and_the_missing_year_is_named(compose):
    text = repr(compose({"turn_the_curve": curve()}).voices)
    assert "the published figures fit the data in 2017-18 and 2023-24" in text
    assert "They leave out 2019-20 (in the data 63.0%)" in text


def test_a_published_figure_that_does_not_fit_is_named(compose, site):
    wrong = site.model_copy(
        update={
            "published_figures": (
                PublishedFigure(indicator="graduation_rate", period="2024", value=80, source="its report"),
            )
        }
    )
    text = repr(compose({"turn_the_curve": curve()}, site=wrong).voices)
    assert "do not fit the data in 2023-24" in text


def test_one_generation_is_not_called_two_generation(compose):
    note = compose({"turn_the_curve": curve()}).two_generation.note
    assert "children only" in note
    assert "not a two-generation finding" in note


def test_what_is_not_on_file_is_said_and_not_made_up(compose):
    bare = Site(site_id="alder", name="Alder Park", headline=("graduation_rate",))
    study = compose({"turn_the_curve": curve()}, site=bare)
    assert "do not say who leads the work, when the work began" in repr(study.place)
    assert study.partners.empty == "No partner is on file for this site."
    assert "none are made up" in repr(study.voices)
    assert "Not on file for this site, so not shown: solutions and partners, targets" in repr(study.not_shown)


def test_partners_are_listed_with_what_they_do_for_which_indicator(compose):
    row = compose({}).partners.frame.iloc[0]
    assert row.tolist() == ["Alder High", "Coaching", "program", "Graduation", "not on file"]


def test_release_notes_and_hashes_are_shown(compose):
    study = compose({}, release_notes=["3 cells hidden."], inputs={"data/a.csv": "ab" * 32})
    assert study.not_shown.paragraphs[0] == "3 cells hidden."
    reproduce = study.reproduce.frame.set_index("What")["Version or hash"]
    assert reproduce["data/a.csv"] == "abababababab"
    assert reproduce["Command"] == "evalkit run --network demo --site alder --audience public --data DIR"


def test_a_file_whose_hash_is_not_shown_is_named_and_the_reason_given(compose):
    table = compose({}, inputs={"data/a.csv": "", "data_dictionary/b.yml": "ab" * 32}).reproduce
    entries = table.frame.set_index("What")["Version or hash"]
    assert (entries["data/a.csv"], entries["data_dictionary/b.yml"]) == ("–", "abababababab")
    assert "The evaluators keep the hash of files that hold small numbers" in table.note
    assert "evaluators" not in compose({}, inputs={"data/a.csv": "ab" * 32}).reproduce.note


@pytest.mark.parametrize(
    "results", [{}, {"turn_the_curve": curve()}, {"turn_the_curve": curve(blurred=True)}]
)
def test_every_part_can_be_shown_whatever_is_missing_and_none_claims_a_cause(compose, results):
    study = compose(results)
    for part in PARTS:
        shown = getattr(study, part)
        assert shown._repr_html_()
        assert not CAUSAL.search(repr(shown)), part
        assert "nan" not in re.sub(r"<[^>]+>", "", shown._repr_html_()).lower().split(), part


def test_a_chart_without_data_says_so(compose):
    assert "nothing to draw" in repr(compose({}).curve)
    assert "No theory of change" in repr(compose({}).theory)


def test_groups_are_drawn_of_an_indicator_that_has_them_and_of_none_where_none_has(compose, dictionary, site):
    cell = {"site_id": "alder", "population": "target_school", "period": "2024", "denominator": 90}
    total = cell | {"indicator": "graduation_rate", "dimension": "all", "subgroup": "All", "numerator": 60}
    split = cell | {"indicator": "chronic_absence", "dimension": "income"}
    parts = [("low income", 40), ("not low income", 20)]
    groups = [split | {"subgroup": name, "numerator": count} for name, count in parts]

    def composed(rows):
        table = IndicatorTable.from_frame(pd.DataFrame(rows), dictionary=dictionary)
        gaps = equity_gaps(table, site, references={"income": "not low income"})
        return compose({"turn_the_curve": curve(), "equity_gaps": gaps})

    assert "Students who miss a tenth or more" in composed([total, *groups]).groups.alt
    study = composed([total])
    assert repr(study.groups) == ""
    assert "No indicator of this site is split into subgroups" in repr(study.gaps_that_matter)


def test_a_fictional_site_is_called_fictional_first(compose):
    assert "fictional" in compose({"turn_the_curve": curve()}, synthetic=True).finding.paragraphs[0]


def test_text_from_parameters_cannot_become_markup(compose):
    sly = Site(site_id="alder", name="<script>alert(1)</script>", headline=("graduation_rate",))
    study = compose({"turn_the_curve": curve()}, site=sly)
    assert all("<script>" not in getattr(study, part)._repr_html_() for part in PARTS)


def test_the_case_of_o_connell_high_gives_the_worked_numbers():
    root = Path(__file__).resolve().parents[2]
    data = root.parent / "shared" / "data" / "edfacts_acgr"
    if not data.is_dir():
        pytest.skip("the EDFacts files are not beside this checkout")
    from evalkit.its import turn_the_curve
    from evalkit.site_data import read_site_table
    from evalkit.workspace import find_workspace

    home = find_workspace(root)
    network = home.network("promise-neighborhoods")
    mission = network.site("mission")
    table, _ = read_site_table(home, network, mission, data=str(data))
    results = {"turn_the_curve": turn_the_curve(table, mission)}
    study = case_study(mission, results, home.dictionary, network=network, audience="public")
    text = repr(study.finding)
    # Worked by hand beside the files: Newcombe intervals of the worst and the best case, two endpoints.
    assert "+10.8 points (−2.5 to 22.8) to +18.3 points (5.0 to 30.0)" in text
    assert "worst case +15.8 points, 95% interval 3.9 to 26.8" in text
    assert "best case +23.8 points, 95% interval 12.0 to 34.5" in text
    assert "They leave out 2014-15" in repr(study.voices)
