import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evalkit.dictionary import Break, DataDictionary
from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries, IndicatorTable
from evalkit.its import fit_series, interrupted_time_series, pooled_family
from evalkit.its.timing import first_post_period
from evalkit.results import TIDY_COLUMNS, Result, read_result, save_result

from .tables import bounded, counted, place, years

HISTORY = [61.0, 60.2, 61.1, 62.3, 61.8, 62.6]
RISE = [68.0, 69.4, 69.1, 71.0, 72.2, 72.9]


def series_of(table: IndicatorTable, indicator: str = "graduation_rate") -> IndicatorSeries:
    return table.series(indicator, site_id="place")


def row(result: Result, term: str, site_id: str = "place") -> pd.Series:
    found = result.tidy[(result.tidy["term"] == term) & (result.tidy["site_id"] == site_id)]
    assert len(found) == 1
    return found.iloc[0]


def test_estimates_are_in_percentage_points_and_agree_with_statsmodels(dictionary: DataDictionary) -> None:
    table = counted(years(HISTORY + RISE), dictionary)
    result = fit_series(series_of(table), interruption=pd.Period("2019", "Y"), method="ols")
    clock, post = np.arange(12.0), (np.arange(12) >= 6).astype(float)
    reference = sm.OLS(
        np.array(HISTORY + RISE), np.stack([np.ones(12), clock, post, post * (clock - 6)], axis=1)
    ).fit()
    for place_, term in [(1, "pre_trend"), (2, "level_change"), (3, "slope_change")]:
        assert row(result, term)["estimate"] == pytest.approx(reference.params[place_], rel=1e-8)
        assert row(result, term)["conf_low"] == pytest.approx(reference.conf_int()[place_][0], rel=1e-8)
    # the last period is the sixth post period, so its clock reads 5; the average clock reads 2.5
    level, slope = reference.params[2], reference.params[3]
    assert row(result, "effect_last")["estimate"] == pytest.approx(level + 5 * slope, rel=1e-8)
    assert row(result, "effect_average")["estimate"] == pytest.approx(level + 2.5 * slope, rel=1e-8)
    expected = reference.params[0] + 11 * reference.params[1]
    ratio = row(result, "relative_effect_last")
    assert ratio["estimate"] == pytest.approx((expected + level + 5 * slope) / expected, rel=1e-8)
    assert ratio["conf_low"] < ratio["estimate"] < ratio["conf_high"]
    assert row(result, "level_change")["unit"] == "percentage points"
    assert row(result, "slope_change")["unit"] == "percentage points per period"
    assert row(result, "level_change")["period"] == "2019"
    assert tuple(result.tidy.columns) == TIDY_COLUMNS


def test_augment_holds_the_fit_and_the_earlier_trend_carried_on(dictionary: DataDictionary) -> None:
    result = fit_series(
        series_of(counted(years(HISTORY + RISE), dictionary)), interruption=pd.Period("2019", "Y")
    )
    frame = result.augment
    assert frame["period"].tolist() == [str(year) for year in range(2013, 2025)]
    assert frame.loc[~frame["is_post"], "counterfactual"].isna().all()
    last = frame.iloc[-1]
    assert last["fitted"] - last["counterfactual"] == pytest.approx(row(result, "effect_last")["estimate"])
    assert last["counterfactual_low"] < last["counterfactual"] < last["counterfactual_high"]
    assert last["observed"] == pytest.approx(72.9)


@pytest.mark.parametrize(
    ("values", "start", "reason"),
    [
        (years([60, 61.5, 62]) | years([63, 66, 65.2], 2016), "2016", "3 periods before 2015-16 and 3"),
        (years([60, 61.5, 62, 64.2, 63]), "2017", "4 periods before 2016-17 and 1"),
        (years([60, 61.5, 62, 64.2, 63, 66]), "2030", "outside the window, 2012-13 to 2017-18"),
        (years([60, 61.5, 62, 64.2, 63, 66]), "2013", "outside the window"),
        (years([60, 61, 62, 63, 64, 65, 66]), "2017", "exactly on the fitted line"),
    ],
)
def test_a_design_that_cannot_answer_is_refused_with_the_reason(
    values: dict[str, float], start: str, reason: str, dictionary: DataDictionary
) -> None:
    table = counted(values, dictionary)
    with pytest.raises(DesignError, match=reason):
        fit_series(series_of(table), interruption=pd.Period(start, "Y"))


