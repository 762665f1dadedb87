"""From a printed band to the graduates behind it, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.readers.bands import BLURRING, NO_BAND, graduates_behind, printed_band, printed_percents


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("83", (83, 83)),
        ("60-69", (60, 69)),
        ("GE95", (95, 100)),
        ("GT50", (51, 100)),
        ("LE5", (0, 5)),
        ("LT50", (0, 49)),
        ("PS", (NO_BAND, NO_BAND)),
        (".", (NO_BAND, NO_BAND)),
        ("", (NO_BAND, NO_BAND)),
        ("69-60", None),
        ("GE101", None),
        ("n<6", None),
        ("83.5", None),
    ],
)
def test_a_printed_rate_is_read_as_whole_percents_or_refused(text, band):
    assert printed_band(text) == band


@pytest.mark.parametrize(
    ("band", "cohort", "graduates"),
    [
        # SOURCES.md of the public data: O'Connell High, all students, 2012 to 2017
        ((65, 69), 108, (70, 75)),
        ((70, 74), 99, (69, 73)),
        ((80, 84), 127, (101, 107)),
        ((75, 79), 96, (72, 76)),
        ((85, 89), 88, (75, 78)),
        ((80, 84), 71, (57, 59)),
        # by hand: 1/8 = 12.5 % is printed as 13, so 13 of 8 persons is 1 and 12 cannot be
        ((13, 13), 8, (1, 1)),
        ((95, 100), 10, (10, 10)),
        ((0, 49), 6, (0, 2)),
        ((0, 100), 7, (0, 7)),
    ],
)
def test_a_band_means_the_graduates_whose_rounded_percent_lies_in_it(band, cohort, graduates):
    fewest, most = graduates_behind(*(np.array([edge]) for edge in (*band, cohort)))
    assert (fewest[0], most[0]) == graduates


def test_a_percent_that_no_number_of_graduates_gives_leaves_nobody():
    fewest, most = graduates_behind(np.array([12]), np.array([12]), np.array([8]))
    assert fewest[0] > most[0]


@given(cohort=st.integers(1, 700), edges=st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_the_graduates_are_those_that_counting_one_by_one_finds(cohort, edges):
    low, high = sorted(edges)
    # floor(100 k / n + 1/2), half up, in whole numbers
    fits = [k for k in range(cohort + 1) if low <= (200 * k + cohort) // (2 * cohort) <= high]
    fewest, most = graduates_behind(np.array([low]), np.array([high]), np.array([cohort]))
    assert list(range(fewest[0], most[0] + 1)) == fits


@given(cohort=st.integers(6, 900), percent=st.integers(0, 100))
def test_the_printed_band_comes_back_from_its_bounds(cohort, percent):
    edges = next((edges for largest, edges in BLURRING if cohort <= largest), None)
    if edges is None:
        low = high = percent
    else:
        low = max(edge for edge in edges if edge <= percent)
        high = min([edge - 1 for edge in edges if edge > percent], default=100)
    fewest, most = graduates_behind(np.array([low]), np.array([high]), np.array([cohort]))
    back = printed_percents(np.array([float(cohort)]), fewest / cohort, most / cohort)
    assert (back[0][0], back[1][0]) == (low, high)
