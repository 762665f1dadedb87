"""Rivals measured in made-up results; expected numbers by hand, the composition split from definition D10."""

import math

import pandas as pd
import pytest
from made_up_town import changed, site_with, time_series

from evalkit.charts.style import alt_text
from evalkit.contribution import contribution_analysis
from evalkit.contribution.rival_tests import expected_regression, read_size
from evalkit.contribution.rivals import kitagawa_error
from evalkit.results import Result, tidy_frame


def measured(results, dictionary, model=None):
    model = model or changed()
    result = contribution_analysis(site_with(model), results, audience="public", dictionary=dictionary)
    return result, result.frames["rival_tests"].set_index("rival_type")


def with_comparison(estimate, low, high):
    results = time_series()
    series = results["interrupted_time_series"]
    row = series.tidy.iloc[0].to_dict() | {"site_id": "made-up-comparison"}
    row |= {"estimate": estimate, "conf_low": low, "conf_high": high}
    series.tidy.loc[1] = row
    return results


@pytest.mark.parametrize(
    ("size", "reading"),
    [
        ((5, 1, 9), "could explain it"),
        ((3, 1, 5), "explains a part"),
        ((1, -2, 4), "too small to explain it"),
        ((1, -2, 6), "cannot be told"),
        ((math.nan, math.nan, math.nan), "cannot be told"),
    ],
)
def test_a_rival_is_read_by_its_interval_and_half_the_change(size, reading):
    assert read_size(*size, change=10) == reading


def test_the_comparison_that_improved_as_much_holds_the_claim_back(dictionary):
    before, _ = measured(time_series(), dictionary)
    after, tests = measured(with_comparison(-7, -9, -4), dictionary)
    assert before.glance["class"].iloc[0] == "strongly supported"
    assert after.glance["class"].iloc[0] == "possible"
    assert "a trend in the whole region could account for at least half" in after.glance["reason"].iloc[0]
    row = tests.loc["regional_trend"]
    assert (row["estimate"], row["conf_low"], row["conf_high"]) == (7, 4, 9)
    assert "7.0 points (4.0 to 9.0) of improvement beside the 8.0 observed; could explain it." in (
        after.summary()
    )


def test_a_comparison_that_stood_still_does_not_raise_the_class(dictionary):
    result, tests = measured(with_comparison(0.5, -2, 3), dictionary)
    assert tests.loc["regional_trend", "reading"] == "too small to explain it"
    assert result.glance["class"].iloc[0] == "strongly supported"


def equity(rows):
    columns = ["indicator", "dimension", "subgroup", "period", "rate", "denominator", "status"]
    frame = pd.DataFrame(rows, columns=columns)
    return Result(method="equity_gaps", title="", design={}, tidy=tidy_frame([]), augment=frame)


def test_composition_is_kitagawas_split_of_the_groups(dictionary):
    # Shares .5/.5 to .4/.6, rates 60/80 to 70/85: the mix alone raises the rate by 1.75 points, which for
    # chronic absence is no improvement.
    rows = [
        ("chronic_absence", "income", group, period, rate, count, "reported")
        for period, cells in (("2018", ((60, 500), (80, 500))), ("2022", ((70, 400), (85, 600))))
        for group, (rate, count) in zip(("low", "high"), cells, strict=True)
    ]
    _, tests = measured(time_series() | {"equity_gaps": equity(rows)}, dictionary)
    row = tests.loc["composition"]
    assert row["estimate"] == pytest.approx(-1.75)
    error = kitagawa_error([500, 500], [400, 600], [0.6, 0.8], [0.7, 0.85])
    assert row["conf_high"] == pytest.approx(-1.75 + 195.996398 * error, abs=1e-5)
    # By hand: mid rates .65 and .825 differ by .175; shares vary by .25/1000 and .24/1000; the moved tenth
    # of the mix carries the variances of the four rates.
    mix = 0.175**2 * (0.25 + 0.24) / 1000
    rates = 0.1**2 / 4 * (0.24 / 500 + 0.16 / 500 + 0.21 / 400 + 0.1275 / 600)
    assert error == pytest.approx(math.sqrt(mix + rates))