def test_a_definition_break_inside_the_window_is_refused(dictionary: DataDictionary) -> None:
    series = series_of(counted(years(HISTORY + RISE), dictionary))
    broken = series.indicator.model_copy(update={"breaks": (Break(period="2016", reason="a new test"),)})
    crossing = IndicatorSeries(broken, *[getattr(series, name) for name in FIELDS], series.frame)
    with pytest.raises(DesignError, match=r"definition changes in 2015-16 .a new test"):
        fit_series(crossing, interruption=pd.Period("2019", "Y"))


FIELDS = ("site_id", "unit_id", "population", "dimension", "subgroup")


def test_a_series_that_is_hidden_throughout_is_refused(dictionary: DataDictionary) -> None:
    hidden = years([1.0] * 8)
    table = counted(hidden, dictionary, hidden=list(hidden))
    with pytest.raises(DesignError, match="hidden or missing"):
        fit_series(series_of(table), interruption=pd.Period("2017", "Y"))


def test_hidden_years_are_gaps_and_stay_in_augment(dictionary: DataDictionary) -> None:
    table = counted(years(HISTORY + RISE), dictionary, hidden=["2015", "2022"])
    result = fit_series(series_of(table), interruption=pd.Period("2019", "Y"))
    assert row(result, "level_change")["n"] == 10
    assert result.augment.set_index("period").loc["2015", "status"] == "suppressed"
    assert np.isnan(result.augment.set_index("period").loc["2015", "observed"])
    assert np.isfinite(result.augment.set_index("period").loc["2022", "counterfactual"])


def test_bounds_give_a_worst_and_a_best_case_that_hold_every_series_inside_them(
    dictionary: DataDictionary,
) -> None:
    cells = [(str(2013 + k), 100, low, low + 6) for k, low in enumerate([60, 59, 62, 61, 63, 70, 68, 72, 75])]
    table = bounded(cells, dictionary)
    result = fit_series(series_of(table), interruption=pd.Period("2018", "Y"), method="ols")
    worst, best = row(result, "level_change_worst_case"), row(result, "level_change_best_case")
    assert np.isnan(row(result, "level_change")["estimate"])
    assert "bounds" in row(result, "level_change")["note"]
    # by least squares the level change is linear in the values: its weights give the exact ends by hand
    clock, post = np.arange(9.0), (np.arange(9) >= 5).astype(float)
    x = np.stack([np.ones(9), clock, post, post * (clock - 5)], axis=1)
    weights = np.linalg.pinv(x)[2]
    low, high = np.array([cell[2] for cell in cells]), np.array([cell[3] for cell in cells])
    assert worst["estimate"] == pytest.approx(weights @ np.where(weights > 0, low, high))
    assert best["estimate"] == pytest.approx(weights @ np.where(weights > 0, high, low))


def test_integrated_bounds_hold_what_random_values_inside_them_give(dictionary: DataDictionary) -> None:
    cells = [(str(2013 + k), 100, low, low + 8) for k, low in enumerate([60, 59, 62, 61, 63, 70, 68, 72])]
    result = fit_series(series_of(bounded(cells, dictionary)), interruption=pd.Period("2018", "Y"))
    low, high = (row(result, f"effect_last_{case}")["estimate"] for case in ("worst_case", "best_case"))
    rng = np.random.default_rng(4)
    for _ in range(40):
        drawn = {period: rng.integers(a, b + 1) for period, _, a, b in cells}
        inside = counted(drawn, dictionary, denominator=100)
        one = fit_series(series_of(inside), interruption=pd.Period("2018", "Y"))
        assert low - 1e-6 <= row(one, "effect_last")["estimate"] <= high + 1e-6


