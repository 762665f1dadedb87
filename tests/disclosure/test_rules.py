"""Rules that would hide nothing without a word are refused."""

import numpy as np
import pandas as pd
import pytest

from evalkit.disclosure.cells import protect
from evalkit.disclosure.rules import RULES, Rule, find_rule, small_cells
from evalkit.errors import ParameterError


@pytest.mark.parametrize("minimum", [np.nan, np.inf, 0, -3, 2.5, "10", None, True])
def test_the_smallest_count_shown_is_a_whole_number_of_persons(minimum):
    with pytest.raises(
        ParameterError, match=r"^the smallest count shown is .* whole number of 1 person or more$"
    ):
        small_cells(minimum)


@pytest.mark.parametrize("minimum", [10, 10.0, np.int64(10)])
def test_ten_is_ten_however_it_is_written(minimum):
    assert small_cells(minimum) == RULES["nces10"]


@pytest.mark.parametrize("bounds", [(np.nan, 9), (1, np.nan), (1, np.inf), (-1, 9), (1, -2), (1, 2.5)])
def test_a_rule_has_whole_bounds(bounds):
    with pytest.raises(
        ParameterError, match=r"^rule 'own': (smallest|largest) is .*; it must be a whole number from"
    ):
        Rule("own", *bounds, zero_is_shown=True, printed="exact", words="")


def test_a_rule_prints_in_a_way_that_is_known():
    with pytest.raises(ParameterError, match=r"^rule 'own': nothing is printed as 'tens'"):
        Rule("own", 1, 9, zero_is_shown=True, printed="tens", words="")


@pytest.mark.parametrize("rule", [None, 10, ["nces10"]])
def test_a_rule_is_a_name_or_a_rule(rule):
    with pytest.raises(ParameterError, match=r"^rule is .*; give the name of a rule set \(nces10, "):
        find_rule(rule)
    with pytest.raises(ParameterError, match=r"^rule is "):
        protect(pd.DataFrame({"g": ["All"], "n": [10]}), dimensions=["g"], count="n", rule=rule)
