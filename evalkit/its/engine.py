"""Segmented regression with honest intervals for many short series at once: arrays in, arrays out.

The methods differ in one thing, the weight each autocorrelation ρ gets: all on 0 ("ols"), all on the
likeliest ("reml"), spread by how likely each is for this series ("integrated") or given what the whole family
of series says of ρ ("network"). Every answer is then a mixture of t distributions over that one grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import DesignError, ParameterError
from evalkit.its.autocorrelation import (
    RHO_BOUNDARY,
    Conditional,
    given_each,
    given_grid,
    likeliest_rho,
    rho_grid,
)
from evalkit.its.design import Contrasts, Design, coefficients, segmented_design
from evalkit.its.mixture import TMixture
from evalkit.its.moments import Moments, moments
from evalkit.its.replication import newey_west, prais_winsten, satterthwaite_df
from evalkit.its.weights import lone_prior, network_prior, posterior

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

METHODS = ("integrated", "network", "reml", "reml_satterthwaite", "prais", "hac", "ols")
INTEGRATING = ("integrated", "network")  # those that spread their weight over ρ

NEAR_ONE = 0.9  # ρ above which a series is hard to tell from a random walk
NEAR_ONE_SHARE = 0.25  # posterior share above it that is flagged; the prior 1 + ρ alone puts 0.09 there


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
        teach each other what ρ is: one family of comparable series), and for replication only "ols", "hac"
        (Newey-West, one lag), "prais" (iterated), "reml" (AR(1) at the likeliest ρ, t(n − p)) and
        "reml_satterthwaite" (the same with Satterthwaite's degrees of freedom)
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
    asked = coefficients(design) if contrasts is None else contrasts
    return fit_together([Member(y, design, asked)], method=method, conf_level=conf_level)[0]


@dataclass(frozen=True, eq=False)
class Member:
    """Some series of a family with one design between them.

    Attributes
    ----------
    y : (S, n), NaN where missing
    design : its matrix has n rows
    contrasts : what is asked of each series
    teaches : whether these series help the family to learn its autocorrelation
    """

    y: Floats
    design: Design
    contrasts: Contrasts
    teaches: bool = True


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed of ρ before a series is seen: points (G,) and the log of their weights (G,)."""

    rho: Floats
    log_weight: Floats


def fit_together(
    members: Sequence[Member], *, method: str = "network", conf_level: float = 0.95
) -> list[ArrayFit]:
    """Fit series of different designs as one family; each member's fit is as `fit_design` gives it.

    By method "network" all members that teach learn the prior of ρ together; by every other method a series
    stands alone and the members do not know of one another.
    """
    return fit_members(members, learn(members, method), method=method, conf_level=conf_level)


def learn(members: Sequence[Member], method: str = "network") -> Prior | None:
    """Choose the points of ρ and their prior; None where the method does not integrate over ρ."""
    if method not in METHODS:
        raise ParameterError(
            f"{method!r} is not a method of interrupted time series; use {', '.join(map(repr, METHODS))}"
        )
    if method not in INTEGRATING or not members:
        return None
    rho, log_share = rho_grid(max(member.y.shape[1] for member in members), network=method == "network")
    teaching = [
        given_grid(batch, rho).log_restricted[:, ~batch.exact]
        for member in members
        if method == "network" and member.teaches
        for batch in reduced(member)
    ]
    if sum(found.shape[1] for found in teaching):
        return Prior(rho, network_prior(np.concatenate(teaching, axis=1), rho, log_share))
    return Prior(rho, lone_prior(rho, log_share))


def fit_members(
    members: Sequence[Member], prior: Prior | None, *, method: str, conf_level: float = 0.95
) -> list[ArrayFit]:
    """Fit every member with a prior that `learn` gave; it may have learned from other members."""
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    return [_answer(member, reduced(member), prior, method, conf_level) for member in members]


def reduced(member: Member) -> list[Moments]:
    """Reduce the series of a member to the sums that its fits need.

    Raises
    ------
    DesignError : series and design have different numbers of periods.
    """
    if member.y.ndim != 2 or member.y.shape[1] != len(member.design.matrix):
        raise DesignError(
            f"the series have {member.y.shape[-1]} periods, the design {len(member.design.matrix)}; "
            "give both the same"
        )
    return moments(member.y, member.design.matrix, position=member.design.position)[0]