def test_where_lower_is_better_the_worst_case_is_the_highest(dictionary: DataDictionary) -> None:
    cells = [(str(2013 + k), 100, low, low + 5) for k, low in enumerate([30, 31, 29, 30, 28, 22, 20, 21])]
    table = bounded(cells, dictionary, indicator="chronic_absence")
    result = fit_series(series_of(table, "chronic_absence"), interruption=pd.Period("2018", "Y"))
    assert (
        row(result, "level_change_worst_case")["estimate"] > row(result, "level_change_best_case")["estimate"]
    )
    assert "lower is better" in result.summary()


def months(level: float, trend: float, seed: int) -> dict[str, float]:
    """Attendance September to June with a known season, a jump of `level` in September 2018, and noise."""
    season = {9: 1.0, 10: 0.8, 11: 0.0, 12: -0.6, 1: -1.0, 2: -0.9, 3: 0.1, 4: 0.2, 5: 0.2, 6: 0.2}
    rng = np.random.default_rng(seed)
    span = pd.period_range("2014-09", "2022-06", freq="M")
    return {
        str(month): 91
        + season[month.month]
        + trend * clock
        + (level if str(month) >= "2018-09" else 0)
        + rng.normal(0, 0.2)
        for clock, month in enumerate(span)
        if month.month in season
    }


def test_a_monthly_series_is_fitted_around_its_school_season(dictionary: DataDictionary) -> None:
    table = counted(months(1.5, 0.01, seed=3), dictionary, indicator="attendance_rate", denominator=100_000)
    result = interrupted_time_series(table, place("2019"))
    level = row(result, "level_change")
    assert level["period"] == "2018-09"
    assert level["conf_low"] <= 1.5 <= level["conf_high"]
    assert level["conf_high"] - level["conf_low"] < 0.8
    assert set(result.augment["period"].str[-2:]) == {
        "09",
        "10",
        "11",
        "12",
        "01",
        "02",
        "03",
        "04",
        "05",
        "06",
    }
    assert "month" in str(result.design["season"])


def test_a_season_seen_only_once_before_the_start_is_refused(dictionary: DataDictionary) -> None:
    values = {month: value for month, value in months(1.0, 0.0, seed=5).items() if month >= "2017-09"}
    table = counted(values, dictionary, indicator="attendance_rate", denominator=100_000)
    result = interrupted_time_series(table, place("2019"))
    assert "season cannot be told" in row(result, "level_change")["note"]


@pytest.mark.parametrize(
    ("start", "frequency", "expected"),
    [
        ("2019", "school_year", pd.Period("2019", "Y")),
        ("2018-09", "school_year", pd.Period("2019", "Y")),
        ("2019-05", "school_year", pd.Period("2019", "Y")),
        ("2019", "month", pd.Period("2018-07", "M")),
        ("2019-Q3", "month", pd.Period("2019-07", "M")),
        ("2019", "quarter", pd.Period("2018Q3", "Q")),
        ("2018-09", "year", pd.Period("2018", "Y")),
    ],
)
def test_the_declared_start_is_taken_to_the_frequency_of_the_series(
    start: str, frequency: str, expected: pd.Period
) -> None:
    assert first_post_period(start, frequency) == expected


def test_the_comparison_site_is_fitted_beside_the_site(dictionary: DataDictionary) -> None:
    own = counted(years(HISTORY + RISE), dictionary)
    other = counted(
        years([60, 61, 60.2, 61.4, 61.1, 61.9, 62.0, 62.8, 62.3, 63.1, 63.4, 63.2]),
        dictionary,
        site_id="place-comparison",
    )
    result = interrupted_time_series(IndicatorTable.concat([own, other]), place())
    assert row(result, "level_change")["conf_low"] > 0
    assert row(result, "level_change", "place-comparison")["conf_low"] < 0
    assert result.glance["site_id"].tolist() == ["place", "place-comparison"]
    assert "comparison site" in result.summary()


