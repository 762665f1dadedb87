"""The one door for data: what may come in, and what is cut from it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.indicators import IndicatorTable, total_over_units


def rows(**changes):
    frame = {
        "indicator": ["graduation_rate"] * 4,
        "site_id": ["oak"] * 4,
        "unit_id": ["0012", "0013", "0012", "0013"],
        "population": ["target_school"] * 4,
        "period": ["2012", "2012", "2014", "2014"],
        "numerator": [10, np.nan, 5, 7],
        "denominator": [20, 30, 10, 9],
        "lower": [np.nan, 0.5, np.nan, np.nan],
        "upper": [np.nan, 0.6, np.nan, np.nan],
        "status": ["reported", "censored", "reported", "reported"],
    }
    return pd.DataFrame(frame | changes)


@pytest.fixture
def table(dictionary):
    return IndicatorTable.from_frame(rows(), dictionary=dictionary)


def problems(frame, dictionary, **options):
    with pytest.raises(DataError) as caught:
        IndicatorTable.from_frame(frame, dictionary=dictionary, origin="x.csv", **options)
    return caught.value.problems


def test_a_rate_is_derived_from_its_counts_and_a_blurred_one_keeps_its_bounds(table):
    rates = table.rates().set_index(["unit_id", "period"])
    assert rates.loc[("0012", "2012"), "rate"] == 0.5
    assert np.isnan(rates.loc[("0013", "2012"), "rate"])
    assert rates.loc[("0013", "2012"), ["rate_low", "rate_high"]].tolist() == [0.5, 0.6]
    assert rates.loc[("0012", "2012"), ["rate_low", "rate_high"]].tolist() == [0.5, 0.5]


def test_the_table_keeps_its_own_copy(dictionary):
    frame = rows()
    before = frame.copy()
    table = IndicatorTable.from_frame(frame, dictionary=dictionary)
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[0, "numerator"] = 1
    handed_out = table.frame
    handed_out.loc[0, "numerator"] = 2
    assert table.frame["numerator"].iloc[0] == 10


def test_a_series_has_no_holes_a_year_without_a_row_is_missing(table):
    series = table.series("graduation_rate", site_id="oak", unit_id="0012")
    assert [str(period) for period in series.frame.index] == ["2012", "2013", "2014"]
    assert series.frame["status"].tolist() == ["reported", "missing", "reported"]
    assert not series.is_censored
    assert table.series("graduation_rate", site_id="oak", unit_id="0013").is_censored


def test_rows_of_two_populations_never_meet_in_one_series(dictionary):
    frame = rows(unit_id=["all"] * 4, population=["resident", "target_school"] * 2)
    table = IndicatorTable.from_frame(frame, dictionary=dictionary)
    with pytest.raises(DataError, match="resident and target_school children; name the population"):
        table.series("graduation_rate", site_id="oak")
    named = table.series("graduation_rate", site_id="oak", population="resident")
    assert named.population == "resident"


def test_blurred_counts_add_up_as_counts_lowest_with_lowest_and_highest_with_highest(table):
    totals = total_over_units(table).where(unit_id="all").frame.set_index("period")
    # By hand: 2012 has 10 of 20 and 15 to 18 of 30; 2014 has 5 of 10 and 7 of 9.
    assert totals.loc["2012", "denominator"] == 50
    assert totals.loc["2012", "lower"] == pytest.approx(25 / 50)
    assert totals.loc["2012", "upper"] == pytest.approx(28 / 50)
    assert totals.loc["2014", ["numerator", "denominator", "status"]].tolist() == [12, 19, "reported"]


@pytest.mark.parametrize("status", ["suppressed", "missing"])
def test_a_total_with_a_hidden_or_missing_school_is_never_a_partial_sum(dictionary, status):
    frame = rows(
        status=["reported", status, "reported", "reported"],
        lower=[np.nan] * 4,
        upper=[np.nan] * 4,
        denominator=[20, np.nan, 10, 9],
    )
    totals = (
        total_over_units(IndicatorTable.from_frame(frame, dictionary=dictionary)).where(unit_id="all").frame
    )
    first = totals.iloc[0]
    assert first["status"] == status
    assert np.isnan(first["numerator"])
    assert np.isnan(first["denominator"])


def test_a_total_without_one_of_its_schools_is_missing(dictionary):
    frame = rows().drop(index=3)
    totals = (
        total_over_units(IndicatorTable.from_frame(frame, dictionary=dictionary)).where(unit_id="all").frame
    )
    assert totals["status"].tolist() == ["censored", "missing"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numerator": [30, np.nan, 5, 7]}, "line 2: graduation_rate, oak, All, 2012: numerator 30 is above"),
        ({"numerator": [-1, np.nan, 5, 7]}, "line 2: numerator -1 is negative"),
        ({"numerator": [1.5, np.nan, 5, 7]}, "1.5 of 20 are not whole numbers"),
        ({"indicator": ["gradution_rate"] * 4}, "did you mean 'graduation_rate'?"),
        ({"subgroup": ["al"] * 4}, "write 'All'"),
        ({"population": ["residents"] * 4}, "did you mean 'resident'?"),
        ({"period": ["2012-13"] * 4}, "is not a school year; write 2019 for 2018-19"),
        ({"status": ["reportd", "censored", "reported", "reported"]}, "did you mean 'reported'?"),
        ({"lower": [np.nan, 0.7, np.nan, np.nan]}, "bounds are upside down"),
        ({"lower": [np.nan] * 4}, "censored without both bounds"),
        ({"numerator": [np.nan, np.nan, 5, 7]}, "reported without numerator and denominator"),
        ({"denominator": [0, 30, 10, 9], "numerator": [0, np.nan, 5, 7]}, "denominator is 0"),
        ({"value": [0.5, np.nan, np.nan, np.nan]}, "holds counts and a value"),
        ({"status": ["suppressed", "censored", "reported", "reported"]}, "is suppressed but holds a number"),
        ({"unit_id": ["", "0013", "0012", "0013"]}, "`unit_id` is empty"),
    ],
)
def test_each_wrong_row_is_named_with_its_line_and_the_mend(dictionary, changes, words):
    found = problems(rows(**changes), dictionary, lines=[2, 3, 4, 5])
    assert any(words in problem for problem in found), found
    assert all(problem.startswith("x.csv, line ") for problem in found)


def test_a_repeated_key_names_both_lines(dictionary):
    frame = pd.concat([rows(), rows().head(1)])
    (problem,) = problems(frame, dictionary, lines=[2, 3, 4, 5, 6])
    assert problem.startswith("x.csv, line 6: the same key as line 2 (graduation_rate, oak, 0012,")


def test_mobility_may_exceed_one_because_the_dictionary_says_so(dictionary):
    frame = rows(indicator=["mobility"] * 4, numerator=[25, np.nan, 12, 7])
    assert len(IndicatorTable.from_frame(frame, dictionary=dictionary)) == 4


def test_an_unknown_and_a_missing_column_are_told_together(dictionary):
    found = problems(rows().rename(columns={"period": "perod"}), dictionary)
    assert found == (
        "x.csv: column 'period' is missing; add it or map a column to it",
        "x.csv: unknown column 'perod'; did you mean 'period'?",
    )


@given(order=st.permutations(range(4)))
def test_the_order_of_rows_does_not_matter(dictionary, order):
    one = IndicatorTable.from_frame(rows(), dictionary=dictionary)
    other = IndicatorTable.from_frame(rows().iloc[list(order)], dictionary=dictionary)
    pd.testing.assert_frame_equal(one.frame, other.frame)
