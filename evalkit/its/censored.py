"""A series known only within bounds: its estimates with every value weighed by how likely it is.

Worst and best case say how far the bounds could push an estimate; they need no model of where in its band a
value lies. This estimate does: given level, trend and autocorrelation some values in a band are likelier than
others. Values are drawn from their bands given the parameters, and the parameters given the values, in turn,
until the draws settle; the answers of all later draws are mixed. The bands are respected exactly.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evalkit.errors import DesignError
from evalkit.its.autocorrelation import given_grid, rho_grid
from evalkit.its.dense import DenseFit
from evalkit.its.design import Contrasts, Design
from evalkit.its.engine import Prior, contrast_mixture
from evalkit.its.mixture import TMixture
from evalkit.its.moments import moments
from evalkit.its.weights import lone_prior, posterior

Floats = NDArray[np.float64]

CHAINS = 64  # drawn side by side
SETTLING = 40  # rounds thrown away
KEPT, APART = 10, 4  # rounds kept, and how many lie between two of them
SEED = 20_190  # the same series gives the same answer on every run


@dataclass(frozen=True, eq=False)
class _Parameters:
    rho: Floats
    innovation: Floats
    line: Floats


def fit_within_bounds(
    low: Floats,
    high: Floats,
    design: Design,
    asked: Contrasts,
    *,
    prior: Prior | None = None,
    conf_level: float = 0.95,
    seed: int = SEED,
) -> DenseFit:
    """Fit one series by its likelihood over all values inside the bounds.

    ρ has the prior 1 + ρ or the family's. The standard deviation of the errors has an even prior: with the
    usual one, on its logarithm, a line that runs through all bands would be taken for the truth. The price is
    one degree of freedom.

    Parameters
    ----------
    low, high : (n,) bounds, equal where a value is exact, NaN where nothing is known
    design : its matrix has n rows
    prior : of ρ, where a family has learned it

    Raises
    ------
    DesignError : fewer values than terms plus two, so that nothing is left to measure the error by.

    References
    ----------
    Tanner and Wong (1987), JASA 82:528-540 (drawing values and parameters in turn).
    """
    rows = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    if rows.size < len(design.terms) + 2:
        raise DesignError(
            f"{rows.size} values for {len(design.terms)} terms; bounds need two values more than terms"
        )
    rng = np.random.default_rng(seed)
    if prior is None:
        rho, log_share = rho_grid(low.size)
        prior = Prior(rho, lone_prior(rho, log_share))
    y = np.full((CHAINS, low.size), np.nan)
    y[:, rows] = rng.uniform(low[rows], high[rows], (CHAINS, rows.size))
    blurred = rows[high[rows] > low[rows]]
    kept: list[TMixture] = []
    for turn in range(SETTLING + KEPT * APART):
        mixture, drawn = _given_values(y, design, asked, prior, rng)
        if turn >= SETTLING and (turn - SETTLING) % APART == 0:
            kept.append(mixture)
        _draw_values(y, rows, blurred, low, high, drawn, rng)
    terms = len(asked.terms)
    location, spread, weight = (
        np.concatenate([_by_term(getattr(part, name), terms) for part in kept])
        for name in ("location", "spread", "weight")
    )
    whole = TMixture(location, spread, weight / weight.sum(axis=0), kept[0].df[:terms])
    ends = whole.quantiles(((1 - conf_level) / 2, (1 + conf_level) / 2))
    return DenseFit(asked.terms, whole.mean(), whole.standard_error(), ends[0], ends[1])


def _by_term(values: Floats, terms: int) -> Floats:
    """Turn (G, chains · terms) into (G · chains, terms)."""
    return values.reshape(len(values), -1, terms).reshape(-1, terms)


def _given_values(
    y: Floats, design: Design, asked: Contrasts, prior: Prior, rng: np.random.Generator
) -> tuple[TMixture, _Parameters]:
    """Answer every contrast given the values drawn, and draw the parameters anew."""
    (batch,), _ = moments(y, design.matrix, position=design.position)
    # an even prior on the standard deviation takes one degree of freedom from that on its logarithm
    batch = replace(batch, df=batch.df - 1)
    fitted = given_grid(batch, prior.rho)
    weight = posterior(fitted.log_restricted, prior.log_weight)
    mixture = contrast_mixture(batch, fitted, weight, asked)
    everyone = np.arange(len(y))
    place = np.minimum((np.cumsum(weight, axis=0) < rng.random(len(y))).sum(axis=0), len(prior.rho) - 1)
    innovation = fitted.innovation[place, everyone] * batch.df / rng.chisquare(batch.df)
    root = np.linalg.cholesky(fitted.covariance[place, 0])
    step = (root @ rng.normal(size=(len(y), root.shape[1], 1)))[:, :, 0] * np.sqrt(innovation)[:, None]
    coefficient = fitted.coefficient[place, everyone] + step
    line = coefficient @ (design.matrix @ batch.basis).T
    return mixture, _Parameters(prior.rho[place], innovation, line)


def _draw_values(
    y: Floats,
    rows: NDArray[np.intp],
    blurred: NDArray[np.intp],
    low: Floats,
    high: Floats,
    drawn: _Parameters,
    rng: np.random.Generator,
) -> None:
    """Draw each blurred value within its band, given its neighbours in time; changes y."""
    rho, variance = drawn.rho, drawn.innovation / (1 - drawn.rho**2)
    for period in blurred:
        place = int(np.flatnonzero(rows == period)[0])
        before = rho ** (period - rows[place - 1]) if place > 0 else np.zeros_like(rho)
        after = rho ** (rows[place + 1] - period) if place + 1 < rows.size else np.zeros_like(rho)
        mean, share = np.zeros_like(rho), 1 - (before * after) ** 2
        if place > 0:
            mean = mean + before * (1 - after**2) * (y[:, rows[place - 1]] - drawn.line[:, rows[place - 1]])
        if place + 1 < rows.size:
            mean = mean + after * (1 - before**2) * (y[:, rows[place + 1]] - drawn.line[:, rows[place + 1]])
        center = drawn.line[:, period] + mean / share
        spread = np.sqrt(variance * (1 - before**2) * (1 - after**2) / share)
        y[:, period] = _truncated(center, spread, low[period], high[period], rng)


def _truncated(center: Floats, spread: Floats, low: float, high: float, rng: np.random.Generator) -> Floats:
    """Draw from normal distributions cut off at low and high."""
    start, end = (low - center) / spread, (high - center) / spread
    # far in the upper tail probabilities round to 1, so that side is drawn mirrored
    mirrored = start > 0
    start, end = np.where(mirrored, -end, start), np.where(mirrored, -start, end)
    below, above = special.ndtr(start), special.ndtr(end)
    with np.errstate(divide="ignore"):
        z = special.ndtri(below + rng.random(center.size) * (above - below))
    # beyond 37 standard deviations nothing is left to draw from but the end that lies nearest
    z = np.where(above > below, z, end)
    return np.asarray(np.clip(center + spread * np.where(mirrored, -z, z), low, high))