def test_indicators_that_cannot_be_answered_keep_their_rows_and_their_reason(
    dictionary: DataDictionary,
) -> None:
    table = IndicatorTable.concat(
        [
            counted(years(HISTORY + RISE), dictionary),
            counted(years([40.0, 42, 41], 2018), dictionary, indicator="ela_proficient"),
        ]
    )
    result = interrupted_time_series(table, place(headline=("ela_proficient",)))
    assert result.glance["indicator"].tolist() == ["ela_proficient", "graduation_rate"]
    refused = result.tidy[result.tidy["indicator"] == "ela_proficient"]
    assert refused["estimate"].isna().all()
    assert refused["note"].str.contains("at least 4 before").all()
    assert "no interrupted time series" in result.narrative[0]
    assert (result.augment["indicator"] == "ela_proficient").sum() == 3


def test_mixed_populations_and_a_missing_start_are_notes(dictionary: DataDictionary) -> None:
    mixed = IndicatorTable.concat(
        [
            counted(years(HISTORY + RISE), dictionary),
            counted(years(HISTORY + RISE), dictionary, population="served"),
        ]
    )
    assert "served and target_school" in interrupted_time_series(mixed, place()).tidy["note"].iloc[0]
    without = interrupted_time_series(counted(years(HISTORY + RISE), dictionary), place(None))
    assert "declares no start" in without.tidy["note"].iloc[0]
    absent = interrupted_time_series(
        counted(years(HISTORY), dictionary), place(), indicators=["ela_proficient"]
    )
    assert "no rows" in absent.tidy["note"].iloc[0]


def test_a_refused_series_has_every_column_of_a_fitted_one_so_that_the_network_can_be_compared(
    dictionary: DataDictionary,
) -> None:
    fitted = interrupted_time_series(counted(years(HISTORY + RISE), dictionary), place())
    schools = counted(years(HISTORY + RISE), dictionary).frame.assign(unit_id="0123")
    table = IndicatorTable.from_frame(schools, dictionary=dictionary)
    by_school = interrupted_time_series(table, place(), indicators=["graduation_rate"])
    assert by_school.glance["refused"].str.contains("no rows").all()
    assert list(by_school.glance.columns) == list(fitted.glance.columns)
    results = {"place": {by_school.method: by_school}}
    assert pooled_family(results)["place"][by_school.method] is by_school


def test_an_empty_table_gives_an_empty_result(dictionary: DataDictionary) -> None:
    table = counted(years(HISTORY + RISE), dictionary, site_id="elsewhere")
    result = interrupted_time_series(table, place())
    assert result.tidy.empty
    assert result.summary() == ""


def test_the_story_carries_the_numbers_of_its_table_and_no_causal_word(dictionary: DataDictionary) -> None:
    result = interrupted_time_series(counted(years(HISTORY + RISE), dictionary), place())
    text, level = result.summary(), row(result, "level_change")
    assert f"+{level['estimate']:.1f} points" in text
    assert f"{level['conf_low']:.1f} to {level['conf_high']:.1f}".replace("-", "−") in text
    assert "integrating over" in text
    for word in ("caused", "led to", "due to", "impact", "because of the"):
        assert word not in text


def test_a_wandering_series_is_flagged_in_words(dictionary: DataDictionary) -> None:
    walk = 50 + np.random.default_rng(12).normal(0, 1.5, 40).cumsum()
    table = counted(years(list(walk), 1980), dictionary)
    result = interrupted_time_series(table, place("2000"))
    assert result.glance["rho_flagged"].iloc[0]
    assert "may wander" in result.summary()


def test_neither_table_nor_series_is_changed_and_the_result_repeats(dictionary: DataDictionary) -> None:
    table = counted(years(HISTORY + RISE), dictionary)
    before = table.frame
    first, second = (interrupted_time_series(table, place()) for _ in range(2))
    pd.testing.assert_frame_equal(table.frame, before)
    pd.testing.assert_frame_equal(first.tidy, second.tidy)
    assert first.summary() == second.summary()


def test_a_result_survives_its_files(tmp_path, dictionary: DataDictionary) -> None:  # type: ignore[no-untyped-def]
    result = interrupted_time_series(counted(years(HISTORY + RISE), dictionary), place())
    save_result(result, tmp_path, inputs={})
    again = read_result(tmp_path, "interrupted_time_series")
    pd.testing.assert_frame_equal(again.tidy, result.tidy)
    assert again.plot().get_title(loc="left") == result.plot().get_title(loc="left")
