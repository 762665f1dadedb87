"""Golden values: definition D11 of the shared page on contribution analysis; arithmetic by hand."""

import math
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.contribution.ceiling import Exposure
from evalkit.contribution.shapley import coalition_values, over_claim, shapley_split

GOLDEN = {"A": 0.03, "B": 0.02, "C": 0.0, "AB": 0.06, "AC": 0.04, "BC": 0.02, "ABC": 0.08}


def game(values):
    return {frozenset(names): value for names, value in values.items()}


def test_the_split_is_the_one_worked_by_hand():
    shares = shapley_split(game(GOLDEN))
    assert shares == pytest.approx({"A": 0.043333, "B": 0.028333, "C": 0.008333}, abs=1e-6)


def test_a_single_partner_gets_all():
    assert shapley_split(game({"A": 0.05})) == {"A": 0.05}


def test_a_coalition_without_a_value_is_refused():
    with pytest.raises(ValueError, match="the coalition B has no value"):
        shapley_split(game({"A": 1.0, "AB": 2.0}))


def test_a_partner_who_adds_nothing_gets_nothing_and_equals_get_equal_shares():
    shares = shapley_split(game({"A": 2, "B": 2, "C": 0, "AB": 3, "AC": 2, "BC": 2, "ABC": 3}))
    assert shares == pytest.approx({"A": 1.5, "B": 1.5, "C": 0.0})


@st.composite
def games(draw):
    names = "ABCDE"[: draw(st.integers(1, 5))]
    coalitions = chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))
    return {frozenset(coalition): draw(st.floats(-1, 1)) for coalition in coalitions}


@given(games())
def test_the_shares_add_up_to_the_value_of_all_together(values):
    everybody = max(values, key=len)
    assert math.fsum(shapley_split(values).values()) == pytest.approx(values[everybody], abs=1e-9)


def test_a_coalition_is_worth_its_ceilings_but_never_more_than_its_headroom():
    # .5 · 1 · .2 = .1 and .4 · .5 · .3 = .06; together .16, but .9 of a share of .15 is only .135.
    exposures = {"hub": [Exposure(0.5, 1.0, 0.2)], "school": [Exposure(0.4, 0.5, 0.3)]}
    free = coalition_values(exposures, lacking=math.nan)
    assert free[frozenset(["hub", "school"])] == pytest.approx(0.16)
    capped = coalition_values(exposures, lacking=0.15)
    assert capped == pytest.approx(
        {frozenset(["hub"]): 0.075, frozenset(["school"]): 0.06, frozenset(["hub", "school"]): 0.135}
    )


def test_claims_beyond_the_most_that_changed_raise_the_alarm():
    assert over_claim({"hub": 6.0, "school": 6.0}, change_high=11.0).alarm
    assert not over_claim({"hub": 6.0, "school": 5.0, "club": math.nan}, change_high=11.0).alarm
