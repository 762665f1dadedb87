import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evalkit.dictionary import DataDictionary
from evalkit.indicators import IndicatorTable
from evalkit.its import turn_the_curve
from evalkit.its.change import feasible_counts
from evalkit.its.verdict import BEAT, CANNOT, NOT_YET, TURNED, Reading, judge, judge_both
from evalkit.results import Result

from .tables import OCONNELL, aim, bounded, counted, place, since, years

FLAT = [60.1, 59.7, 60.4, 60.0, 59.6, 60.2]
WORSENING = [70.0, 68.9, 68.1, 66.8, 66.1, 64.9]


def row(result: Result, term: str, period: str | None = None) -> pd.Series:
    found = result.tidy[result.tidy["term"] == term]
    found = found if period is None else found[found["period"] == period]
    assert len(found) == 1
    return found.iloc[0]


def verdict_of(values: list[float], dictionary: DataDictionary, **more: str) -> str:
    result = turn_the_curve(counted(years(values), dictionary, **more), place())
    return str(row(result, "verdict")["note"])


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([*FLAT, 64.0, 66.0, 68.5, 71.0, 73.0], TURNED),  # flat before, rising and far above the forecast now
        ([*WORSENING, 66.0, 67.5, 69.0, 70.8, 72.0], TURNED),  # it fell and now it rises
        ([*WORSENING, 64.6, 64.2, 63.9, 63.5, 63.1], BEAT),  # it still falls, but far more slowly
        ([*FLAT, 71.0, 70.8], BEAT),  # too early to speak of a trend
        ([*FLAT, 60.3, 59.9, 60.2, 60.0, 60.1], NOT_YET),
        ([*FLAT, 58.0, 56.0, 54.0, 52.0, 50.0], NOT_YET),  # worse than where it was heading
        (
            [70.0, 77.0, 69.0, 80.0, 73.0, 83.0, 86.0, 88.0, 91.0],
            CANNOT,
        ),  # the interval runs past 100 percent
        ([60.1, 59.7, 60.4, 64.0, 66.0], CANNOT),  # two years before the start
    ],
)
def test_verdicts_follow_their_definitions(
    values: list[float], verdict: str, dictionary: DataDictionary
) -> None:
    start = "2019" if len(values) > 6 else "2016"
    result = turn_the_curve(counted(years(values), dictionary), place(start))
    assert row(result, "verdict")["note"] == verdict


def test_where_lower_is_better_a_fall_turns_the_curve_and_a_rise_does_not(dictionary: DataDictionary) -> None:
    rising = [100 - value for value in WORSENING]
    fall, rise = [32.0, 30.0, 28.5, 27.0, 25.0], [38.0, 41.0, 44.0, 47.0, 50.0]
    assert verdict_of([*rising, *fall], dictionary, indicator="chronic_absence") == TURNED
    assert verdict_of([*rising, *rise], dictionary, indicator="chronic_absence") == NOT_YET


@pytest.mark.parametrize(
    ("actual", "trend", "verdict"),
    [
        (75.0, 1.0, TURNED),
        (75.0, -1.0, BEAT),
        (75.0, np.nan, BEAT),
        (70.0, 1.0, NOT_YET),  # exactly on the end of the interval is inside
        (50.0, 1.0, NOT_YET),
        (np.nan, 1.0, CANNOT),
    ],
)
def test_a_reading_is_judged_by_its_definition(actual: float, trend: float, verdict: str) -> None:
    reading = Reading(actual=actual, low=55.0, high=70.0, post_trend=trend)
    assert judge(reading, favourable="higher", possible=(0, 100))[0] == verdict
    mirrored = Reading(actual=100 - actual, low=30.0, high=45.0, post_trend=-trend)
    assert judge(mirrored, favourable="lower", possible=(0, 100))[0] == verdict


def test_an_interval_past_the_possible_tells_only_of_the_worse() -> None:
    inside = Reading(actual=90.0, low=60.0, high=101.0, post_trend=1.0)
    below = Reading(actual=55.0, low=60.0, high=101.0, post_trend=1.0)
    assert judge(inside, favourable="higher", possible=(0, 100))[0] == CANNOT
    assert judge(below, favourable="higher", possible=(0, 100))[0] == NOT_YET
    assert judge(inside, favourable="higher", possible=(0, np.inf))[0] == NOT_YET


def test_readings_that_differ_cannot_be_told() -> None:
    worst = Reading(actual=69.0, low=55.0, high=70.0, post_trend=1.0)
    best = Reading(actual=74.0, low=55.0, high=70.0, post_trend=1.0)
    verdict, because = judge_both(worst, best, favourable="higher", possible=(0, 100))
    assert verdict == CANNOT
    assert "not yet at worst, turned at best" in because


