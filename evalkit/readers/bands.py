"""Privacy bands of the EDFacts files: from the printed text to the graduates behind it, and back."""

import re

import numpy as np
from numpy.typing import NDArray

ABSENT = ("", ".")
SUPPRESSED = "PS"
NO_BAND = -1  # stands for "no bound": the cell is absent or suppressed
BAND = re.compile(
    r"^(?:(?P<exact>\d{1,3})|(?P<low>\d{1,3})-(?P<high>\d{1,3})|(?P<side>GE|GT|LE|LT)(?P<edge>\d{1,3}))$"
)

# (largest cohort in persons, lowest whole percent of each of its bands), as the six files 2011-12 to 2016-17
# have them. Above the last the printed percents can be told from the bounds themselves.
BLURRING = (
    (15, (0, 50)),
    (30, (0, 21, 40, 60, 80)),
    (60, (0, 11, 20, 30, 40, 50, 60, 70, 80, 90)),
    (200, (0, 6, *range(10, 100, 5))),
)

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def printed_band(text: str) -> tuple[int, int] | None:
    """Give the whole percents of a printed rate; NO_BAND where it has none, None where it is unknown."""
    if text in ABSENT or text == SUPPRESSED:
        return NO_BAND, NO_BAND
    match = BAND.match(text)
    if match is None:
        return None
    if match["exact"]:
        low = high = int(match["exact"])
    elif match["low"]:
        low, high = int(match["low"]), int(match["high"])
    else:
        edge = int(match["edge"])
        low, high = {"GE": (edge, 100), "GT": (edge + 1, 100), "LE": (0, edge), "LT": (0, edge - 1)}[
            match["side"]
        ]
    return (low, high) if 0 <= low <= high <= 100 else None


def graduates_behind(low: Integers, high: Integers, cohort: Integers) -> tuple[Integers, Integers]:
    """Give the fewest and the most graduates whose percent, rounded half up, lies from low to high.

    Arrays of one shape, whole percents and persons. Where no number fits, the first result exceeds the
    second.
    """
    # floor(100 k/n + 1/2) >= low  <=>  k >= n (2 low - 1)/200, and <= high  <=>  k < n (2 high + 1)/200
    fewest = -((-cohort * (2 * low - 1)) // 200)
    most = -((-cohort * (2 * high + 1)) // 200) - 1
    return np.maximum(fewest, 0), np.minimum(most, cohort)


def printed_percents(cohort: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Recover the whole percents that the publisher printed from the bounds of a blurred rate and its cohort.

    The way back from `read_edfacts_acgr`, by the publisher's own blurring schedule: 65-69 with a cohort of
    108 is read as 70 to 75 graduates (64.8 to 69.4 %) and comes back as 65 and 69.

    Parameters
    ----------
    cohort : persons, at least 6
    lower, upper : inclusive bounds as proportions, not NaN

    Returns
    -------
    Lowest and highest percent of the band; an open band ends at 0 or 100.
    """
    low, high = np.floor(100 * lower + 0.5 + 1e-9), np.floor(100 * upper + 0.5 + 1e-9)
    above = 0
    for largest, edges in BLURRING:
        inside = (cohort > above) & (cohort <= largest)
        starts, ends = np.array(edges), np.array([*edges[1:], 101]) - 1
        low = np.where(inside, starts[np.searchsorted(starts, low, side="right") - 1], low)
        high = np.where(inside, ends[np.searchsorted(ends, high, side="left")], high)
        above = largest
    return low, high
