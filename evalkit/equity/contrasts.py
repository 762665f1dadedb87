"""Levels of subgroups, and their differences from and ratios to a reference, in proportions or means."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from evalkit.dictionary import Indicator
from evalkit.equity.events import (
    event_difference_interval,
    event_p_value,
    event_rate_interval,
    event_ratio_interval,
)
from evalkit.intervals import one_proportion_interval, two_proportion_interval, two_proportion_p_value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """Rates (or means) of many cells: the value, what it rests on, and how its sampling error is known.

    Attributes
    ----------
    rate : proportion, events per person, or mean
    x, n : counted and persons; NaN x where only a value is known
    std_error : of the rate, in its own unit
    kind : "proportion", "events" or "value" (a mean, or a rate that came without its counts)
    """

    rate: Floats
    x: Floats
    n: Floats
    std_error: Floats
    kind: str

    @property
    def counts(self) -> "tuple[Floats, Floats]":
        """Counted and persons, for the intervals that want counts."""
        return self.x, self.n


def level_of(cells: pd.DataFrame, indicator: Indicator, *, rate: str = "rate") -> Level:
    """Take the level of cells of `IndicatorTable.rates()`.

    `rate` may name a bound, "rate_low" or "rate_high". A bound is turned into whole persons, the nearest
    count that lies within the bounds.
    """
    n = cells["denominator"].to_numpy(dtype=float)
    value = cells[rate].to_numpy(dtype=float)
    x = cells["numerator"].to_numpy(dtype=float)
    if rate != "rate":
        inward = np.ceil(value * n - 1e-9) if rate == "rate_low" else np.floor(value * n + 1e-9)
        x = np.where(np.isnan(x), inward, x)
    with np.errstate(all="ignore"):
        value = np.where(np.isnan(x) | np.isnan(value) | ~(n > 0), value, x / n)
        sampling = np.sqrt(_variance(x, n, events=indicator.may_exceed_one) / n)
    x = np.where(np.isnan(value), np.nan, x)
    has_counts = indicator.kind == "rate" and not np.isnan(x).all()
    kind = "value" if not has_counts else "events" if indicator.may_exceed_one else "proportion"
    given = cells["std_error"].to_numpy(dtype=float)
    std_error = np.where(np.isnan(given), sampling, given)
    return Level(value, x, n, std_error, kind)


def _variance(x: Floats, n: Floats, *, events: bool) -> Floats:
    """Give the variance of one person's outcome; never 0, which would claim that nothing can vary."""
    if events:
        return np.asarray(np.maximum(x, 1) / n, dtype=np.float64)
    # At none and at all of n, one added person on either side keeps it honest.
    share = np.where((x == 0) | (x == n), (x + 1) / (n + 2), x / n)
    return np.asarray(share * (1 - share), dtype=np.float64)


def level_interval(level: Level, *, conf_level: float) -> tuple[Floats, Floats]:
    """Give Wilson's interval of proportions, a Poisson score interval of events, a normal one of values."""
    half = _quantile(conf_level) * level.std_error
    ends = level.rate - half, level.rate + half
    if level.kind == "proportion":
        ends = _or_else(one_proportion_interval(*level.counts, conf_level=conf_level), ends)
    elif level.kind == "events":
        ends = _or_else(event_rate_interval(*level.counts, conf_level=conf_level), ends)
    return ends


def difference(
    first: Level, second: Level, *, conf_level: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Subtract the second level from the first.

    Returns
    -------
    Difference, standard error, low, high, and p value of the score test (values: normal test), in the unit
    of the levels. Newcombe's hybrid score interval for proportions; a cell that came without its counts
    has the normal one.
    """
    gap = first.rate - second.rate
    std_error = np.hypot(first.std_error, second.std_error)
    half = _quantile(conf_level) * std_error
    ends = gap - half, gap + half
    with np.errstate(all="ignore"):
        p_value = 2 * stats.norm.sf(np.abs(gap / std_error))
    counts = (*first.counts, *second.counts)
    if _both(first, second, "proportion"):
        ends = _or_else(two_proportion_interval(*counts, conf_level=conf_level), ends)
        exact = two_proportion_p_value(*counts)
        p_value = np.where(np.isnan(exact), p_value, exact)
    elif _both(first, second, "events"):
        ends = _or_else(event_difference_interval(*counts, conf_level=conf_level), ends)
        exact = event_p_value(*counts)
        p_value = np.where(np.isnan(exact), p_value, exact)
    return gap, std_error, *ends, np.where(np.isnan(gap), np.nan, p_value)


def ratio(first: Level, second: Level, *, conf_level: float) -> tuple[Floats, Floats, Floats]:
    """Divide the first level by the second; Koopman's score interval for proportions.

    Returns
    -------
    Ratio (inf over 0, NaN for 0 over 0), low and high. For values the interval is made on the log scale and
    needs both to be positive.
    """
    with np.errstate(all="ignore"):
        quotient = first.rate / second.rate
        if _both(first, second, "proportion"):
            low, high = two_proportion_interval(
                *first.counts, *second.counts, contrast="ratio", conf_level=conf_level
            )
        elif _both(first, second, "events"):
            low, high = event_ratio_interval(*first.counts, *second.counts, conf_level=conf_level)
        else:
            positive = (first.rate > 0) & (second.rate > 0)
            spread = np.hypot(first.std_error / first.rate, second.std_error / second.rate)
            reach = np.exp(_quantile(conf_level) * np.where(positive, spread, np.nan))
            low, high = quotient / reach, quotient * reach
    return quotient, low, high


def holm(p_values: Floats) -> Floats:
    """Adjust p values for their number, step by step from the smallest; absent ones (NaN) do not count.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    adjusted = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    ordered = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[ordered] * np.arange(ordered.size, 0, -1)
    adjusted[ordered] = np.minimum(np.maximum.accumulate(steps), 1) if ordered.size else steps
    return adjusted


def _or_else(ends: tuple[Floats, Floats], others: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Take the interval from counts where there are counts, else the other one."""
    known = ~np.isnan(ends[0])
    return np.where(known, ends[0], others[0]), np.where(known, ends[1], others[1])


def _both(first: Level, second: Level, kind: str) -> bool:
    return first.kind == kind and second.kind == kind


def _quantile(conf_level: float) -> float:
    return float(stats.norm.ppf((1 + conf_level) / 2))
