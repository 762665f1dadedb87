"""Golden values: the definitions D8 and D9 of the shared page on contribution analysis."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.contribution.ceiling import (
    Exposure,
    anchored_contribution,
    contribution_ceiling,
    fieller_interval,
    frechet_reach,
    threshold_effect,
    unduplicated_reach,
)

# Standard error of .86 - .68 with 88 and 108 persons.
CHANGE_ERROR = math.sqrt(0.68 * 0.32 / 108 + 0.86 * 0.14 / 88)
CHANGE = {
    "change": 0.18,
    "change_error": CHANGE_ERROR,
    "change_low": 0.18 - 1.96 * CHANGE_ERROR,
    "change_high": 0.18 + 1.96 * CHANGE_ERROR,
    "lacking": 0.32,
}
SERVED = Exposure(reach=0.40, dose=0.75, effect=0.15, effect_low=0.05, effect_high=0.25)


def test_the_worked_ceiling_comes_out_as_published():
    assert pytest.approx(0.0581635, abs=1e-7) == CHANGE_ERROR
    found = contribution_ceiling([SERVED], **CHANGE)
    assert found.ceiling == pytest.approx(0.045, abs=1e-6)
    assert found.share == pytest.approx(0.25, abs=1e-6)
    assert (found.share_low, found.share_high) == pytest.approx((0.076444, 0.758420), abs=1e-6)
    assert found.effect_needed == pytest.approx(0.60, abs=1e-6)
    assert found.attribution_is_impossible
    assert found.headroom == pytest.approx(0.128, abs=1e-6)
    assert found.headroom_share == pytest.approx(0.711111, abs=1e-6)


def test_spill_over_reaches_those_who_were_not_served():
    assert contribution_ceiling([SERVED], **CHANGE, spill_over=0.1).share == pytest.approx(0.2875, abs=1e-6)


def test_no_share_is_given_where_the_change_may_be_none():
    found = contribution_ceiling(
        [SERVED], change=0.05, change_error=0.04, change_low=-0.03, change_high=0.13, lacking=0.32
    )
    assert not found.has_share
    assert math.isnan(found.share)
    assert math.isnan(found.share_high)
    assert found.ceiling == pytest.approx(0.045)


def test_no_share_is_given_of_a_change_for_the_worse():
    found = contribution_ceiling(
        [SERVED], change=-0.18, change_error=0.04, change_low=-0.26, change_high=-0.10, lacking=0.32
    )
    assert found.went_the_wrong_way
    assert not found.has_share


def test_an_effect_that_no_study_states_leaves_the_effect_needed():
    found = contribution_ceiling([Exposure(reach=0.4, dose=0.75, effect=math.nan)], **CHANGE)
    assert math.isnan(found.ceiling)
    assert found.effect_needed == pytest.approx(0.60)
    assert not found.has_share


def test_two_solutions_add_up():
    half = Exposure(reach=0.20, dose=0.75, effect=0.15, effect_low=0.05, effect_high=0.25)
    found = contribution_ceiling([half, half], **CHANGE, reach=0.3)
    assert found.ceiling == pytest.approx(0.045)
    assert found.headroom == pytest.approx(0.3 * 0.32)


def test_partner_totals_bound_the_reach():
    assert frechet_reach([120, 80], 400) == pytest.approx((0.30, 0.50), abs=1e-6)
    assert frechet_reach([300, 200], 400) == pytest.approx((0.75, 1.0))


def test_a_partner_cannot_serve_more_than_there_are():
    with pytest.raises(ValueError, match="between 0 and the denominator, 400"):
        frechet_reach([401], 400)


def test_the_anchored_contribution_is_reach_times_the_difference_made():
    assert anchored_contribution(0.4, 0.8, 0.7) == pytest.approx(0.04)


def test_a_standardised_effect_becomes_a_change_at_the_threshold():
    assert threshold_effect(0.40, 0.20) == pytest.approx(0.078728, abs=1e-6)


def test_a_ratio_over_something_that_may_be_zero_is_unbounded():
    found = fieller_interval(1.0, 0.1, 0.5, 0.4)
    assert not found.bounded
    assert math.isnan(found.low)


@pytest.mark.parametrize("reach", [-0.1, 1.1])
def test_an_impossible_reach_is_refused(reach):
    with pytest.raises(ValueError, match="between 0 and 1"):
        contribution_ceiling([Exposure(reach=reach, dose=1, effect=0.1)], **CHANGE)


@given(st.floats(0.01, 0.5), st.floats(0, 0.2), st.floats(0.05, 0.5), st.floats(0.001, 0.02))
def test_fiellers_interval_contains_the_ratio(top, top_error, bottom, bottom_error):
    found = fieller_interval(top, top_error, bottom, bottom_error)
    assert found.bounded
    assert found.low - 1e-9 <= found.ratio <= found.high + 1e-9


def test_reach_from_ids_counts_every_person_once_and_only_those_of_the_denominator():
    # 3 + 2 served, one by both and one who is not counted: 3 of 10.
    served = {"coaching": ["a", "b", "c"], "clinic": ["c", "elsewhere"]}
    assert unduplicated_reach(served, "abcdefghij") == pytest.approx(0.3)
    with pytest.raises(ValueError, match="holds nobody"):
        unduplicated_reach(served, [])
