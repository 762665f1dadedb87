"""Gaps in ordered levels (below, near, at, above standard) that do not depend on where the cut score lies.

A gap in percent proficient grows or shrinks with the cut score alone. These gaps compare the whole
distributions, on the scale of standard deviations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from evalkit.errors import DataError, DesignError, ParameterError
from evalkit.intervals import one_proportion_interval

Floats = NDArray[np.float64]

FIRST_CUTS = (-1.0, 0.0)  # where the fit holds the two lowest cuts; a scale is only a choice of zero and unit
FEWEST_FILLED = 3  # levels with persons that a group needs to show its own spread
SCALES = ("star", "zero", "fixed")
STEP = 1e-5  # of the numerical second derivatives


@dataclass(frozen=True)
class OrdinalGap:
    """A gap between two distributions over ordered levels, in pooled standard deviations."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float


def probit_gap(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, *, conf_level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """Subtract the normal quantiles of two proportions: the gap in standard deviations behind two levels.

    Parameters
    ----------
    x1, n1, x2, n2 : persons at or above the cut and all persons, of two groups; shapes broadcast

    Returns
    -------
    Gap (first minus second), low and high, from both groups' Wilson intervals. Without end where a group is
    all above or all below; NaN where both are.

    References
    ----------
    Ho (2009), Journal of Educational and Behavioral Statistics 34:201-228. Zou and Donner (2008),
    Statistics in Medicine 27:1693-1702, for the interval of a difference from two intervals.
    """
    sides = []
    for x, n in ((x1, n1), (x2, n2)):
        ends = one_proportion_interval(x, n, conf_level=conf_level)
        with np.errstate(all="ignore"):
            share = np.asarray(x, dtype=np.float64) / np.asarray(n, dtype=np.float64)
        sides.append([special.ndtri(value) for value in (share, *ends)])
    (first, low1, high1), (second, low2, high2) = sides
    with np.errstate(all="ignore"):
        gap = first - second
        low = gap - np.hypot(first - low1, high2 - second)
        high = gap + np.hypot(high1 - first, second - low2)
    # An endless gap still has the end that the data give it.
    low = np.where(np.isposinf(gap), low1 - high2, np.where(np.isneginf(gap), -np.inf, low))
    high = np.where(np.isneginf(gap), high1 - low2, np.where(np.isposinf(gap), np.inf, high))
    return gap, np.where(np.isnan(gap), np.nan, low), np.where(np.isnan(gap), np.nan, high)


def v_gap(first: ArrayLike, second: ArrayLike, *, conf_level: float = 0.95) -> OrdinalGap:
    """Estimate V = √2 · Φ⁻¹(P(first above second)) from two groups' counts over the same ordered levels.

    Both distributions are taken as normal on some common scale, fitted by maximum likelihood. Positive where
    the first group is higher.

    Raises
    ------
    DataError : the counts do not go together.
    DesignError : fewer than 3 levels are filled in either group; use `probit_gap` on two.

    References
    ----------
    Ho and Reardon (2012), Journal of Educational and Behavioral Statistics 37:489-517.
    """
    counts = _checked(np.stack([np.asarray(first, float), np.asarray(second, float)]))
    if min(_filled(counts)) < FEWEST_FILLED:
        raise DesignError(
            f"V needs at least {FEWEST_FILLED} levels with persons in each group; use probit_gap for two"
        )
    point, covariance = _fit(counts)

    def v_of(parameters: Floats) -> float:
        mean, log_sd = parameters[:2], parameters[2:4]
        return float((mean[0] - mean[1]) / np.sqrt(np.exp(2 * log_sd).mean()))

    gradient = _numerical_gradient(v_of, point)
    estimate, error = v_of(point), float(np.sqrt(gradient @ covariance @ gradient))
    z = float(special.ndtri((1 + conf_level) / 2))
    return OrdinalGap(estimate, error, estimate - z * error, estimate + z * error)


def hetop(counts: pd.DataFrame, *, scale: str = "star") -> pd.DataFrame:
    """Estimate every group's mean and standard deviation from counts over ordered levels, all at once.

    Parameters
    ----------
    counts : a row per group (its index), a column per level, from the lowest to the highest
    scale : "star" (all persons together have mean 0 and standard deviation 1), "zero" (the groups' means and
        log standard deviations, weighted by persons, are 0) or "fixed" (the two lowest cuts at −1 and 0)

    Returns
    -------
    Index as `counts`; `mean`, `std_dev`, `n` and `note`. A group with fewer than 3 filled levels takes the
    others' mean log standard deviation; one that is all in the lowest or highest level has no mean.

    Raises
    ------
    DataError : a count is negative or absent, or a group has nobody.
    DesignError : fewer than 3 levels, or no group fills 3 of them.

    References
    ----------
    Reardon, Shear, Castellano and Ho (2017), Journal of Educational and Behavioral Statistics 42:3-45.
    """
    if scale not in SCALES:
        raise ParameterError(f"scale is {scale!r}; use {' or '.join(map(repr, SCALES))}")
    table = _checked(counts.to_numpy(dtype=float), names=[str(name) for name in counts.index])
    ends = (table[:, 0] == table.sum(axis=1)) | (table[:, -1] == table.sum(axis=1))
    sparse = _filled(table) < FEWEST_FILLED
    mean, log_sd = np.full(len(table), np.nan), np.full(len(table), np.nan)
    if sparse.all():
        raise DesignError(f"no group fills {FEWEST_FILLED} levels, so no spread can be estimated")
    groups = int((~ends).sum())
    point, _ = _fit(table[~ends])
    mean[~ends], log_sd[~ends] = point[:groups], _spread_out(point[groups:], table[~ends])
    persons = table.sum(axis=1)
    weight = np.where(ends, 0.0, persons) / persons[~ends].sum()
    zero, unit = _zero_and_unit(np.nan_to_num(mean), np.nan_to_num(np.exp(log_sd)), weight, scale)
    notes = np.where(
        ends,
        "all persons in the lowest or highest level: no mean",
        np.where(sparse, "fewer than 3 filled levels: takes the others' spread", ""),
    )
    return pd.DataFrame(
        {"mean": (mean - zero) / unit, "std_dev": np.exp(log_sd) / unit, "n": persons, "note": notes},
        index=counts.index,
    )


def _zero_and_unit(mean: Floats, std_dev: Floats, weight: Floats, scale: str) -> tuple[float, float]:
    if scale == "fixed":
        return 0.0, 1.0
    zero = float(weight @ mean)
    if scale == "zero":
        used = weight > 0
        return zero, float(np.exp(weight[used] @ np.log(std_dev[used])))
    return zero, float(np.sqrt(weight @ ((mean - zero) ** 2 + std_dev**2)))


def _fit(counts: Floats) -> tuple[Floats, Floats]:
    """Maximise the likelihood of means, log standard deviations and the cuts above the first two.

    Returns
    -------
    Parameters (means, log standard deviations of the groups that show one, logs of the cuts' distances), and
    their covariance from the numerical information.
    """
    own = _filled(counts) >= FEWEST_FILLED
    below = np.clip(np.cumsum(counts.sum(axis=0))[:-1] / counts.sum(), 0.001, 0.999)
    quantile = special.ndtri(below)
    unit = (FIRST_CUTS[1] - FIRST_CUTS[0]) / (quantile[1] - quantile[0])
    start_cuts = FIRST_CUTS[0] + (quantile - quantile[0]) * unit
    share = (counts + 0.5)[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1] / (counts + 0.5).sum(axis=1)
    start = np.concatenate(
        [
            special.ndtri(share) * unit + FIRST_CUTS[0],
            np.full(int(own.sum()), np.log(unit)),
            np.log(np.diff(start_cuts)[1:]),
        ]
    )

    def loss(parameters: Floats) -> tuple[float, Floats]:
        return _minus_log_likelihood(parameters, counts)

    scale = counts.sum()
    found = optimize.minimize(
        lambda parameters: tuple(part / scale for part in loss(parameters)), start, jac=True, method="BFGS",
        options={"gtol": 1e-10, "maxiter": 2000},
    )  # fmt: skip
    point = np.asarray(found.x, dtype=np.float64)
    information = np.stack(
        [
            (loss(point + STEP * unit_vector)[1] - loss(point - STEP * unit_vector)[1]) / (2 * STEP)
            for unit_vector in np.eye(point.size)
        ]
    )
    covariance: Floats = np.linalg.pinv((information + information.T) / 2).astype(np.float64)
    return point, covariance


def _spread_out(tail: Floats, counts: Floats) -> Floats:
    """Give every group a log standard deviation: its own, or the mean of the others weighted by persons."""
    own = _filled(counts) >= FEWEST_FILLED
    persons = counts.sum(axis=1) * own
    log_sd = np.full(len(counts), float((persons[own] @ tail[: own.sum()]) / persons.sum()))
    log_sd[own] = tail[: own.sum()]
    return log_sd


def _minus_log_likelihood(parameters: Floats, counts: Floats) -> tuple[float, Floats]:
    groups = len(counts)
    own = _filled(counts) >= FEWEST_FILLED
    mean, log_sd = parameters[:groups], _spread_out(parameters[groups:], counts)
    steps = np.exp(parameters[groups + int(own.sum()) :])
    cuts = np.concatenate([FIRST_CUTS, FIRST_CUTS[1] + np.cumsum(steps)])
    std_dev = np.exp(log_sd)[:, None]
    standard = (cuts[None] - mean[:, None]) / std_dev
    edges = np.pad(special.ndtr(standard), ((0, 0), (1, 1)), constant_values=(0.0, 1.0))
    share = np.maximum(np.diff(edges, axis=1), 1e-300)
    value = -float((counts * np.log(share)).sum())
    # d log L / d edge: the level below gains what the level above loses.
    pull = counts / share
    edge = (pull[:, :-1] - pull[:, 1:]) * np.exp(-(standard**2) / 2) / np.sqrt(2 * np.pi)
    by_mean = -(edge / std_dev).sum(axis=1)
    by_log_sd = -(edge * standard).sum(axis=1)
    persons = counts.sum(axis=1) * own
    by_own = by_log_sd[own] + by_log_sd[~own].sum() * persons[own] / persons.sum()
    by_cut = (edge / std_dev).sum(axis=0)[2:]
    by_step = np.cumsum(by_cut[::-1])[::-1] * steps
    return value, -np.concatenate([by_mean, by_own, by_step])


def _checked(counts: Floats, names: list[str] | None = None) -> Floats:
    if counts.ndim != 2 or not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError("counts of levels must be whole, known and not negative; leave hidden groups out")
    nobody = np.flatnonzero(counts.sum(axis=1) == 0)
    if nobody.size:
        who = ", ".join(
            (names or [f"group {place + 1}" for place in range(len(counts))])[at] for at in nobody
        )
        raise DataError(f"nobody is counted in {who}")
    # A level that nobody reached says nothing of where its cuts lie.
    filled = counts[:, counts.sum(axis=0) > 0]
    if filled.shape[1] < FEWEST_FILLED:
        raise DesignError(f"fewer than {FEWEST_FILLED} levels with persons; use probit_gap for two")
    return filled


def _filled(counts: Floats) -> NDArray[np.int64]:
    return np.asarray((counts > 0).sum(axis=1), dtype=np.int64)


def _numerical_gradient(function: Callable[[Floats], float], point: Floats) -> Floats:
    return np.array(
        [
            (function(point + STEP * unit) - function(point - STEP * unit)) / (2 * STEP)
            for unit in np.eye(point.size)
        ]
    )
