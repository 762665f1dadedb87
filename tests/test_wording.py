"""Numbers as a newspaper prints them."""

import math

import pytest

from evalkit import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.56, "1,234.6"), (-2.04, "−2.0"), (-0.01, "0.0"), (math.nan, "–"), (math.inf, "unbounded")],
)
def test_numbers_have_a_true_minus_and_zero_has_no_sign(value, text):
    assert wording.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(2.0, "+2.0"), (-2.0, "−2.0"), (0.0, "0.0"), (math.nan, "–")])
def test_changes_carry_their_sign(value, text):
    assert wording.signed(value) == text


def test_points_and_lists_read_as_in_a_sentence():
    assert wording.points(1.0) == "+1.0 point"
    assert wording.points(-3.25) == "−3.2 points"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.listed(["a"]) == "a"
    assert wording.interval(1, math.nan) == "no interval"
