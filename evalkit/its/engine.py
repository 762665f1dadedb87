"""Segmented regression with honest intervals for many short series at once: arrays in, arrays out.

The methods differ in one thing, the weight each autocorrelation ρ gets: all on 0 ("ols"), all on the
likeliest ("reml"), spread by how likely each is for this series ("integrated") or given what the whole family
of series says of ρ ("network"). Every answer is then a mixture of t distributions over that one grid.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import DesignError, ParameterError
from evalkit.its.autocorrelation import (
    RHO_BOUNDARY,
    Conditional,
    Moments,
    given_each,
    given_grid,
    integrated_weight,
    likeliest_rho,
    moments,
    network_weight,
    rho_grid,
)
from evalkit.its.design import Contrasts, Design, coefficients, segmented_design
from evalkit.its.mixture import TMixture

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

METHODS = ("integrated", "network", "reml", "ols")

# hyper-prior of the network's ρ: centers and spreads of a truncated normal, all equally likely beforehand
NETWORK_CENTERS = tuple(np.round(np.arange(-0.3, 0.91, 0.1), 1))
NETWORK_SPREADS = (0.05, 0.1, 0.2, 0.3, 0.5)

NEAR_ONE = 0.9  # ρ above which a series is hard to tell from a random walk
NEAR_ONE_SHARE = 0.25  # posterior share above it that is flagged; the prior 1 + ρ alone puts 0.09 there

BATCH = 4096  # series worked on at once: bounds memory, not results


@dataclass(frozen=True, eq=False)
class ArrayFit:
    """Estimates for S series and L terms; a series that cannot be fitted is NaN throughout.

    Attributes
    ----------
    method, conf_level : what was asked for
    terms : (L,) names
    estimate, std_error, conf_low, conf_high, p_value : (S, L) in the unit of y. The estimate is the mean over
        ρ. `std_error` leaves out the tail factor of t, so it is the usual one where ρ is known; intervals do
        not. `p_value` is twice the smaller tail area beyond 0.
    rho : (S,) mean over its weights
    rho_low, rho_high : (S,) its interval; NaN where ρ was not integrated over
    near_one : (S,) weight on ρ above `NEAR_ONE`
    flagged : (S,) whether that is more than `NEAR_ONE_SHARE`, or the likeliest ρ lies on the boundary
    exact : (S,) whether the design runs through every point, so that no error is left to measure
    n, df : (S,) observed periods, and those less the columns of the design
    """

    method: str
    conf_level: float
    terms: tuple[str, ...]
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats
    p_value: Floats
    rho: Floats
    rho_low: Floats
    rho_high: Floats
    near_one: Floats
    flagged: Booleans
    exact: Booleans
    n: Floats
    df: Floats


def fit_arrays(
    y: ArrayLike,
    *,
    start: int,
    method: str = "integrated",
    conf_level: float = 0.95,
    design: Design | None = None,
    contrasts: Contrasts | None = None,
) -> ArrayFit:
    """Fit an interrupted time series to every row of an array.

    Parameters
    ----------
    y : (S, n) or (n,), evenly spaced periods; NaN where missing, and handled exactly: neighbours that lie
        d periods apart correlate as ρ^d
    start : position of the first post period, counted from 0
    method : "integrated" (over ρ with prior 1 + ρ; the default for one series), "network" (the S series
        teach each other what ρ is: one family of comparable series), and for replication "reml" (AR(1) at the
        likeliest ρ, t(n − p)) and "ols"
    conf_level : coverage of the intervals, in (0, 1)
    design : other columns than level and trend before and after; its matrix has n rows
    contrasts : other terms than the coefficients

    Raises
    ------
    DesignError : the interruption leaves no period on one side; the design has another number of periods.
    ParameterError : the method is unknown, or conf_level lies outside (0, 1).

    References
    ----------
    Huitema and McKean (2000), Educational and Psychological Measurement 60:38-58 (the clock). Zellner and
    Tiao (1964), JASA 59:763-778 (integrating over ρ). Turner et al. (2021), BMC Medical
    Research Methodology 21:181 (why it is needed).
    """
    values = np.atleast_2d(np.asarray(y, dtype=np.float64))
    layout = segmented_design(values.shape[1], start=start) if design is None else design
    return fit_design(values, layout, method=method, conf_level=conf_level, contrasts=contrasts)


def fit_design(
    y: Floats,
    design: Design,
    *,
    method: str = "integrated",
    conf_level: float = 0.95,
    contrasts: Contrasts | None = None,
) -> ArrayFit:
    """Fit any design to every row of y (S, n); otherwise as `fit_arrays`."""
    _check(y, design, method, conf_level)
    asked = coefficients(design) if contrasts is None else contrasts
    shape = (len(y), len(asked.terms))
    by_term = {
        name: np.full(shape, np.nan) for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    }
    by_series = {name: np.full(shape[0], np.nan) for name in ("rho", "rho_low", "rho_high", "near_one", "df")}
    exact = np.zeros(shape[0], dtype=np.bool_)
    groups, _ = moments(y, design.matrix)
    for reduced, fitted, weight in _weighted(groups, y.shape[1], method):
        for part in _batches(reduced.series.size):
            series = reduced.series[part]
            mixture = contrast_mixture(reduced, fitted, weight, asked, part)
            size = (series.size, shape[1])
            blank = np.where(reduced.exact[part, None], np.nan, 1.0)
            by_term["estimate"][series] = mixture.mean().reshape(size)
            by_term["std_error"][series] = mixture.standard_error().reshape(size) * blank
            by_term["conf_low"][series] = mixture.quantile((1 - conf_level) / 2).reshape(size) * blank
            by_term["conf_high"][series] = mixture.quantile((1 + conf_level) / 2).reshape(size) * blank
            by_term["p_value"][series] = mixture.two_sided().reshape(size) * blank
        for name, found in _about_rho(fitted.rho, weight, conf_level).items():
            by_series[name][reduced.series] = np.where(reduced.exact, np.nan, found)
        by_series["df"][reduced.series] = reduced.df
        exact[reduced.series] = reduced.exact
    on_boundary = by_series["rho"] >= RHO_BOUNDARY
    return ArrayFit(
        method=method,
        conf_level=conf_level,
        terms=asked.terms,
        **by_term,
        **by_series,
        flagged=(by_series["near_one"] > NEAR_ONE_SHARE) | on_boundary,
        exact=exact,
        n=np.isfinite(y).sum(axis=1).astype(np.float64),
    )


def ratio_interval(
    y: Floats,
    design: Design,
    *,
    top: Floats,
    bottom: Floats,
    method: str = "integrated",
    conf_level: float = 0.95,
) -> tuple[Floats, Floats, Floats]:
    """Give the ratio of two combinations of coefficients with its interval, for every row of y (S, n).

    The probability that top/bottom lies below r is that of top − r·bottom lying below 0, which is one more
    mixture of t; its quantiles are found by bisection in r. Where the bottom is not clearly above 0 (its own
    interval reaches 0) a ratio says nothing and all three are NaN.

    Parameters
    ----------
    top, bottom : (p,) contrasts

    Returns
    -------
    Ratio of the two estimates, lower and upper end, each (S,).
    """
    _check(y, design, method, conf_level)
    ratio, low, high = (np.full(len(y), np.nan) for _ in range(3))
    groups, _ = moments(y, design.matrix)
    pair = Contrasts(("top", "bottom"), np.stack([top, bottom]), np.zeros(2, dtype=np.intp))
    for reduced, fitted, weight in _weighted(groups, y.shape[1], method):
        everything = slice(0, reduced.series.size)
        both = contrast_mixture(reduced, fitted, weight, pair, everything)
        middle = both.mean().reshape(-1, 2)
        reach = both.quantile((1 - conf_level) / 2).reshape(-1, 2)[:, 1]
        usable = (reach > 0) & ~reduced.exact
        estimate = np.where(usable, middle[:, 0] / middle[:, 1], np.nan)

        def below(
            value: Floats, reduced: Moments = reduced, fitted: Conditional = fitted, weight: Floats = weight
        ) -> Floats:
            return _ratio_below(reduced, fitted, weight, top, bottom, value)

        ratio[reduced.series] = estimate
        low[reduced.series] = np.where(usable, _ratio_root(below, (1 - conf_level) / 2, estimate), np.nan)
        high[reduced.series] = np.where(usable, _ratio_root(below, (1 + conf_level) / 2, estimate), np.nan)
    return ratio, low, high


def contrast_mixture(
    reduced: Moments, fitted: Conditional, weight: Floats, asked: Contrasts, part: slice
) -> TMixture:
    """Turn the fits of some series into one mixture for each of their contrasts, series by series."""
    coefficient = fitted.coefficient[:, part]
    own = slice(None) if fitted.covariance.shape[1] == 1 else part
    covariance, rho = fitted.covariance[:, own], fitted.rho[:, own]
    g, s = coefficient.shape[:2]
    base = asked.weights @ reduced.basis
    power = np.where(asked.ahead > 0, rho[..., None] ** asked.ahead, 0.0)
    rows = base - power[..., None] * reduced.last_row
    location = np.einsum("gslp,gsp->gsl", np.broadcast_to(rows, (g, s, *base.shape)), coefficient)
    location = location + power * reduced.last_value[part, None]
    to_come = np.where(asked.ahead > 0, (1 - power**2) / (1 - rho[..., None] ** 2), 0.0)
    factor = np.einsum("gslp,gspq,gslq->gsl", rows, covariance, rows) + to_come
    spread = np.sqrt(factor * fitted.innovation[:, part, None])
    count = s * len(asked.terms)
    return TMixture(
        location=location.reshape(g, count),
        spread=spread.reshape(g, count),
        weight=np.repeat(weight[:, part], len(asked.terms), axis=1),
        df=np.full(count, float(reduced.df)),
    )


def _weighted(groups: list[Moments], n: int, method: str) -> list[tuple[Moments, Conditional, Floats]]:
    """Fit each group over ρ, and weigh every ρ (G, S) as the method does."""
    if method == "ols":
        fits = [given_grid(reduced, np.zeros(1)) for reduced in groups]
    elif method == "reml":
        fits = [given_each(reduced, likeliest_rho(reduced)) for reduced in groups]
    else:
        rho, log_share = rho_grid(n, network=method == "network")
        fits = [given_grid(reduced, rho) for reduced in groups]
    if method == "network" and groups:
        together = network_weight(
            np.concatenate([fitted.log_restricted for fitted in fits], axis=1),
            rho,
            log_share,
            centers=NETWORK_CENTERS,
            spreads=NETWORK_SPREADS,
        )
        ends = np.cumsum([reduced.series.size for reduced in groups])
        weights = np.split(together, ends[:-1], axis=1)
    elif method == "integrated":
        weights = [integrated_weight(fitted.log_restricted, rho, log_share) for fitted in fits]
    else:
        weights = [np.ones((1, reduced.series.size)) for reduced in groups]
    return list(zip(groups, fits, weights, strict=True))


def _about_rho(rho: Floats, weight: Floats, conf_level: float) -> dict[str, Floats]:
    """Sum up the weights of ρ: mean, interval, share near 1."""
    about = {"rho": np.sum(weight * rho, axis=0), "near_one": np.sum(weight * (rho > NEAR_ONE), axis=0)}
    if len(rho) > 1:
        total = np.cumsum(weight, axis=0) - weight / 2
        for name, probability in (("rho_low", (1 - conf_level) / 2), ("rho_high", (1 + conf_level) / 2)):
            about[name] = np.array([np.interp(probability, column, rho[:, 0]) for column in total.T])
    return about


def _ratio_below(
    reduced: Moments, fitted: Conditional, weight: Floats, top: Floats, bottom: Floats, value: Floats
) -> Floats:
    rows = (top - value[:, None] * bottom) @ reduced.basis
    location = np.einsum("sp,gsp->gs", rows, fitted.coefficient)
    factor = np.einsum(
        "sp,gspq,sq->gs",
        rows,
        np.broadcast_to(fitted.covariance, (len(fitted.rho), len(rows), *fitted.covariance.shape[2:])),
        rows,
    )
    spread = np.sqrt(factor * fitted.innovation)
    mixture = TMixture(location, spread, weight, np.full(len(rows), float(reduced.df)))
    return mixture.below(np.zeros(len(rows)))


RATIO_HALVINGS = 50
RATIO_REACH = 1e3  # ratios beyond ± this from the estimate are not looked for


def _ratio_root(below: Callable[[Floats], Floats], probability: float, estimate: Floats) -> Floats:
    """Bisect for the ratio with this probability below it; endless where none is in reach."""
    middle = np.nan_to_num(estimate)
    low, high = middle - RATIO_REACH, middle + RATIO_REACH
    for _ in range(RATIO_HALVINGS):
        probe = (low + high) / 2
        # top − r·bottom falls as r grows, so the probability that it lies below 0 rises
        rising = below(probe) < probability
        low, high = np.where(rising, probe, low), np.where(rising, high, probe)
    return np.asarray((low + high) / 2)


def _batches(count: int) -> list[slice]:
    return [slice(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]


def _check(y: Floats, design: Design, method: str, conf_level: float) -> None:
    if method not in METHODS:
        raise ParameterError(
            f"{method!r} is not a method of interrupted time series; use {', '.join(map(repr, METHODS))}"
        )
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    if y.ndim != 2 or y.shape[1] != len(design.matrix):
        raise DesignError(
            f"the series have {y.shape[-1]} periods, the design {len(design.matrix)}; give both the same"
        )
