"""Gaps before and after a start: arithmetic by hand, the frames of interrupted time series, and reasons."""

import numpy as np
import pandas as pd
import pytest
from maple_cells import cell, hidden

from evalkit.equity import equity_gaps
from evalkit.equity.before_after import before_and_since, gap_before_after
from evalkit.errors import ParameterError


def gaps(differences, errors, first=2015):
    return pd.DataFrame(
        {
            "indicator": "kindergarten_ready", "population": "resident", "dimension": "race_ethnicity",
            "subgroup": "Black", "reference": "White", "unit": "percentage points",
            "period": [str(first + at) for at in range(len(differences))],
            "difference": differences, "std_error": errors,
        }
    )  # fmt: skip


def told(frame, **choice):
    return gap_before_after(frame, **({"start": "2017"} | choice)).set_index("term")


def test_the_change_is_the_weighted_mean_after_less_that_before():
    # Weights 1/4 and 1/16 before: (−20/4 − 15/16) / (5/16) = −19; after −10 with error 2/√2.
    found = told(gaps([-20.0, -15, -10, -10], [2.0, 4, 2, 2]))
    assert found.loc["gap_before", "estimate"] == pytest.approx(-19)
    assert found.loc["gap_after", "estimate"] == pytest.approx(-10)
    assert found.loc["gap_change", "estimate"] == pytest.approx(9)
    # Scatter before: (1/4 + 16/16) / 1 = 1.25 times the variance 16/5.
    assert found.loc["gap_before", "std_error"] == pytest.approx((16 / 5 * 1.25) ** 0.5)
    assert found.loc["gap_change", "std_error"] == pytest.approx((4 + 2) ** 0.5)
    assert found.loc["gap_change", "conf_low"] == pytest.approx(9 - 1.959964 * 6**0.5, abs=1e-5)


def test_series_of_both_sides_are_subtracted_where_they_exist():
    common = {"indicator": "kindergarten_ready", "population": "resident", "dimension": "race_ethnicity"}
    tidy = pd.DataFrame(
        [
            {**common, "subgroup": who, "term": term, "estimate": value, "std_error": error, "n": 12,
             "unit": "percentage points"}
            for who, term, value, error in (
                ("Black", "level_change", 6.0, 3.0), ("White", "level_change", 2.0, 4.0),
                ("Black", "slope_change", 1.0, 0.5),
            )
        ]
    )  # fmt: skip
    found = told(gaps([-20.0, -15, -10], [2.0, 4, 2]), interrupted=tidy)
    assert found.loc["gap_level_change", ["estimate", "std_error"]].tolist() == [4, 5]
    assert np.isnan(found.loc["gap_slope_change", "estimate"])
    assert found.loc["gap_slope_change", "note"].startswith("no interrupted time series of both")


def test_a_side_without_an_exact_gap_says_so():
    found = told(gaps([np.nan, np.nan, -10], [np.nan, np.nan, 2.0]))
    assert found.loc["gap_before", "note"] == "no exact gap before 2017"
    assert np.isnan(found.loc["gap_change", "estimate"])
    assert found.loc["gap_change", "note"] == "no exact gap before 2017"
    assert "2 periods hidden" in found.loc["gap_after", "note"]


def test_it_reads_the_frame_of_the_gaps_of_a_site(table_of, maple):
    rows = [
        item
        for year, black in (("2015", 30), ("2016", 33), ("2017", 36), ("2018", 39))
        for item in (
            cell("White", 60, 80, period=year),
            cell("Black", black, 60, period=year),
            hidden("Asian", period=year),
        )
    ]
    result = equity_gaps(table_of(rows), maple, references={"race_ethnicity": "White"})
    found = gap_before_after(result.frames["gaps"], start="2017").set_index(["subgroup", "term"])
    # Gaps −25, −20, −15, −10 with nearly equal errors.
    assert found.loc[("Black", "gap_change"), "estimate"] == pytest.approx(10, abs=0.1)
    assert found.loc[("Asian", "gap_change"), "note"].startswith(
        "no exact gap before 2017; no exact gap after"
    )


def test_a_reader_gets_a_row_per_gap_with_the_reason_where_there_is_no_change(table_of, maple):
    rows = [
        item
        for year, black in (("2015", 30), ("2016", 30), ("2017", 36))
        for item in (
            cell("White", 60, 80, period=year),
            cell("Black", black, 60, period=year),
            hidden("Asian", period=year),
        )
    ]
    result = equity_gaps(table_of(rows), maple, references={"race_ethnicity": "White"})
    found = before_and_since(result.frames["gaps"], start="2017").set_index("subgroup_label")
    assert found.index.tolist() == ["Asian", "Black"]
    black = found.loc["Black"]
    # 50 − 75 in both years before, 60 − 75 since.
    assert black[["before", "since", "change"]].tolist() == pytest.approx([-25, -15, 10])
    assert black["conf_low"] < 10 < black["conf_high"]
    assert black[["short_label", "reference_label", "note"]].tolist() == ["Kindergarten ready", "White", ""]
    assert found.loc["Asian", ["before", "since", "change"]].isna().all()
    assert found.loc["Asian", "note"] == "no exact gap before 2017; no exact gap after 2017"


def test_a_frame_of_something_else_is_refused():
    with pytest.raises(ParameterError, match="no column 'std_error'"):
        gap_before_after(gaps([1.0], [1.0]).drop(columns="std_error"), start="2017")


def test_a_site_without_a_start_is_told_so_in_every_row():
    found = gap_before_after(gaps([1.0], [1.0]), start=None)
    assert len(found) == 1
    assert found["estimate"].isna().all()
    assert set(found["note"]) == {"the site declares no start, so there is no before and after"}
