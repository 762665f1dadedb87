"""Estimators that others have used on short series, to replicate their numbers: not to draw conclusions from.

On short series all of them are too sure (Turner et al. 2021, BMC Medical Research Methodology 21:181);
`evalkit.its.calibration` measures how much.
"""

import numpy as np
from numpy.typing import NDArray

from evalkit.its.autocorrelation import RHO_BOUNDARY, Conditional, given_each
from evalkit.its.design import Contrasts
from evalkit.its.moments import Moments

Floats = NDArray[np.float64]

NEWEY_WEST_LAGS = 1
PRAIS_STEPS = 500
PRAIS_TOLERANCE = 1e-8  # change of ρ between two rounds
RHO_STEP = 1e-4  # of the central differences in ρ
FEWEST_DF = 1.0  # Satterthwaite's degrees of freedom are not let below it: t then has no mean


def newey_west(batch: Moments, y: Floats, design: Floats, *, lags: int = NEWEY_WEST_LAGS) -> Conditional:
    """Fit by ordinary least squares, with Newey and West's covariance and the factor n / (n − p).

    Parameters
    ----------
    y : (S, n) series of the batch; periods count as neighbours only where none is missing between them
    design : (n, p)
    lags : autocorrelations taken in, with Bartlett's weights

    References
    ----------
    Newey and West (1987), Econometrica 55:703-708.
    """
    x = design @ batch.basis
    seen = np.isfinite(y)
    error = np.where(seen, y - batch.coefficient @ x.T, 0.0)
    score = error[:, :, None] * x
    meat = score.transpose(0, 2, 1) @ score
    for lag in range(1, lags + 1):
        crossed = score[:, lag:].transpose(0, 2, 1) @ score[:, :-lag]
        meat += (1 - lag / (lags + 1)) * (crossed + crossed.transpose(0, 2, 1))
    bread = np.linalg.inv(np.einsum("st,tp,tq->spq", seen.astype(np.float64), x, x, optimize=True))
    count = batch.count[batch.pattern]
    covariance = bread @ meat @ bread * (count / batch.df)[:, None, None]
    blank = np.zeros((1, len(y)))
    return Conditional(
        blank, batch.coefficient[None], covariance[None], np.arange(len(y)), blank + 1.0, blank
    )


def prais_winsten(batch: Moments, y: Floats, design: Floats) -> Conditional:
    """Fit by Prais and Winsten's generalised least squares, ρ and coefficients in turn until ρ stands still.

    ρ is the regression of each residual on the one before, without intercept; a missing period takes its two
    pairs out of that regression, and its gap into the fit.

    References
    ----------
    Prais and Winsten (1954), Cowles Commission Discussion Paper 383.
    """
    x = design @ batch.basis
    seen = np.isfinite(y)
    pair = (seen[:, 1:] & seen[:, :-1]).astype(np.float64)
    coefficient, rho = batch.coefficient, np.zeros(len(y))
    for _ in range(PRAIS_STEPS):
        error = np.where(seen, y - coefficient @ x.T, 0.0)
        before = np.sum(pair * error[:, :-1] ** 2, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.nan_to_num(np.sum(pair * error[:, 1:] * error[:, :-1], axis=1) / before)
        found = np.clip(found, -RHO_BOUNDARY, RHO_BOUNDARY)
        moved, rho = np.abs(found - rho).max(initial=0.0), found
        coefficient = given_each(batch, rho).coefficient[0]
        if moved < PRAIS_TOLERANCE:
            break
    return given_each(batch, rho)


def satterthwaite_df(batch: Moments, fitted: Conditional, asked: Contrasts) -> Floats:
    """Give the degrees of freedom (S·L) of each contrast's variance, after Satterthwaite.

    The variance of a contrast is v(σ², ρ); its own variance follows from the curvature of the restricted
    likelihood in (σ², ρ), and df = 2 v² / var(v). Where ρ lies on the boundary the curvature says nothing and
    the degrees of freedom are those of known ρ.

    References
    ----------
    Giesbrecht and Burns (1985), Biometrics 41:477-486.
    """
    rho, base = fitted.rho[0], asked.weights @ batch.basis
    inside = np.clip(rho, -1 + 3 * RHO_STEP, 1 - 3 * RHO_STEP)
    fits = [given_each(batch, inside + step) for step in (-RHO_STEP, 0.0, RHO_STEP)]
    m = batch.df
    residual = np.stack([fit.innovation[0] * m for fit in fits])
    # restricted log-likelihood at σ² fixed to its best value for the middle ρ
    variance = fits[1].innovation[0]
    height = np.stack([fit.log_restricted[0] + 0.5 * m * np.log(fit.innovation[0] * m) for fit in fits])
    height = height - 0.5 * residual / variance
    curvature = -(height[0] - 2 * height[1] + height[2]) / RHO_STEP**2
    tilt = (residual[2] - residual[0]) / (2 * RHO_STEP)
    info_variance, info_both = 0.5 * m / variance**2, -0.5 * tilt / variance**2
    factor = np.stack([np.sum((base @ fit.covariance[0]) * base, axis=-1) for fit in fits])
    by_variance = factor[1]
    by_rho = variance[:, None] * (factor[2] - factor[0]) / (2 * RHO_STEP)
    determinant = (info_variance * curvature - info_both**2)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (
            curvature[:, None] * by_variance**2
            - 2 * info_both[:, None] * by_variance * by_rho
            + info_variance[:, None] * by_rho**2
        ) / determinant
        df = 2 * (variance[:, None] * by_variance) ** 2 / spread
    usable = (determinant > 0) & (df > 0) & (rho < RHO_BOUNDARY)[:, None]
    return np.asarray(np.clip(np.where(usable, df, m[:, None]), FEWEST_DF, m[:, None]).reshape(-1))