def test_composition_cannot_be_split_where_a_group_is_hidden(dictionary):
    rows = [
        ("chronic_absence", "income", "low", "2018", 60, 500, "reported"),
        ("chronic_absence", "income", "high", "2018", math.nan, math.nan, "suppressed"),
        ("chronic_absence", "income", "low", "2022", 60, 500, "reported"),
        ("chronic_absence", "income", "high", "2022", 80, 500, "reported"),
    ]
    _, tests = measured(time_series() | {"equity_gaps": equity(rows)}, dictionary)
    assert "composition" not in tests.index


def quality(findings):
    frame = pd.DataFrame(findings, columns=["kind", "indicator", "period", "finding"])
    tidy = tidy_frame([])
    return Result(method="data_quality", title="", design={}, tidy=tidy, frames={"findings": frame})


@pytest.mark.parametrize(
    ("finding", "reading"),
    [
        (("denominator_jump", "chronic_absence", "2021", "from 400 to 520"), "worth looking into"),
        (("denominator_jump", "chronic_absence", "2015", "from 400 to 520"), "nothing found"),
        (("suppressed", "chronic_absence", "2021", "one"), "nothing found"),
        (("break", "graduation_rate", "2021", "new rule"), "nothing found"),
    ],
)
def test_definition_and_roster_are_read_from_the_check_of_the_data(finding, reading, dictionary):
    _, tests = measured(time_series() | {"data_quality": quality([finding])}, dictionary)
    assert tests.loc["definition_or_roster", "reading"] == reading


def series_before(values):
    results = time_series()
    frame = pd.DataFrame(
        {
            "indicator": "chronic_absence",
            "site_id": "made-up",
            "period": [str(2013 + step) for step in range(len(values))] + ["2022"],
            "observed": [*values, 26.0],
            "fitted": 30.0,
            "is_post": [False] * len(values) + [True],
            "counterfactual": 34.0,
        }
    )
    series = results["interrupted_time_series"]
    return {"interrupted_time_series": Result(**{**vars(series), "augment": frame})}


def test_an_unusually_bad_last_year_could_explain_a_recovery(dictionary):
    _, usual = measured(series_before([30.1, 29.9, 30.2, 29.8, 30.1, 30.0]), dictionary)
    assert usual.loc["regression_to_mean", "reading"] == "too small to explain it"
    _, bad = measured(series_before([30.1, 29.9, 30.2, 29.8, 30.1, 37.0]), dictionary)
    assert bad.loc["regression_to_mean", "estimate"] == pytest.approx(7)
    assert bad.loc["regression_to_mean", "reading"] == "could explain it"


def test_those_who_entered_low_would_have_regained_a_part_by_themselves(dictionary):
    # Entered 20 below the mean on a test of reliability .7: 6 points come back by themselves.
    assert expected_regression(80, 100, 0.7) == pytest.approx(6)
    score = {"solution": "coaching", "indicator": "chronic_absence", "entry_mean": 80, "reliability": 0.7}
    entry = [score | {"population_mean": 100, "later_mean": 90}]
    result, tests = measured(time_series(), dictionary, changed(entry_scores=entry))
    assert tests.loc["regression_to_mean", "reading"] == "could explain it"
    assert result.glance["class"].iloc[0] == "possible"


def test_chance_is_measured_by_the_width_of_the_interval(dictionary):
    _, tests = measured(time_series(), dictionary)
    assert tests.loc["chance", "estimate"] == pytest.approx(3)
    assert tests.loc["chance", "reading"] == "too small to explain it"


def test_the_chart_draws_each_size_with_its_interval_beside_the_change(dictionary):
    result, _ = measured(with_comparison(-7, -9, -4), dictionary)
    axes = result.plot(chart="rivals")
    spans = [tuple(map(float, line.get_xdata())) for line in axes.get_lines()]
    assert (4, 9) in spans
    assert (8, 8) in spans
    assert any("A trend in the whole region:\ncould explain it" in text.get_text() for text in axes.texts)
    assert alt_text(axes) == (
        "Size of each rival explanation, as improvement. Chronic absence, a trend in the whole region: "
        "7.0 (4.0 to 9.0) beside 8.0 observed, could explain it."
    )
    assert axes.get_xlabel() == "Improvement (percentage points)"


def test_the_chart_says_so_where_nothing_is_measured(dictionary):
    result, _ = measured(time_series(), dictionary)
    assert "No saved result measures the size" in alt_text(result.plot(chart="rivals"))
