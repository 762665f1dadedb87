"""Gaps against the best-off, the rest, the mean and a target, and bounds of gaps between ranges."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maple_cells import cell, hidden

from evalkit.equity.bounds import count_bounds, gap_bounds, gap_extremes
from evalkit.equity.yardsticks import gaps_against
from evalkit.errors import DataError, ParameterError
from evalkit.intervals import two_proportion_interval

DIMENSION = "race_ethnicity"


@pytest.fixture
def table(table_of):
    return table_of([cell("Black", 56, 70), cell("White", 48, 80), cell("Asian", 9, 30)])


def against(table, yardstick, dimension=DIMENSION, **more):
    return gaps_against(table, dimension=dimension, against=yardstick, **more).set_index("subgroup")


def test_the_best_off_is_named_and_has_no_gap_with_itself(table):
    found = against(table, "best_off")
    assert set(found["against"]) == {"Black"}
    # R ratesci 1.0.0, MOVER-Wilson and Koopman, 56/70 v 48/80, turned round.
    row = found.loc["White"]
    assert row[["difference", "difference_low", "difference_high"]].tolist() == pytest.approx(
        [-20, -33.3872654036906, -5.24314724023649]
    )
    assert row[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx(
        [0.75, 1 / 1.67080557829028, 1 / 1.07982150614665]
    )
    itself = found.loc["Black"]
    assert itself[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert itself["note"] == "the best-off itself"
    assert np.isnan(itself["p_value"])
    assert found.loc["White", "p_holm"] == pytest.approx(found.loc["White", "p_value"])
    assert found.loc["Asian", "p_holm"] == pytest.approx(2 * found.loc["Asian", "p_value"])


def test_where_lower_is_better_the_lowest_is_best_off(table_of):
    rows = [cell(name, x, 80, indicator="chronic_absence", population="target_school")
            for name, x in (("Black", 20), ("White", 8))]  # fmt: skip
    assert set(against(table_of(rows), "best_off")["against"]) == {"White"}


def test_the_rest_are_all_others_together(table):
    row = against(table, "rest").loc["Asian"]
    low, high = two_proportion_interval(9, 30, 104, 150)
    assert row["difference"] == pytest.approx(100 * (9 / 30 - 104 / 150))
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((100 * low, 100 * high))


def test_the_gap_to_the_mean_is_the_share_of_the_others_times_the_gap_to_them(table):
    mean, rest = against(table, "mean"), against(table, "rest")
    assert mean.loc["Asian", "difference"] == pytest.approx(100 * (9 / 30 - 113 / 180))
    assert mean.loc["Asian", "ratio"] == pytest.approx(9 / 30 / (113 / 180))
    for end in ("difference_low", "difference_high"):
        assert mean.loc["Asian", end] == pytest.approx(150 / 180 * rest.loc["Asian", end])
    assert mean.loc["Asian", "ratio_low"] < mean.loc["Asian", "ratio"] < mean.loc["Asian", "ratio_high"]


def test_a_target_is_fixed(table):
    row = against(table, "target", target=75.0).loc["White"]
    assert row["difference"] == pytest.approx(-15)
    assert row["ratio"] == pytest.approx(0.8)
    assert row["difference_low"] < -15 < row["difference_high"]


def test_crossed_dimensions_are_compared_like_any_other(table_of):
    rows = [
        cell(f"{race}*{income}", x, 60, dimension="race_ethnicity*income")
        for (race, income), x in zip(
            product(("Black", "White"), ("low income", "not low income")), (20, 30, 40, 50), strict=True
        )
    ]
    found = against(table_of(rows), "best_off", dimension="race_ethnicity*income")
    assert set(found["against"]) == {"White*not low income"}
    assert found.loc["Black*low income", "difference"] == pytest.approx(-50)


def test_a_hidden_subgroup_is_a_row_with_its_reason_and_leaves_no_rest_to_compare_with(table_of):
    table = table_of([cell("Black", 56, 70), cell("White", 48, 80), hidden("Asian")])
    rest = against(table, "rest")
    assert rest.loc["Asian", "note"] == "not shown, to protect small groups"
    assert rest.loc["Black", "note"] == "needs the counts of every subgroup: 1 without"
    assert rest["difference"].isna().all()
    best = against(table, "best_off")
    assert best.loc["White", "difference"] == pytest.approx(-20)
    assert np.isnan(best.loc["Asian", "difference"])


def test_one_subgroup_alone_has_no_rest(table_of):
    assert (
        against(table_of([cell("Black", 5, 20)]), "rest").loc["Black", "note"] == "there is no other subgroup"
    )


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"against": "worst"}, "against is 'worst'"),
        ({"against": "target"}, "give `target`"),
        ({"against": "rest", "target": 5.0}, "give `target`"),
        ({"against": "rest", "dimension": "race"}, "unknown dimension 'race'"),
        ({"against": "rest", "conf_level": 95}, "conf_level is 95"),
    ],
)
def test_an_impossible_yardstick_is_refused(table, choice, words):
    with pytest.raises(ParameterError, match=words):
        gaps_against(table, **({"dimension": DIMENSION} | choice))


PARTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    parts=PARTS, below=st.integers(0, 3), above=st.integers(0, 3), choice=st.randoms(use_true_random=False)
)
def test_gap_bounds_are_sharp_against_trying_every_count(parts, below, above, choice):
    low = [start for start, *_ in parts]
    high = [start + more for start, more, _ in parts]
    persons = [top + extra + 1 for top, (*_, extra) in zip(high, parts, strict=True)]
    true = [choice.randint(a, b) for a, b in zip(low, high, strict=True)]
    ends = {"total_low": sum(true) - below, "total_high": sum(true) + above}
    tried = [
        counts
        for counts in product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))
        if ends["total_low"] <= sum(counts) <= ends["total_high"]
    ]
    gaps = [counts[0] / persons[0] - counts[1] / persons[1] for counts in tried]
    assert gap_extremes(low, high, persons, 0, 1, **ends) == pytest.approx((min(gaps), max(gaps)))
    drawn_low, drawn_high = count_bounds(low, high, ends["total_low"], ends["total_high"])
    assert drawn_low.tolist() == [min(column) for column in zip(*tried, strict=True)]
    assert drawn_high.tolist() == [max(column) for column in zip(*tried, strict=True)]


def blurred(total=None, **more):
    rows = [
        cell("White", np.nan, 50, status="censored", lower=0.80, upper=0.89),
        cell("Black", np.nan, 50, status="censored", lower=0.50, upper=0.69),
    ]
    if total is not None:
        rows.append(cell("All", total, 100, dimension="all"))
    return rows


def test_the_total_narrows_the_gap_between_two_ranges(table_of):
    # White 40 to 44, Black 25 to 34 of 50 each; 70 in all leaves Black 26 to 30.
    alone = gap_bounds(table_of(blurred()), dimension=DIMENSION, reference="White").iloc[0]
    assert (alone["least"], alone["most"]) == pytest.approx((-38, -12))
    assert alone["basis"] == "the two ranges alone"
    found = gap_bounds(table_of(blurred(70)), dimension=DIMENSION, reference="White").iloc[0]
    assert (found["least"], found["most"]) == pytest.approx((100 * (26 - 44) / 50, 100 * (30 - 40) / 50))
    assert (found["least_alone"], found["most_alone"]) == pytest.approx((-38, -12))


def test_a_total_that_does_not_fit_is_told_and_not_used(table_of):
    found = gap_bounds(table_of(blurred(20)), dimension=DIMENSION, reference="White").iloc[0]
    assert "contradict each other" in found["note"]
    assert (found["least"], found["most"]) == pytest.approx((-38, -12))


def test_what_was_withheld_is_not_worked_out_again(table_of):
    rows = [cell("White", 40, 50), hidden("Black", denominator=50), cell("All", 70, 100, dimension="all")]
    found = gap_bounds(table_of(rows), dimension=DIMENSION, reference="White").iloc[0]
    assert np.isnan(found["least"])
    assert found["note"] == "not shown, to protect small groups"


def test_counts_that_cannot_add_up_are_refused():
    with pytest.raises(DataError, match="contradict"):
        count_bounds([1, 2], [3, 4], 9, 9)
