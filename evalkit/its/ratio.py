"""Ratios of two paths, such as fitted over counterfactual, with their intervals."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evalkit.its.autocorrelation import Conditional
from evalkit.its.design import Contrasts, Design
from evalkit.its.engine import Member, Prior, contrast_mixture, learn, reduced, weighed
from evalkit.its.mixture import TMixture
from evalkit.its.moments import Moments

Floats = NDArray[np.float64]

RATIO_HALVINGS = 42
RATIO_REACH = 1e3  # ratios beyond ± this from the estimate are not looked for


def ratio_interval(
    y: Floats,
    design: Design,
    *,
    top: Floats,
    bottom: Floats,
    method: str = "integrated",
    conf_level: float = 0.95,
    prior: "Prior | None" = None,
) -> tuple[Floats, Floats, Floats]:
    """Give the ratio of two combinations of coefficients with its interval, for every row of y (S, n).

    The probability that top/bottom lies below r is that of top − r·bottom lying below 0, which is one more
    mixture of t; its quantiles are found by bisection in r. Where the bottom is not clearly above 0 (its own
    interval reaches 0) a ratio says nothing and all three are NaN.

    Parameters
    ----------
    top, bottom : (p,) contrasts
    prior : of ρ, where a family has learned it; by default that of the method

    Returns
    -------
    Ratio of the two estimates, lower and upper end, each (S,).
    """
    ratio, low, high = (np.full(len(y), np.nan) for _ in range(3))
    pair = Contrasts(("top", "bottom"), np.stack([top, bottom]), np.zeros(2, dtype=np.intp))
    member = Member(y, design, pair)
    chosen = learn([member], method) if prior is None else prior
    for batch in reduced(member):
        fitted, weight = weighed(batch, chosen, method, member)
        both = contrast_mixture(batch, fitted, weight, pair)
        middle = both.mean().reshape(-1, 2)
        reach = both.quantile((1 - conf_level) / 2).reshape(-1, 2)[:, 1]
        usable = (reach > 0) & ~batch.exact
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = np.where(usable, middle[:, 0] / middle[:, 1], np.nan)

        def below(
            value: Floats, batch: Moments = batch, fitted: Conditional = fitted, weight: Floats = weight
        ) -> Floats:
            return _ratio_below(batch, fitted, weight, top, bottom, value)

        ends = _ratio_ends(below, np.array([(1 - conf_level) / 2, (1 + conf_level) / 2]), estimate)
        ratio[batch.series] = estimate
        low[batch.series], high[batch.series] = np.where(usable, ends, np.nan)
    return ratio, low, high


def _ratio_below(
    batch: Moments, fitted: Conditional, weight: Floats, top: Floats, bottom: Floats, value: Floats
) -> Floats:
    """Return the probability (E, S) that the ratio of each series lies below each of E values (E, S)."""
    times = len(value)
    rows = ((top - value[..., None] * bottom) @ batch.basis).reshape(-1, batch.basis.shape[1])
    series = np.tile(np.arange(value.shape[1]), times)
    location = np.sum(fitted.coefficient[:, series] * rows, axis=-1)
    covariance = fitted.covariance[:, fitted.pattern[series]]
    factor = np.sum((rows[:, None, :] @ covariance)[..., 0, :] * rows, axis=-1)
    spread = np.sqrt(factor * fitted.innovation[:, series])
    mixture = TMixture(location, spread, weight[:, series], batch.df[series])
    return mixture.below(np.zeros(len(rows))).reshape(value.shape)


def _ratio_ends(below: Callable[[Floats], Floats], probability: Floats, estimate: Floats) -> Floats:
    """Bisect for the ratios (E, S) with these probabilities (E,) below them; endless beyond reach."""
    middle = np.tile(np.nan_to_num(estimate), (len(probability), 1))
    low, high = middle - RATIO_REACH, middle + RATIO_REACH
    for _ in range(RATIO_HALVINGS):
        probe = (low + high) / 2
        # top − r·bottom falls as r grows, so the probability that it lies below 0 rises
        rising = below(probe) < probability[:, None]
        low, high = np.where(rising, probe, low), np.where(rising, high, probe)
    return np.asarray((low + high) / 2)
