"""Generalised least squares under AR(1) errors, for many series and many autocorrelations ρ at once."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evalkit.its.moments import Moments

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# range of ρ: that of 400 even steps centered on −.99 to .995, half a step further on each side
RHO_LOW, RHO_HIGH = -0.9925, 0.9975
# nodes of the Gauss-Legendre rule for n periods: their distance π√(1 − ρ²)/nodes shrinks towards ±1 just as
# the likelihood's width √((1 − ρ²)/n) does, so 3√n keeps it below the width everywhere
NODES_PER_ROOT_PERIOD = 3
FEWEST_NODES = 24
FEWEST_NODES_NETWORK = 56  # the narrowest prior of a network has a standard deviation of .05
RHO_BOUNDARY = 0.99999  # where a search for the likeliest ρ stops: R is all but singular beyond
ROUNDING = 1e-7  # of a log-likelihood: what is left of its digits next to a singular R
GOLDEN = (np.sqrt(5) - 1) / 2
GOLDEN_STEPS = 40  # shrink a bracket of two grid steps below 1e-9


@dataclass(frozen=True, eq=False)
class Conditional:
    """Generalised least squares given ρ; G values of ρ, S series, U patterns of observed periods.

    Attributes
    ----------
    rho : (G, 1) on a shared grid, or (1, S) where each series has its own
    coefficient : (G, S, p) in the orthonormal basis
    covariance : (G, U, p, p), or (1, S, p, p) where each series has its own ρ; times `innovation`
    pattern : (S,) place of each series among the covariances
    innovation : (G, S) variance of what is new in each period
    log_restricted : (G, S) restricted log-likelihood but for a constant
    """

    rho: Floats
    coefficient: Floats
    covariance: Floats
    pattern: Indices
    innovation: Floats
    log_restricted: Floats


@lru_cache(maxsize=32)
def rho_grid(n: int, *, network: bool = False) -> tuple[Floats, Floats]:
    """Return the values of ρ (G,) to integrate over for n periods, and the log of their weights (G,)."""
    fewest = FEWEST_NODES_NETWORK if network else FEWEST_NODES
    node, share = np.polynomial.legendre.leggauss(
        max(fewest, int(np.ceil(NODES_PER_ROOT_PERIOD * np.sqrt(n))))
    )
    rho = RHO_LOW + (RHO_HIGH - RHO_LOW) * (node + 1) / 2
    log_share = np.log(share)
    rho.flags.writeable = log_share.flags.writeable = False
    return rho, log_share


def given_grid(reduced: Moments, rho: Floats) -> Conditional:
    """Fit every series at every ρ of a shared grid (G,)."""
    factor = _factors(rho, reduced.gaps)
    patterns, terms, p, _ = reduced.matrix.shape
    flat = reduced.matrix.transpose(1, 0, 2, 3).reshape(terms, -1)
    matrix = (factor @ flat).reshape(len(rho), patterns, p, p)
    vector = np.tensordot(factor, reduced.vector, axes=(1, 1))
    square = factor @ reduced.square.T
    inverse, log_size = _invert(matrix)
    move = vector @ inverse[:, 0] if patterns == 1 else _times(vector, inverse[:, reduced.pattern])
    residual = _residual(square, np.einsum("gsp,gsp->gs", vector, move))
    size_r = np.log1p(-(rho[:, None] ** (2 * reduced.gaps))) @ reduced.gap_counts.T
    by_pattern = 0.5 * (reduced.count * np.log1p(-(rho[:, None] ** 2)) - size_r - log_size)
    return _conditional(
        reduced, rho[:, None], move, inverse, reduced.pattern, residual, by_pattern[:, reduced.pattern]
    )


def given_each(reduced: Moments, rho: Floats) -> Conditional:
    """Fit every series at its own ρ (S,)."""
    factor = _factors(rho, reduced.gaps)
    matrix = np.einsum(
        "sk,skpq->spq",
        factor,
        np.broadcast_to(reduced.matrix[reduced.pattern], (len(rho), *reduced.matrix.shape[1:])),
    )
    vector = np.einsum("sk,skp->sp", factor, reduced.vector)
    square = np.einsum("sk,sk->s", factor, reduced.square)
    inverse, log_size = _invert(matrix)
    move = _times(vector, inverse)
    residual = _residual(square, np.einsum("sp,sp->s", vector, move))
    size_r = np.einsum(
        "sd,sd->s", np.log1p(-(rho[:, None] ** (2 * reduced.gaps))), reduced.gap_counts[reduced.pattern]
    )
    own = 0.5 * (reduced.count[reduced.pattern] * np.log1p(-(rho**2)) - size_r - log_size)
    return _conditional(
        reduced, rho[None], move[None], inverse[None], np.arange(len(rho)), residual[None], own[None]
    )


def likeliest_rho(reduced: Moments) -> Floats:
    """Find the ρ (S,) of the highest restricted likelihood; `RHO_BOUNDARY` where that keeps rising."""
    grid = np.append(rho_grid(int(reduced.count.max()))[0], RHO_BOUNDARY)
    best = np.argmax(given_grid(reduced, grid).log_restricted, axis=0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, grid.size - 1)]

    def height(rho: Floats) -> Floats:
        return np.asarray(given_each(reduced, rho).log_restricted[0])

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    left_height, right_height = height(left), height(right)
    for _ in range(GOLDEN_STEPS):
        rising = right_height > left_height
        low, high = np.where(rising, left, low), np.where(rising, high, right)
        probe = np.where(rising, low + GOLDEN * (high - low), high - GOLDEN * (high - low))
        probe_height = height(probe)
        left, right = np.where(rising, right, probe), np.where(rising, probe, left)
        left_height, right_height = (
            np.where(rising, right_height, probe_height),
            np.where(rising, probe_height, left_height),
        )
    middle = (low + high) / 2
    at_end = height(np.full_like(middle, RHO_BOUNDARY)) >= height(middle) - ROUNDING
    return np.where(at_end, RHO_BOUNDARY, middle)


def _factors(rho: Floats, gaps: Floats) -> Floats:
    """Weigh the terms of K(ρ), (G, K): the first period; for each gap the now, the product, the before."""
    columns = [1 - rho**2]
    for gap in gaps:
        power = rho**gap
        share = (1 - rho**2) / (1 - power**2)
        columns += [share, -share * power, share * power**2]
    return np.stack(columns, axis=1)


def _times(vector: Floats, matrix: Floats) -> Floats:
    """Multiply row vectors (…, p) by matrices (…, p, p)."""
    return np.asarray((vector[..., None, :] @ matrix)[..., 0, :])


def _invert(matrix: Floats) -> tuple[Floats, Floats]:
    inverse: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    log_size: Floats = np.linalg.slogdet(matrix)[1]
    return inverse, log_size


def _residual(square: Floats, explained: Floats) -> Floats:
    # the subtraction can round to nothing, never to less than nothing
    return np.maximum(square - explained, np.finfo(np.float64).eps * square)


def _conditional(
    reduced: Moments,
    rho: Floats,
    move: Floats,
    inverse: Floats,
    pattern: Indices,
    residual: Floats,
    log_sizes: Floats,
) -> Conditional:
    with np.errstate(divide="ignore", invalid="ignore"):
        log_restricted = log_sizes - 0.5 * reduced.df * np.log(residual)
    return Conditional(
        rho=rho,
        coefficient=reduced.coefficient + move,
        covariance=inverse,
        pattern=pattern,
        innovation=residual / reduced.df,
        log_restricted=np.where(reduced.exact, 0.0, log_restricted),
    )
