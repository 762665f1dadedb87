import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from evalkit.dictionary import DataDictionary
from evalkit.its import turn_the_curve
from evalkit.its.chance import _chance
from evalkit.its.design import Design, segmented_design
from evalkit.its.window import Window
from evalkit.results import Result
from evalkit.simulate import simulate_series

from .tables import aim, bounded, counted, place, years

VALUES = [60.1, 60.9, 60.4, 60.8, 60.3, 61.0, 64.0, 66.1, 67.8, 70.2, 72.1, 73.8]


def chance(result: Result, term: str) -> pd.Series:
    found = result.tidy[result.tidy["term"] == term]
    assert len(found) == 1
    return found.iloc[0]


def test_a_course_that_leads_past_the_target_is_likelier_to_reach_it_than_the_earlier_trend(
    dictionary: DataDictionary,
) -> None:
    result = turn_the_curve(counted(years(VALUES), dictionary), place(targets=(aim(77.4, "2026"),)))
    course, earlier = (chance(result, f"chance_of_target{end}") for end in ("", "_earlier_trend"))
    assert 0.3 < course["estimate"] < 0.98
    assert earlier["estimate"] < 0.2
    assert (course["unit"], course["period"]) == ("probability", "2026")
    text = result.summary()
    assert "Were its course since the start to go on, the chance of reaching the target by 2025-26" in text
    assert f"{100 * course['estimate']:.0f}%" in text


def test_the_direction_decides_which_side_of_the_target_counts(dictionary: DataDictionary) -> None:
    falling = [100 - value for value in VALUES]
    table = counted(years(falling), dictionary, indicator="chronic_absence")
    down = turn_the_curve(table, place(targets=(aim(24.0, "2026", "chronic_absence"),)))
    up = turn_the_curve(counted(years(VALUES), dictionary), place(targets=(aim(76.0, "2026"),)))
    assert chance(down, "chance_of_target")["estimate"] == pytest.approx(
        chance(up, "chance_of_target")["estimate"], abs=1e-6
    )


def test_the_chance_is_near_that_of_the_textbook_prediction(dictionary: DataDictionary) -> None:
    result = turn_the_curve(counted(years(VALUES), dictionary), place(targets=(aim(77.0, "2026"),)))
    clock, post = np.arange(12.0), (np.arange(12) >= 6).astype(float)
    x = np.stack([np.ones(12), clock, post, post * (clock - 6)], axis=1)
    line = sm.OLS(np.array(VALUES), x).fit().get_prediction(np.array([[1.0, 13, 1, 7]]))
    spread = line.se_obs[0]
    expected = stats.t.sf((77.0 - line.predicted_mean[0]) / spread, 8)
    # the textbook takes the autocorrelation to be 0; integrating over it moves the chance towards a half
    assert chance(result, "chance_of_target")["estimate"] == pytest.approx(expected, abs=0.12)


def test_what_comes_is_as_often_beyond_a_value_as_its_chance_says() -> None:
    # the value after next of 600 AR(1) series: the chance of at least what came is even from 0 to 1
    y = simulate_series(n_series=600, n_pre=8, n_post=8, rho=0.3, seed=9)
    whole = segmented_design(16, start=8)
    design = Design(whole.terms, whole.matrix[:14], 8)
    found = []
    for row in y:
        window = Window(
            "", "year", pd.period_range("2001", periods=14, freq="Y"), row[:14], row[:14],
            np.ones(14, dtype=bool), np.zeros(14, dtype=bool), None,
        )  # fmt: skip
        found.append(_chance(window, design, whole.matrix[15], 14, 15, float(row[15]), "higher")[0])
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        # a Monte-Carlo error of at most 2 points; integrating over the autocorrelation errs on the wide side
        assert abs(np.mean(np.array(found) < share) - share) < 0.06


def test_without_a_course_one_trend_is_carried_on_and_said_to_be(dictionary: DataDictionary) -> None:
    result = turn_the_curve(counted(years(VALUES), dictionary), place(None, targets=(aim(76.0, "2026"),)))
    row = chance(result, "chance_of_target")
    assert "one trend through all values" in row["note"]
    assert "chance_of_target_earlier_trend" not in set(result.tidy["term"])
    assert "its trend over all years" in result.summary()
    short = turn_the_curve(counted(years(VALUES[:4]), dictionary), place(None, targets=(aim(76.0, "2026"),)))
    assert "too few values" in chance(short, "chance_of_target")["note"]


def test_a_target_whose_period_is_known_needs_no_chance(dictionary: DataDictionary) -> None:
    result = turn_the_curve(counted(years(VALUES), dictionary), place(targets=(aim(70.0, "2024"),)))
    assert not result.tidy["term"].str.startswith("chance").any()


def test_bounds_give_a_least_and_a_most_favourable_chance(dictionary: DataDictionary) -> None:
    cells = [(str(2013 + k), 200, int(2 * value), int(2 * value) + 8) for k, value in enumerate(VALUES)]
    result = turn_the_curve(bounded(cells, dictionary), place(targets=(aim(77.0, "2026"),)))
    worst, best = (
        chance(result, f"chance_of_target_{case}")["estimate"] for case in ("worst_case", "best_case")
    )
    assert 0 <= worst < best <= 1
