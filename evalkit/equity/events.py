"""Rates of events (moves per child), which may exceed 1: counts are Poisson, not binomial."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evalkit.intervals import one_proportion_interval

Floats = NDArray[np.float64]


def event_rate_interval(events: Floats, persons: Floats, *, conf_level: float) -> tuple[Floats, Floats]:
    """Give the score interval of a rate of events; 0 events end at exactly 0 below, nobody gives NaN.

    References
    ----------
    Rao (1948), Proceedings of the Cambridge Philosophical Society 44:50-57, for the Poisson mean.
    """
    z = float(stats.norm.ppf((1 + conf_level) / 2))
    with np.errstate(all="ignore"):
        middle, half = events + z**2 / 2, z * np.sqrt(events + z**2 / 4)
        low = np.where(events == 0, 0.0, (middle - half) / persons)
        high = (middle + half) / persons
    known = persons > 0
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def event_difference_interval(
    events1: Floats, persons1: Floats, events2: Floats, persons2: Floats, *, conf_level: float
) -> tuple[Floats, Floats]:
    """Give an interval for the first rate minus the second, from the two score intervals.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27:1693-1702: Newcombe's construction for any two intervals.
    """
    low1, high1 = event_rate_interval(events1, persons1, conf_level=conf_level)
    low2, high2 = event_rate_interval(events2, persons2, conf_level=conf_level)
    with np.errstate(all="ignore"):
        rate1, rate2 = events1 / persons1, events2 / persons2
        low = rate1 - rate2 - np.hypot(rate1 - low1, high2 - rate2)
        high = rate1 - rate2 + np.hypot(high1 - rate1, rate2 - low2)
    return low, high


def event_ratio_interval(
    events1: Floats, persons1: Floats, events2: Floats, persons2: Floats, *, conf_level: float
) -> tuple[Floats, Floats]:
    """Give an interval for the first rate over the second: given all events, the first count is binomial.

    Ends at inf where the second count is 0; (0, inf) where both are.
    """
    low, high = one_proportion_interval(events1, events1 + events2, conf_level=conf_level)
    with np.errstate(all="ignore"):
        per_person = persons2 / persons1
        low, high = low / (1 - low) * per_person, high / (1 - high) * per_person
    nothing = (events1 + events2) == 0
    known = (persons1 > 0) & (persons2 > 0)
    low, high = np.where(nothing, 0.0, low), np.where(nothing, np.inf, high)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def event_p_value(events1: Floats, persons1: Floats, events2: Floats, persons2: Floats) -> Floats:
    """Test that two rates of events are equal: the two-sided score test; 1 where there is no event at all."""
    with np.errstate(all="ignore"):
        pooled = (events1 + events2) / (persons1 + persons2)
        difference = events1 / persons1 - events2 / persons2
        z = difference / np.sqrt(pooled * (1 / persons1 + 1 / persons2))
    p_value: Floats = 2 * stats.norm.sf(np.abs(np.where(events1 + events2 == 0, 0.0, z)))
    return np.where((persons1 > 0) & (persons2 > 0), p_value, np.nan)
