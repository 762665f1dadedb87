from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.contribution.claim import CLASSES, Findings, classify

STRONG = Findings(
    change_covers_zero=False,
    share_high=0.6,
    headroom=0.1,
    lower=0.96,
    upper=0.99,
    strongest_rival=0.2,
    independent_sources=2,
    counterfactual_excludes_zero=True,
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "strongly supported"),
        ({"counterfactual_excludes_zero": False}, "supported"),
        ({"lower": 0.949}, "supported"),
        ({"lower": 0.85}, "supported"),
        ({"lower": 0.849}, "plausible"),
        ({"independent_sources": 1}, "plausible"),
        ({"strongest_rival": 0.31}, "plausible"),
        ({"strongest_rival": (0.2 + 0.4) / 2}, "strongly supported"),
        ({"lower": 0.70}, "plausible"),
        ({"lower": 0.699}, "possible"),
        ({"strongest_rival": 0.51}, "possible"),
        ({"rivals_unexamined": ("composition",)}, "possible"),
        ({"lower": 0.2, "upper": 0.49}, "not supported"),
        ({"exposure_after_change": True}, "not supported"),
        ({"share_high": 0.049}, "too small"),
        ({"headroom": 0.009}, "too small"),
        ({"change_covers_zero": True}, "no change to explain"),
        ({"change_is_favourable": False}, "no change to explain"),
        ({"obstacle": "cells are too small"}, "not assessable"),
    ],
)
def test_the_first_reason_that_holds_names_the_class(change, expected):
    assert classify(replace(STRONG, **change)).claim_class == expected


def test_the_first_match_wins_over_all_that_follow():
    worst = replace(
        STRONG, obstacle="a definition break", change_covers_zero=True, share_high=0.01, upper=0.1
    )
    assert classify(worst).claim_class == "not assessable"
    assert classify(replace(worst, obstacle="")).claim_class == "no change to explain"
    assert classify(replace(worst, obstacle="", change_covers_zero=False)).claim_class == "too small"


def test_an_unknown_ceiling_does_not_hold_a_claim_back():
    assert classify(replace(STRONG, share_high=None, headroom=None)).claim_class == "strongly supported"


findings = st.builds(
    Findings,
    obstacle=st.sampled_from(["", "", "a link has no evidence"]),
    change_covers_zero=st.booleans(),
    share_high=st.one_of(st.none(), st.floats(0, 1)),
    headroom=st.one_of(st.none(), st.floats(0, 0.1)),
    lower=st.floats(0, 0.99),
    upper=st.just(0.995),
    exposure_after_change=st.booleans(),
    rivals_unexamined=st.lists(st.sampled_from(["composition", "chance"]), max_size=2).map(tuple),
    strongest_rival=st.floats(0, 1),
    independent_sources=st.integers(0, 3),
    counterfactual_excludes_zero=st.booleans(),
)


@given(findings, st.floats(0, 1))
def test_a_lower_bound_that_falls_never_raises_the_class(found, factor):
    lower = found.lower * factor
    weaker = replace(found, lower=lower, upper=max(lower, found.upper * factor))
    assert classify(weaker).rank <= classify(found).rank


@given(findings)
def test_a_rival_that_goes_unexamined_never_raises_the_class(found):
    open_again = replace(
        found, rivals_unexamined=(*found.rivals_unexamined, "regional_trend"), strongest_rival=0
    )
    assert classify(open_again).rank <= classify(found).rank


@given(findings)
def test_losing_an_independent_source_never_raises_the_class(found):
    fewer = replace(found, independent_sources=max(0, found.independent_sources - 1))
    assert classify(fewer).rank <= classify(found).rank


def test_classes_are_ordered_from_least_to_most():
    assert CLASSES.index("possible") < CLASSES.index("plausible") < CLASSES.index("supported")
