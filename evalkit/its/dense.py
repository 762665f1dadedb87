"""Other error models than AR(1): any covariance of the errors on a grid, one series at a time.

The engine's sums are for AR(1). Here the covariance is written out, so that a series can be read under errors
that go with those two periods back, under AR(1) with sampling noise on top, and with the sampling variance of
its counts taken as known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import ParameterError
from evalkit.its.design import Contrasts, Design
from evalkit.its.mixture import TMixture

Floats = NDArray[np.float64]

MODELS = ("ar2", "ar1_noise")
RHO_NODES = 24
SECOND_NODES = 12  # partial autocorrelations at lag 2
NOISE_NODES = 10  # shares of the variance that are noise
SPREAD_NODES = 24  # standard deviations of the AR(1) part where the sampling variance is known
MOST_NOISE = 0.95
SECOND_REACH = 0.9
# standard deviations of the AR(1) part run from this to that multiple of the residuals' own
SPREAD_LOW, SPREAD_HIGH = 0.01, 4.0


@dataclass(frozen=True, eq=False)
class DenseFit:
    """Estimates of L terms of one series; otherwise as `ArrayFit`."""

    terms: tuple[str, ...]
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


def fit_errors(
    y: Floats, design: Design, asked: Contrasts, *, model: str, conf_level: float = 0.95
) -> DenseFit:
    """Fit one series (n,) under another error model, integrated over its parameters.

    Parameters
    ----------
    model : "ar2" (partial autocorrelations at lags 1 and 2; prior 1 + the first, even in the second) or
        "ar1_noise" (AR(1), prior 1 + ρ, and a share of the variance that is noise, even from 0 to .95)

    Raises
    ------
    ParameterError : the model is unknown.
    """
    if model not in MODELS:
        raise ParameterError(f"no error model {model!r}; use {' or '.join(MODELS)}")
    rows = np.flatnonzero(np.isfinite(y))
    lag = np.abs(rows[:, None] - rows[None, :])
    rho, rho_share = _nodes(RHO_NODES, -0.99, 0.99)
    prior = (1 + rho) * rho_share
    if model == "ar2":
        second, share = _nodes(SECOND_NODES, -SECOND_REACH, SECOND_REACH)
        correlation = np.stack([_ar2(a, b, int(lag.max()))[lag] for a in rho for b in second])
    else:
        noise, share = _nodes(NOISE_NODES, 0.0, MOST_NOISE)
        plain = rho[:, None, None] ** lag
        eye = np.eye(len(rows))
        mixed = (1 - noise)[:, None, None, None] * plain + noise[:, None, None, None] * eye
        correlation = mixed.transpose(1, 0, 2, 3).reshape(-1, len(rows), len(rows))
    log_prior = np.log(np.repeat(prior, len(share)) * np.tile(share, len(rho)))
    return _integrated(y[rows], design.matrix[rows], correlation, log_prior, asked, conf_level, known=False)


def fit_known_variance(
    y: Floats, variance: Floats, design: Design, asked: Contrasts, *, conf_level: float = 0.95
) -> DenseFit:
    """Fit one series (n,) whose sampling variances (n,) are taken as known, on top of AR(1) errors.

    ρ has the prior 1 + ρ, the standard deviation of the AR(1) part an even one, so that it may be nothing.

    Parameters
    ----------
    variance : of each value around its true rate, in the square of its unit
    """
    rows = np.flatnonzero(np.isfinite(y))
    lag = np.abs(rows[:, None] - rows[None, :])
    x = design.matrix[rows]
    left = y[rows] - x @ np.linalg.lstsq(x, y[rows], rcond=None)[0]
    size = np.sqrt(left @ left / max(len(rows) - x.shape[1], 1) + variance[rows].mean())
    rho, rho_share = _nodes(RHO_NODES, -0.99, 0.99)
    # the longer the memory of the AR(1) part, the further it may stray, so the reach grows with it
    log_spread, spread_share = _nodes(SPREAD_NODES, float(np.log(SPREAD_LOW)), float(np.log(SPREAD_HIGH)))
    spread = size * np.exp(log_spread)
    # an even prior on the innovation's standard deviation, written on its logarithm
    innovation = spread[None, :] * np.sqrt(1 - rho[:, None] ** 2)
    covariance = (spread**2)[None, :, None, None] * (rho[:, None, None] ** lag)[:, None]
    covariance = covariance.reshape(-1, len(rows), len(rows)) + np.diag(variance[rows])
    log_prior = np.log(((1 + rho) * rho_share)[:, None] * spread_share * innovation).reshape(-1)
    return _integrated(y[rows], x, covariance, log_prior, asked, conf_level, known=True)


def _integrated(
    y: Floats,
    x: Floats,
    covariance: Floats,
    log_prior: Floats,
    asked: Contrasts,
    conf_level: float,
    *,
    known: bool,
) -> DenseFit:
    """Weigh every covariance (G, n, n) by prior × restricted likelihood, and mix what each one gives.

    `known` says whether the covariances are to scale; otherwise their size is integrated out, and each gives
    a t distribution instead of a normal one.
    """
    count, columns = x.shape
    lower = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(lower, np.column_stack([x, y])[None])
    design, value = whitened[:, :, :-1], whitened[:, :, -1]
    gram = design.transpose(0, 2, 1) @ design
    inverse = np.linalg.inv(gram)
    coefficient = (inverse @ (design.transpose(0, 2, 1) @ value[:, :, None]))[:, :, 0]
    residual = np.sum((value - (design @ coefficient[:, :, None])[:, :, 0]) ** 2, axis=1)
    size = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1) + np.linalg.slogdet(gram)[1]
    df = count - columns
    misfit = residual if known else df * np.log(residual)
    log_weight = log_prior - 0.5 * (size + misfit)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    scale = np.ones_like(residual) if known else residual / df
    location = coefficient @ asked.weights.T
    factor = np.einsum("lp,gpq,lq->gl", asked.weights, inverse, asked.weights, optimize=True)
    terms = len(asked.terms)
    mixture = TMixture(
        location,
        np.sqrt(factor * scale[:, None]),
        np.repeat(weight[:, None], terms, axis=1),
        np.full(terms, np.inf if known else float(df)),
    )
    low, high = mixture.quantiles(((1 - conf_level) / 2, (1 + conf_level) / 2))
    return DenseFit(asked.terms, mixture.mean(), mixture.standard_error(), low, high)


def _nodes(count: int, low: float, high: float) -> tuple[Floats, Floats]:
    node, share = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (node + 1) / 2, share / 2


def _ar2(first: float, second: float, longest: int) -> Floats:
    """Return the autocorrelations at lags 0 to `longest` from the two partial ones."""
    own = [1.0, first]
    for _ in range(2, longest + 1):
        own.append(first * (1 - second) * own[-1] + second * own[-2])
    return np.array(own[: longest + 1])