def test_the_forecast_is_the_earlier_trend_with_an_interval_for_a_new_value(
    dictionary: DataDictionary,
) -> None:
    values = [60.1, 60.9, 62.4, 62.8, 64.3, 65.0, 66.0, 71.0, 75.0]
    result = turn_the_curve(counted(years(values), dictionary), place())
    forecast = row(result, "baseline_forecast")
    line = sm.OLS(np.array(values[:6]), sm.add_constant(np.arange(6.0))).fit()
    textbook = line.get_prediction(np.array([[1.0, 8.0]])).summary_frame(0.05).iloc[0]
    # the autocorrelation is integrated over, so it comes near the least-squares line and is wider than it
    assert forecast["estimate"] == pytest.approx(textbook["mean"], abs=0.5)
    assert (
        forecast["conf_high"] - forecast["conf_low"]
        > textbook["obs_ci_upper"] - textbook["obs_ci_lower"] - 0.2
    )
    difference = row(result, "baseline_forecast_difference")
    assert difference["estimate"] == pytest.approx(75.0 - forecast["estimate"])
    assert difference["conf_low"] == pytest.approx(75.0 - forecast["conf_high"])
    assert difference["conf_high"] == pytest.approx(75.0 - forecast["conf_low"])


def test_the_forecast_goes_on_to_the_year_of_the_target(dictionary: DataDictionary) -> None:
    table = counted(years([*FLAT, 62.0, 64.0, 63.5]), dictionary)
    result = turn_the_curve(table, place(targets=(aim(75.0, "2025"),)))
    frame = result.augment.set_index("period")
    assert frame.index[-1] == "2025"
    assert frame.loc["2025", "status"] == "future"
    assert np.isfinite(frame.loc["2025", "forecast_high"])
    assert frame.loc["2025", "target"] == 75.0
    distance = row(result, "distance_to_target")
    assert distance["estimate"] == pytest.approx(63.5 - 75.0)
    # Wilson 95 % interval of 6,350 of 10,000, by R's prop.test without correction: 62.5517 to 64.4386 percent
    assert distance["conf_low"] == pytest.approx(62.5517 - 75, abs=2e-3)
    assert distance["conf_high"] == pytest.approx(64.4386 - 75, abs=2e-3)
    assert "not met so far" in result.summary()


def test_the_change_from_the_baseline_matches_newcombes_published_interval(
    dictionary: DataDictionary,
) -> None:
    # Newcombe (1998), table II(a): 56/70 less 48/80, method 10: 0.0524 to 0.3339
    frame = counted({"2018": 60.0}, dictionary, denominator=80).frame
    later = counted({"2019": 80.0}, dictionary, denominator=70).frame
    table = IndicatorTable.from_frame(pd.concat([frame, later]), dictionary=dictionary)
    result = turn_the_curve(table, place(None, baselines=(since("2018"),)))
    change = row(result, "change_from_baseline")
    assert change["estimate"] == pytest.approx(20.0)
    assert change["conf_low"] == pytest.approx(5.24, abs=0.005)
    assert change["conf_high"] == pytest.approx(33.39, abs=0.005)


# ../shared/data/SOURCES.md: the case worked by hand
@pytest.mark.parametrize(
    ("period", "case", "expected"),
    [
        ("2016", "worst", (15.8, 3.9, 26.8)),
        ("2016", "best", (23.8, 12.0, 34.5)),
        ("2017", "worst", (10.8, -2.5, 22.8)),
        ("2017", "best", (18.3, 5.0, 30.0)),
    ],
)
def test_bounded_cells_give_the_worst_and_best_change_worked_by_hand(
    period: str, case: str, expected: tuple[float, float, float], dictionary: DataDictionary
) -> None:
    result = turn_the_curve(bounded(OCONNELL, dictionary), place(None, baselines=(since("2012"),)))
    found = row(result, f"change_{case}_case", period)
    np.testing.assert_allclose(
        [found["estimate"], found["conf_low"], found["conf_high"]], expected, atol=0.05
    )
    assert found["unit"] == "percentage points"


def test_the_story_says_when_the_conclusion_depends_on_the_endpoint(dictionary: DataDictionary) -> None:
    result = turn_the_curve(bounded(OCONNELL, dictionary), place(None, baselines=(since("2012"),)))
    text = result.summary()
    assert "The conclusion depends on the endpoint" in text
    assert "measured to 2015-16 the change is better than the baseline even in the worst case" in text
    assert "measured to 2016-17 it is clear only in the best case" in text
    for number in ("+15.8 points", "3.9 to 26.8", "+10.8 points", "−2.5 to 22.8", "+18.3 points"):
        assert number in text
    assert row(result, "verdict")["note"] == CANNOT
    assert "no start" in row(result, "baseline_forecast")["note"]


