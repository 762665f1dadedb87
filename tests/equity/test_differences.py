"""Gaps to a reference: goldens by R, signs, reasons, and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maple_cells import cell, hidden

from evalkit.equity import rate_difference, rate_ratio
from evalkit.equity.contrasts import holm
from evalkit.equity.events import (
    event_difference_interval,
    event_p_value,
    event_rate_interval,
    event_ratio_interval,
)
from evalkit.errors import DataError, ParameterError

DIMENSION = "race_ethnicity"


def test_the_difference_is_subgroup_minus_reference_in_points_with_newcombes_interval(table_of):
    # R ratesci 1.0.0, MOVER-Wilson, 56/70 v 48/80.
    table = table_of([cell("Black", 56, 70), cell("White", 48, 80)])
    found = rate_difference(table, dimension=DIMENSION, reference="White").iloc[0]
    assert found["subgroup"] == "Black"
    assert found[["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx(
        [20, 5.24314724023649, 33.3872654036906]
    )
    turned = rate_difference(table, dimension=DIMENSION, reference="Black").iloc[0]
    assert turned[["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx(
        [-20, -33.3872654036906, -5.24314724023649]
    )


def test_the_ratio_is_subgroup_over_reference_with_koopmans_interval(table_of):
    table = table_of(
        [cell("Black", 56, 70), cell("White", 48, 80), cell("Asian", 0, 29), cell("Latinx", 5, 56)]
    )
    found = rate_ratio(table, dimension=DIMENSION, reference="White").set_index("subgroup")
    assert found.loc["Black", ["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx(
        [4 / 3, 1.07982150614665, 1.67080557829028]
    )
    over_none = rate_ratio(table, dimension=DIMENSION, reference="Asian").set_index("subgroup")
    assert over_none.loc["Latinx", ["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx(
        [np.inf, 0.725688883544366, np.inf]
    )


def test_sites_and_periods_keep_apart(table_of):
    rows = [
        cell(name, x, n, site_id=site, period=period)
        for site, period, counts in (
            ("maple", "2019", ((10, 20), (30, 40))),
            ("maple", "2020", ((12, 20), (20, 40))),
            ("oak", "2020", ((20, 20), (10, 40))),
        )
        for name, (x, n) in zip(("Black", "White"), counts, strict=True)
    ]
    found = rate_difference(table_of(rows), dimension=DIMENSION, reference="White")
    gaps = {(row.site_id, row.period): row.estimate for row in found.itertuples()}
    assert gaps == pytest.approx({("maple", "2019"): -25, ("maple", "2020"): 10, ("oak", "2020"): 75})


def test_populations_are_never_compared_with_one_another(table_of):
    rows = [cell("Black", 10, 20), cell("White", 30, 40, population="target_school")]
    with pytest.raises(DataError, match="reference 'White' is absent"):
        rate_difference(table_of(rows), dimension=DIMENSION, reference="White")


def test_a_hidden_cell_is_a_row_with_its_reason(table_of):
    table = table_of([cell("Black", 56, 70), cell("White", 48, 80), hidden("Asian")])
    found = rate_difference(table, dimension=DIMENSION, reference="White").set_index("subgroup")
    assert found.loc["Asian", ["estimate", "conf_low", "conf_high", "p_value"]].isna().all()
    assert found.loc["Asian", "note"] == "not shown, to protect small groups"
    assert found.loc["Black", "note"] == ""


def test_a_hidden_reference_is_refused_with_site_and_period(table_of):
    table = table_of([cell("Black", 56, 70), hidden("White")])
    with pytest.raises(
        DataError, match=r"maple, kindergarten_ready: the reference 'White' is suppressed in 2019"
    ):
        rate_difference(table, dimension=DIMENSION, reference="White")


@pytest.mark.parametrize(
    ("reference", "words"),
    [("Blue", "unknown subgroup 'Blue'"), ("All", "unknown subgroup 'All'")],
)
def test_an_impossible_reference_is_refused(table_of, reference, words):
    with pytest.raises(ParameterError, match=words):
        rate_difference(table_of([cell("Black", 56, 70)]), dimension=DIMENSION, reference=reference)


def test_several_indicators_at_once_are_refused(table_of):
    table = table_of([cell("Black", 5, 9), cell("Black", 5, 9, indicator="technology_access")])
    with pytest.raises(DataError, match="holds 2 indicators"):
        rate_difference(table, dimension=DIMENSION, reference="White")


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_equal_groups_have_no_gap(table_of, n, share):
    x = round(share * n)
    found = rate_difference(
        table_of([cell("Black", x, n), cell("White", x, n)]), dimension=DIMENSION, reference="White"
    ).iloc[0]
    assert found["estimate"] == 0
    assert found["conf_low"] == pytest.approx(-found["conf_high"])
    assert found["p_value"] == 1


def test_a_mean_uses_its_standard_errors(table_of):
    rows = [
        cell(name, np.nan, 40, indicator="reading_score", value=value, std_error=error)
        for name, value, error in (("Black", 210.0, 3.0), ("White", 218.0, 4.0))
    ]
    found = rate_difference(table_of(rows), dimension=DIMENSION, reference="White").iloc[0]
    # sqrt(9 + 16) = 5, so 8 points are 1.6 standard errors.
    assert found["estimate"] == -8
    assert found["std_error"] == 5
    assert found[["conf_low", "conf_high"]].tolist() == pytest.approx([-8 - 9.799819923, -8 + 9.799819923])
    assert found["p_value"] == pytest.approx(0.109598583)


def test_the_score_interval_of_events_is_the_root_of_its_own_equation():
    low, high = event_rate_interval(np.array([10.0, 0.0]), np.array([50.0, 50.0]), conf_level=0.95)
    for end in (low[0], high[0]):
        assert abs(0.2 - end) / np.sqrt(end / 50) == pytest.approx(1.959963985)
    assert low[1] == 0
    assert high[1] == pytest.approx(1.959963985**2 / 50)


def test_rates_of_events_compare_above_one(table_of):
    rows = [cell("Black", 90, 60, indicator="mobility"), cell("White", 60, 60, indicator="mobility")]
    found = rate_difference(table_of(rows), dimension=DIMENSION, reference="White").iloc[0]
    assert found["estimate"] == pytest.approx(50)
    assert found["conf_low"] > 0
    # Given 150 events in equal groups, 90 in one of them: z = 30 / sqrt(150).
    assert found["p_value"] == pytest.approx(0.014305878)


def test_events_have_intervals_where_there_are_none():
    none, some = np.array([0.0]), np.array([40.0])
    low, high = event_difference_interval(none, some, none, some, conf_level=0.95)
    assert low < 0 < high
    assert event_ratio_interval(none, some, none, some, conf_level=0.95) == (0, np.inf)
    assert event_p_value(none, some, none, some) == 1


def test_holms_adjustment_matches_the_reference_numbers():
    raw = np.array([0.114187, 0.050454, 0.002909, 0.138045])
    expected = [0.228373, 0.151363, 0.011636, 0.228373]  # equity.md; the raw values are rounded
    np.testing.assert_allclose(holm(raw), expected, atol=2e-6)
    with_absent = holm(np.array([np.nan, 0.6, 0.7]))
    assert np.isnan(with_absent[0])
    assert with_absent[1:].tolist() == [1, 1]


def test_the_callers_table_is_unchanged(table_of):
    table = table_of([cell("Black", 56, 70), cell("White", 48, 80)])
    before = table.frame
    rate_difference(table, dimension=DIMENSION, reference="White")
    assert before.equals(table.frame)
