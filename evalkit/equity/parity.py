"""How far it is to parity: how many more children it takes, and whether the gap's trend ever leads there."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evalkit.wording import number

Floats = NDArray[np.float64]

FEWEST_PERIODS = 3  # a line and its scatter


def additional_to_parity(x: ArrayLike, n: ArrayLike, reference_rate: ArrayLike, *, favourable: str) -> Floats:
    """Count the persons whose outcome would have to be another for the subgroup to have the reference's rate.

    Parameters
    ----------
    x, n : counted and persons of the subgroup
    reference_rate : proportion
    favourable : "higher" (so many more) or "lower" (so many fewer)

    Returns
    -------
    Whole persons, ceil(n · reference − x) or ceil(x − n · reference); 0 where the subgroup is at parity or
    better off.
    """
    lacking = np.asarray(n, dtype=float) * np.asarray(reference_rate, dtype=float) - np.asarray(
        x, dtype=float
    )
    persons: Floats = np.maximum(np.ceil((lacking if favourable == "higher" else -lacking) - 1e-9), 0)
    return persons + 0.0


@dataclass(frozen=True)
class GapTrend:
    """A line through a gap over time, by weighted least squares, and the times at which it may be 0.

    Attributes
    ----------
    level, level_error : the line in the last period, and its standard error
    slope, slope_error : change per period
    covariance : of level and slope
    conf_low, conf_high : interval of the slope
    parity : periods after the last one, −level/slope; negative where the line crossed 0 before
    fieller : "interval" (parity lies between `parity_low` and `parity_high`), "outside" (anywhere but between
        them) or "anything"
    """

    level: float
    level_error: float
    slope: float
    slope_error: float
    covariance: float
    conf_low: float
    conf_high: float
    parity: float
    parity_low: float
    parity_high: float
    fieller: str
    periods: int


def gap_trend(
    clock: ArrayLike, gap: ArrayLike, std_error: ArrayLike, *, conf_level: float
) -> GapTrend | None:
    """Fit a line to gaps weighted by 1 / std_error² and find Fieller's set of times of parity.

    The sampling errors are taken as known; where the gaps scatter about the line by more than they explain,
    the errors are widened by the root of chi-squared over its degrees of freedom (Birge).

    Parameters
    ----------
    clock : whole periods, 0 in the last period; the gaps may have holes
    gap, std_error : one value for each; an absent value (NaN) is left out

    Returns
    -------
    The trend, or None with fewer than `FEWEST_PERIODS` gaps.

    References
    ----------
    Fieller (1954), JRSS B 16:175-185. Birge (1932), Physical Review 40:207-227.
    """
    time, level_seen, error = (np.asarray(values, dtype=np.float64) for values in (clock, gap, std_error))
    usable = np.isfinite(time) & np.isfinite(level_seen) & np.isfinite(error) & (error > 0)
    time, level_seen, error = time[usable], level_seen[usable], error[usable]
    if np.unique(time).size < FEWEST_PERIODS:
        return None
    design = np.stack([np.ones_like(time), time], axis=1)
    weight = 1 / error**2
    covariance: Floats = np.linalg.inv(design.T @ (design * weight[:, None])).astype(np.float64)
    level, slope = covariance @ (design.T @ (weight * level_seen))
    left_over = float(np.sum(weight * (level_seen - design @ np.array([level, slope])) ** 2))
    covariance *= max(1.0, left_over / (time.size - 2))
    z = float(stats.norm.ppf((1 + conf_level) / 2))
    slope_error = math.sqrt(covariance[1, 1])
    low, high, fieller = _fieller(float(level), float(slope), covariance, z)
    return GapTrend(
        level=float(level),
        level_error=math.sqrt(covariance[0, 0]),
        slope=float(slope),
        slope_error=slope_error,
        covariance=float(covariance[0, 1]),
        conf_low=float(slope) - z * slope_error,
        conf_high=float(slope) + z * slope_error,
        parity=-float(level) / float(slope) if slope else math.inf,
        parity_low=low,
        parity_high=high,
        fieller=fieller,
        periods=int(time.size),
    )


def parity_words(trend: GapTrend, *, period: str = "year") -> str:
    """Say when the trend may reach parity, from Fieller's set: never a date that the data do not carry."""
    if trend.fieller == "anything":
        return "the data are consistent with parity at any time, and with never"
    low, high = trend.parity_low, trend.parity_high
    if trend.fieller == "outside":
        if high <= 0 or low >= 0:
            return "parity now cannot be ruled out; consistent with never"
        return f"parity not before {_span(high, period)} from now; consistent with never"
    if high < 0:
        return f"the line passed parity {_span(-high, period)} to {_span(-low, period)} ago"
    if low <= 0:
        return f"parity now cannot be ruled out; reached within {_span(high, period)} if the trend goes on"
    return f"parity {number(low)} to {_span(high, period)} from now, if the trend goes on"


def _span(length: float, period: str) -> str:
    text = number(length)
    return f"{text} {period}" if text == "1.0" else f"{text} {period}s"


def _fieller(level: float, slope: float, covariance: Floats, z: float) -> tuple[float, float, str]:
    """Solve (level + slope·t)² ≤ z²·var(level + slope·t) for t."""
    square = slope**2 - z**2 * covariance[1, 1]
    linear = 2 * (level * slope - z**2 * covariance[0, 1])
    constant = level**2 - z**2 * covariance[0, 0]
    discriminant = linear**2 - 4 * square * constant
    if square == 0 or discriminant < 0:
        return -math.inf, math.inf, "anything"
    roots = sorted((-linear + sign * math.sqrt(discriminant)) / (2 * square) for sign in (-1, 1))
    return float(roots[0]), float(roots[1]), "interval" if square > 0 else "outside"
