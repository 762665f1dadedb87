"""Which single counts may be shown: small groups hidden, small counts shown only as a range."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# persons in the group -> percent of them that forms either tail (1/99 from 300 persons on, 20/80 from 10);
# groups below the first tier have no tail and are hidden
TAIL_TIERS = ((10, 20), (20, 10), (40, 5), (100, 2), (300, 1))
SMALLEST_TAIL = 3  # possible counts a tail must leave
SMALLEST_RANGE = 5  # possible counts a range beside a tail must leave; below it, tail and range are one


@dataclass(frozen=True)
class Coding:
    """How counts x of n are shown.

    Attributes
    ----------
    hidden : the group is too small for anything to be shown
    coded : the count is shown only as lying from `least` to `most` persons
    least, most : persons, both inclusive; equal to x where it is shown
    lower, upper : the same as proportions of n; a tail is given by its tier (0 to .05), not by its counts
    """

    hidden: NDArray[np.bool_]
    coded: NDArray[np.bool_]
    least: Floats
    most: Floats
    lower: Floats
    upper: Floats


def code_counts(
    x: Floats, n: Floats, *, minimum: int, has_complement: NDArray[np.bool_] | None = None
) -> Coding:
    """Decide for every count x of n whether it is shown, shown as a range, or hidden with its group.

    A group of 1 to `minimum` − 1 persons (or below the first tier) is hidden. In a larger group, a count
    of 0 to `minimum` − 1, of those counted or of those not counted, is shown as a range: as the tail of its
    tier, or as what lies between that tail and `minimum` (between the two tails, where one side is always
    small). Where fewer than `SMALLEST_RANGE` counts lie between, tail and rest are one range from 0 to
    `minimum` − 1.

    Parameters
    ----------
    x, n : persons, arrays of one length; NaN x (a mean, or no count) is never coded
    has_complement : False where x counts events (moves), so that n − x counts nobody
    """
    both_sides = np.ones(x.shape, dtype=bool) if has_complement is None else has_complement
    smallest = max(minimum, TAIL_TIERS[0][0])
    hidden = (n > 0) & (n < smallest)
    tail_percent = np.zeros(n.shape)
    for from_persons, percent in TAIL_TIERS:
        tail_percent = np.where(n >= from_persons, percent, tail_percent)
    tail = np.floor(np.where(np.isnan(n), 0, n) * tail_percent / 100 + 1e-9)
    small = float(minimum - 1)
    sides_meet = both_sides & (n <= 2 * small)  # every count is small on one side or on both
    joined = (tail < small) & (small - tail < SMALLEST_RANGE) & ~sides_meet
    tail_end = np.where(joined, small, tail)
    range_end = np.where(sides_meet, n - tail_end - 1, np.maximum(small, tail_end))
    rest = n - x
    known = ~hidden & ~np.isnan(x) & (n > 0)
    low_tail, high_tail = known & (x <= tail_end), known & both_sides & (rest <= tail_end)
    beside = known & ~low_tail & ~high_tail
    low_range = beside & (x <= range_end)
    high_range = beside & both_sides & ~low_range & (rest <= range_end)
    cases = [low_tail, high_tail, low_range, high_range]
    least = np.select(cases, [np.zeros(n.shape), n - tail_end, tail_end + 1, n - range_end], default=x)
    most = np.select(cases, [tail_end, n, range_end, n - tail_end - 1], default=x)
    with np.errstate(all="ignore"):
        lower, upper = least / n, most / n
    upper = np.where(low_tail & ~joined, tail_percent / 100, upper)
    lower = np.where(high_tail & ~joined, 1 - tail_percent / 100, lower)
    coded = low_tail | high_tail | low_range | high_range
    return Coding(hidden, coded, least, most, lower, upper)