def test_an_endpoint_that_does_not_matter_is_not_mentioned(dictionary: DataDictionary) -> None:
    cells = [*OCONNELL[:1], ("2016", 300, 270, 275), ("2017", 300, 272, 276)]
    result = turn_the_curve(bounded(cells, dictionary), place(None, baselines=(since("2012"),)))
    assert "endpoint" not in result.summary()


def test_the_edfacts_bands_of_the_worked_case_allow_the_counts_worked_by_hand(
    dictionary: DataDictionary,
) -> None:
    for _, cohort, fewest, most in OCONNELL:
        cell = pd.Series(
            {
                "status": "censored",
                "rate_low": (fewest - 0.4) / cohort,
                "rate_high": (most + 0.4) / cohort,
                "denominator": float(cohort),
            }
        )
        assert feasible_counts(cell) == (fewest, most)


def test_a_bounded_series_with_a_start_gets_a_forecast_at_both_ends(dictionary: DataDictionary) -> None:
    cells = [
        (str(2013 + k), 200, low, low + 8) for k, low in enumerate([120, 119, 121, 122, 120, 150, 158, 165])
    ]
    result = turn_the_curve(bounded(cells, dictionary), place("2018"))
    worst = row(result, "baseline_forecast_difference_worst_case")
    best = row(result, "baseline_forecast_difference_best_case")
    assert worst["estimate"] < best["estimate"]
    assert row(result, "post_trend_worst_case")["estimate"] < row(result, "post_trend_best_case")["estimate"]
    assert result.augment["forecast"].isna().all()
    assert result.augment["forecast_high"].notna().sum() == 3


def test_the_baseline_is_the_last_year_before_the_start_unless_declared(dictionary: DataDictionary) -> None:
    table = counted(years([*FLAT, 62.0, 64.0, 63.5]), dictionary, hidden=["2018"])
    assert turn_the_curve(table, place()).glance["baseline"].iloc[0] == "2017"
    declared = turn_the_curve(table, place(baselines=(since("2014"),)))
    assert declared.glance["baseline"].iloc[0] == "2014"
    hidden = turn_the_curve(table, place(baselines=(since("2018"),)))
    assert "baseline period is hidden" in row(hidden, "change_from_baseline")["note"]
    assert turn_the_curve(table, place(None)).glance["baseline"].iloc[0] == "2013"


def test_moves_are_compared_without_an_interval_of_persons(dictionary: DataDictionary) -> None:
    table = counted(years([120.0, 118, 121, 119, 117, 118, 110, 108, 105]), dictionary, indicator="mobility")
    result = turn_the_curve(table, place())
    change = row(result, "change_from_baseline", "2021")
    assert change["estimate"] == pytest.approx(-13.0)
    assert np.isnan(change["conf_low"])
    assert "events, not persons" in change["note"]


def test_nothing_vanishes_where_there_is_no_row(dictionary: DataDictionary) -> None:
    result = turn_the_curve(counted(years(FLAT), dictionary), place(), indicators=["ela_proficient"])
    assert row(result, "verdict")["note"] == CANNOT
    assert "no rows" in row(result, "change_from_baseline")["note"]
    (words,) = [text.get_text() for text in result.plot().texts]
    assert words.startswith("no rows")
    told = turn_the_curve(counted(years(FLAT), dictionary), place())
    assert set(result.glance.columns) == set(told.glance.columns)


def test_the_table_is_not_changed(dictionary: DataDictionary) -> None:
    table = bounded(OCONNELL, dictionary)
    before = table.frame
    turn_the_curve(table, place("2016"))
    pd.testing.assert_frame_equal(table.frame, before)


def test_days_that_go_together_widen_the_interval_of_a_change(dictionary: DataDictionary) -> None:
    span = [str(period) for period in pd.period_range("2016-01", periods=60, freq="M")]
    rng = np.random.default_rng(6)
    # a standard deviation of 1 point where 90,000 independent days would have 0.1
    values = dict(zip(span, 90 + rng.normal(0, 1.0, 60), strict=True))
    table = counted(values, dictionary, indicator="attendance_rate", denominator=90_000)
    found = turn_the_curve(table, place("2019")).tidy
    change = found[found["term"] == "change_from_baseline"].iloc[-1]
    # the difference of two such months has a standard deviation of √2 points
    assert change["conf_high"] - change["conf_low"] == pytest.approx(2 * 1.96 * np.sqrt(2), rel=0.25)
    assert "days go together" in change["note"]
    persons = turn_the_curve(counted(years([60.0, 61, 60, 62, 61, 60, 66]), dictionary), place())
    assert persons.tidy.loc[persons.tidy["term"] == "change_from_baseline", "note"].eq("").all()