def _answer(
    member: Member, batches: Sequence[Moments], prior: Prior | None, method: str, conf_level: float
) -> ArrayFit:
    """Give every contrast of every series of one member its interval."""
    shape = (len(member.y), len(member.contrasts.terms))
    by_term = {
        name: np.full(shape, np.nan) for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    }
    by_series = {name: np.full(shape[0], np.nan) for name in ("rho", "rho_low", "rho_high", "near_one", "df")}
    exact = np.zeros(shape[0], dtype=np.bool_)
    tails = ((1 - conf_level) / 2, (1 + conf_level) / 2)
    for batch in batches:
        fitted, weight = weighed(batch, prior, method, member)
        mixture = contrast_mixture(batch, fitted, weight, member.contrasts)
        if method == "reml_satterthwaite":
            mixture = replace(mixture, df=satterthwaite_df(batch, fitted, member.contrasts))
        low, high = mixture.quantiles(tails)
        size = (batch.series.size, shape[1])
        blank = np.where(batch.exact[:, None], np.nan, 1.0)
        by_term["estimate"][batch.series] = mixture.mean().reshape(size)
        by_term["std_error"][batch.series] = mixture.standard_error().reshape(size) * blank
        by_term["conf_low"][batch.series] = low.reshape(size) * blank
        by_term["conf_high"][batch.series] = high.reshape(size) * blank
        by_term["p_value"][batch.series] = mixture.two_sided().reshape(size) * blank
        for name, found in _about_rho(fitted.rho, weight, tails).items():
            by_series[name][batch.series] = np.where(batch.exact, np.nan, found)
        by_series["df"][batch.series] = batch.df
        exact[batch.series] = batch.exact
    on_boundary = by_series["rho"] >= RHO_BOUNDARY
    return ArrayFit(
        method=method,
        conf_level=conf_level,
        terms=member.contrasts.terms,
        **by_term,
        **by_series,
        flagged=(by_series["near_one"] > NEAR_ONE_SHARE) | on_boundary,
        exact=exact,
        n=np.isfinite(member.y).sum(axis=1).astype(np.float64),
    )


def weighed(batch: Moments, prior: Prior | None, method: str, member: Member) -> tuple[Conditional, Floats]:
    """Fit some series over ρ, and weigh every ρ (G, S) as the method does."""
    if prior is not None:
        fitted = given_grid(batch, prior.rho)
        return fitted, posterior(fitted.log_restricted, prior.log_weight)
    if method in {"hac", "prais"}:
        estimator = newey_west if method == "hac" else prais_winsten
        fitted = estimator(batch, member.y[batch.series], member.design.matrix)
    elif method == "ols":
        fitted = given_grid(batch, np.zeros(1))
    else:
        fitted = given_each(batch, likeliest_rho(batch))
    return fitted, np.ones((1, batch.series.size))


def contrast_mixture(batch: Moments, fitted: Conditional, weight: Floats, asked: Contrasts) -> TMixture:
    """Turn the fits of some series into one mixture for each of their contrasts, series by series."""
    if asked.weights.ndim == 3:
        return _own_mixture(batch, fitted, weight, asked)
    base = asked.weights @ batch.basis
    if not np.any(asked.ahead > 0):
        location = fitted.coefficient @ base.T
        factor = np.sum((base @ fitted.covariance) * base, axis=-1)[:, fitted.pattern]
    else:
        own_rho = fitted.covariance.shape[1] != len(batch.last_row)
        last_row = batch.last_row[batch.pattern] if own_rho else batch.last_row
        power = np.where(asked.ahead > 0, fitted.rho[..., None] ** asked.ahead, 0.0)
        rows = base - power[..., None] * last_row[None, :, None, :]
        to_come = np.where(asked.ahead > 0, (1 - power**2) / (1 - fitted.rho[..., None] ** 2), 0.0)
        factor = (np.sum((rows @ fitted.covariance) * rows, axis=-1) + to_come)[:, fitted.pattern]
        location = (rows[:, fitted.pattern] @ fitted.coefficient[..., None])[..., 0]
        location = location + power * batch.last_value[:, None]
    return _mixture(batch, fitted, weight, location, factor)


def _own_mixture(batch: Moments, fitted: Conditional, weight: Floats, asked: Contrasts) -> TMixture:
    """Do the same for means where each series is asked something of its own."""
    rows = asked.weights[batch.series] @ batch.basis
    location = (rows @ fitted.coefficient[..., None])[..., 0]
    factor = np.sum((rows @ fitted.covariance[:, fitted.pattern]) * rows, axis=-1)
    return _mixture(batch, fitted, weight, location, factor)


def _mixture(
    batch: Moments, fitted: Conditional, weight: Floats, location: Floats, factor: Floats
) -> TMixture:
    g, s, terms = location.shape
    spread = np.sqrt(factor * fitted.innovation[..., None])
    return TMixture(
        location=location.reshape(g, s * terms),
        spread=spread.reshape(g, s * terms),
        weight=np.repeat(weight, terms, axis=1),
        df=np.repeat(batch.df, terms),
    )


def _about_rho(rho: Floats, weight: Floats, tails: tuple[float, float]) -> dict[str, Floats]:
    """Sum up the weights of ρ: mean, interval, share near 1."""
    about = {"rho": np.sum(weight * rho, axis=0), "near_one": np.sum(weight * (rho > NEAR_ONE), axis=0)}
    if len(rho) > 1:
        total = np.cumsum(weight, axis=0) - weight / 2
        for name, probability in zip(("rho_low", "rho_high"), tails, strict=True):
            about[name] = _interpolated(probability, total, rho[:, 0])
    return about


def _interpolated(probability: float, total: Floats, rho: Floats) -> Floats:
    """Find where each rising column of total (G, S) reaches a probability, between the points (G,) of ρ."""
    upper = np.clip((total < probability).sum(axis=0), 1, len(rho) - 1)
    everyone = np.arange(total.shape[1])
    start, end = total[upper - 1, everyone], total[upper, everyone]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((probability - start) / (end - start), 0.0, 1.0)
    return np.asarray(rho[upper - 1] + np.nan_to_num(share) * (rho[upper] - rho[upper - 1]))
