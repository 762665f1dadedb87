"""Single counts: the boundaries of the rule, and the tails of the tiers."""

import numpy as np
import pytest

from evalkit.disclosure.coding import code_counts


def coded(x, n, *, minimum=10, has_complement=None):
    sides = None if has_complement is None else np.array([has_complement])
    coding = code_counts(np.array([float(x)]), np.array([float(n)]), minimum=minimum, has_complement=sides)
    if coding.hidden[0]:
        return "hidden"
    if not coding.coded[0]:
        return "shown"
    return float(coding.lower[0]), float(coding.upper[0])


@pytest.mark.parametrize(
    ("n", "expected"), [(1, "hidden"), (9, "hidden"), (0, "shown"), (40, "shown"), (1000, "shown")]
)
def test_groups_of_one_to_nine_are_hidden(n, expected):
    assert coded(n / 2, n) == expected


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0, (0, 0.02)),
        (1, (0, 0.02)),
        (2, (0, 0.02)),
        (3, (0.025, 0.075)),
        (9, (0.025, 0.075)),
        (10, "shown"),
        (110, "shown"),
        (111, (0.925, 0.975)),
        (118, (0.98, 1)),
        (120, (0.98, 1)),
    ],
)
def test_small_counts_of_either_side_become_ranges(x, expected):
    found = coded(x, 120)
    assert found == expected if expected == "shown" else found == pytest.approx(expected)


# disclosure.md: >= 300 1/99, 100-299 2/98, 40-99 5/95, 20-39 10/90, 10-19 20/80.
@pytest.mark.parametrize(
    ("n", "tail"),
    [(10, 0.2), (19, 0.2), (20, 0.1), (39, 0.1), (40, 0.05), (99, 0.05), (100, 0.02), (300, 0.01)],
)
def test_tails_follow_the_tiers(n, tail):
    assert coded(0, n) == pytest.approx((0, tail))
    assert coded(n, n) == pytest.approx((1 - tail, 1))


@pytest.mark.parametrize("minimum", [3, 5, 10, 16, 30])
def test_every_tail_leaves_three_counts_and_every_other_range_five(minimum):
    for n in range(max(minimum, 10), 2001):
        x = np.arange(n + 1.0)
        coding = code_counts(x, np.full(n + 1, float(n)), minimum=minimum)
        share = x / n
        assert (coding.lower <= share + 1e-12).all()
        assert (share <= coding.upper + 1e-12).all()
        ranges = np.stack([coding.least, coding.most], axis=1)[coding.coded]
        for (least, most), members in zip(*np.unique(ranges, axis=0, return_counts=True), strict=True):
            assert members == most - least + 1, "a count inside the range is shown otherwise"
            assert members >= (3 if least == 0 or most == n else 5)
        shown = x[~coding.coded]
        assert (shown >= minimum).all()
        assert (n - shown >= minimum).all()


def test_a_count_of_events_has_no_other_side():
    assert coded(35, 40, has_complement=False) == "shown"
    assert coded(60, 40, has_complement=False) == "shown"
    assert coded(4, 40, has_complement=False) == pytest.approx((3 / 40, 9 / 40))


def test_a_mean_is_hidden_with_its_group_and_never_becomes_a_range():
    assert coded(np.nan, 9) == "hidden"
    assert coded(np.nan, 12) == "shown"
