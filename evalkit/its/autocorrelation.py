"""Generalised least squares under AR(1) errors, for many series and many autocorrelations ρ at once.

Let R(ρ) be the correlation matrix of the observed periods and K(ρ) = (1 − ρ²) R⁻¹(ρ). K is a short sum of
fixed matrices whose factors depend on ρ alone (one for the first period, three for each length of gap), so
the data enter by a few sums of products and a grid of ρ costs one matrix product. A missing period is handled
exactly: two neighbours that lie d periods apart correlate as ρ^d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
GOLDEN = (np.sqrt(5) - 1) / 2
GOLDEN_STEPS = 40  # shrink a bracket of two grid steps below 1e-9
EXACT_FIT = 1e-22  # residual over total sum of squares, below which only rounding is left


@dataclass(frozen=True, eq=False)
class Moments:
    """Series that lack the same periods, reduced to what their likelihood needs.

    Attributes
    ----------
    series : (S,) position of each in the caller's array
    gaps, gap_counts : (D,) lengths of the steps between observed periods, and how often each occurs
    matrix : (K, p, p), vector : (S, K, p), square : (S, K); sums of products of the design's orthonormal
        basis and the ordinary least-squares residuals, one for each term of K(ρ)
    coefficient : (S, p) ordinary least squares in that basis
    basis : (p, p) takes a contrast of the design's columns into the orthonormal basis
    last_row, last_value : design row (p,) in that basis and value (S,) of the last observed period
    last_period : its position
    count : observed periods m
    exact : (S,) whether the design runs through every point
    """

    series: Indices
    gaps: Floats
    gap_counts: Floats
    matrix: Floats
    vector: Floats
    square: Floats
    coefficient: Floats
    basis: Floats
    last_row: Floats
    last_value: Floats
    last_period: int
    count: int
    exact: NDArray[np.bool_]

    @property
    def df(self) -> int:
        """Observed periods less columns of the design."""
        return self.count - int(self.matrix.shape[1])


@dataclass(frozen=True, eq=False)
class Conditional:
    """Generalised least squares given ρ; G values of ρ, S series.

    Attributes
    ----------
    rho : (G, 1) on a shared grid, or (1, S) where each series has its own
    coefficient : (G, S, p) in the orthonormal basis
    covariance : (G, 1, p, p) or (1, S, p, p), to be multiplied by `innovation`
    innovation : (G, S) variance of what is new in each period
    log_restricted : (G, S) restricted log-likelihood but for a constant
    """

    rho: Floats
    coefficient: Floats
    covariance: Floats
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


def moments(y: Floats, design: Floats) -> tuple[list[Moments], Indices]:
    """Group series by the periods they lack, and reduce each group.

    Parameters
    ----------
    y : (S, n), NaN where missing
    design : (n, p)

    Returns
    -------
    The groups, and the positions of series that cannot be fitted: too few periods, or none on one side.
    """
    seen = np.isfinite(y)
    patterns, group = np.unique(seen, axis=0, return_inverse=True)
    group = np.asarray(group).reshape(-1)
    found: list[Moments] = []
    unfit: list[Indices] = []
    for number, pattern in enumerate(patterns):
        series = np.flatnonzero(group == number)
        rows = np.flatnonzero(pattern)
        if rows.size <= design.shape[1] or np.linalg.matrix_rank(design[rows]) < design.shape[1]:
            unfit.append(series)
        else:
            found.append(_reduce(y[np.ix_(series, rows)], design[rows], rows, series))
    return found, np.concatenate([*unfit, np.empty(0, dtype=np.intp)])


def given_grid(reduced: Moments, rho: Floats) -> Conditional:
    """Fit every series at every ρ of a shared grid (G,)."""
    factor = _factors(rho, reduced.gaps)
    matrix = np.tensordot(factor, reduced.matrix, axes=(1, 0))
    vector = np.tensordot(factor, reduced.vector, axes=(1, 1))
    square = factor @ reduced.square.T
    inverse, log_size = _invert(matrix)
    move = vector @ inverse
    residual = _residual(square, np.einsum("gsp,gsp->gs", vector, move))
    return _conditional(
        reduced,
        rho[:, None],
        move,
        inverse[:, None],
        residual,
        log_size[:, None],
        _log_size_r(rho, reduced)[:, None],
    )


def given_each(reduced: Moments, rho: Floats) -> Conditional:
    """Fit every series at its own ρ (S,)."""
    factor = _factors(rho, reduced.gaps)
    matrix = np.tensordot(factor, reduced.matrix, axes=(1, 0))
    vector = np.einsum("sk,skp->sp", factor, reduced.vector)
    square = np.einsum("sk,sk->s", factor, reduced.square)
    inverse, log_size = _invert(matrix)
    move = np.einsum("sp,spq->sq", vector, inverse)
    residual = _residual(square, np.einsum("sp,sp->s", vector, move))
    return _conditional(
        reduced,
        rho[None],
        move[None],
        inverse[None],
        residual[None],
        log_size[None],
        _log_size_r(rho, reduced)[None],
    )


def likeliest_rho(reduced: Moments) -> Floats:
    """Find the ρ (S,) of the highest restricted likelihood; `RHO_BOUNDARY` where that keeps rising."""
    grid = np.append(rho_grid(reduced.last_period + 1)[0], RHO_BOUNDARY)
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
    at_end = height(np.full_like(middle, RHO_BOUNDARY)) >= height(middle)
    return np.where(at_end, RHO_BOUNDARY, middle)


def _reduce(y: Floats, design: Floats, rows: Indices, series: Indices) -> Moments:
    orthonormal, triangle = np.linalg.qr(design)
    coefficient = y @ orthonormal
    residual = y - coefficient @ orthonormal.T
    residual_size = np.einsum("st,st->s", residual, residual)
    steps = np.diff(rows)
    gaps, gap_counts = np.unique(steps, return_counts=True)
    matrix = [np.outer(orthonormal[0], orthonormal[0])]
    vector = [residual[:, :1] * orthonormal[0]]
    square = [residual[:, 0] ** 2]
    for gap in gaps:
        place = np.flatnonzero(steps == gap)
        now, before = orthonormal[place + 1], orthonormal[place]
        e_now, e_before = residual[:, place + 1], residual[:, place]
        crossed = now.T @ before
        matrix += [now.T @ now, crossed + crossed.T, before.T @ before]
        vector += [e_now @ now, e_now @ before + e_before @ now, e_before @ before]
        square += [
            np.einsum("st,st->s", e_now, e_now),
            2 * np.einsum("st,st->s", e_now, e_before),
            np.einsum("st,st->s", e_before, e_before),
        ]
    return Moments(
        series=series,
        gaps=gaps.astype(np.float64),
        gap_counts=gap_counts.astype(np.float64),
        matrix=np.stack(matrix),
        vector=np.stack(vector, axis=1),
        square=np.stack(square, axis=1),
        coefficient=coefficient,
        basis=np.linalg.inv(triangle),
        last_row=orthonormal[-1],
        last_value=y[:, -1],
        last_period=int(rows[-1]),
        count=rows.size,
        exact=residual_size <= EXACT_FIT * np.einsum("st,st->s", y, y),
    )


def _factors(rho: Floats, gaps: Floats) -> Floats:
    """Weigh the terms of K(ρ), (G, K): the first period; for each gap the now, the product, the before."""
    columns = [1 - rho**2]
    for gap in gaps:
        power = rho**gap
        share = (1 - rho**2) / (1 - power**2)
        columns += [share, -share * power, share * power**2]
    return np.stack(columns, axis=1)


def _log_size_r(rho: Floats, reduced: Moments) -> Floats:
    return np.asarray(np.log1p(-(rho[:, None] ** (2 * reduced.gaps))) @ reduced.gap_counts)


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
    residual: Floats,
    log_size: Floats,
    log_size_r: Floats,
) -> Conditional:
    with np.errstate(divide="ignore"):
        log_restricted = (
            0.5 * reduced.count * np.log1p(-(rho**2))
            - 0.5 * log_size_r
            - 0.5 * log_size
            - 0.5 * reduced.df * np.log(residual)
        )
    return Conditional(
        rho=rho,
        coefficient=reduced.coefficient + move,
        covariance=inverse,
        innovation=residual / reduced.df,
        log_restricted=np.where(reduced.exact, 0.0, log_restricted),
    )


def integrated_weight(log_restricted: Floats, rho: Floats, log_share: Floats) -> Floats:
    """Weigh each ρ of a grid (G,) by (1 + ρ) × restricted likelihood (G, S); every column sums to 1."""
    return _normalised(log_restricted + (np.log1p(rho) + log_share)[:, None])


def network_weight(
    log_restricted: Floats,
    rho: Floats,
    log_share: Floats,
    *,
    centers: Sequence[float],
    spreads: Sequence[float],
) -> Floats:
    """Weigh each ρ by a prior learned from all S series × restricted likelihood.

    The prior is a truncated normal averaged over every pair of center and spread; a pair counts as
    much as it makes the S series likely together.
    """
    center, spread = (grid.reshape(-1) for grid in np.meshgrid(centers, spreads, indexing="ij"))
    log_prior = -0.5 * ((rho[:, None] - center) / spread) ** 2 + log_share[:, None]
    log_prior -= _log_sum(log_prior)
    joint = np.zeros(center.size)
    for pair in range(center.size):
        joint[pair] = np.sum(_log_sum(log_restricted + log_prior[:, pair, None]))
    share = np.exp(joint - joint.max())
    prior = np.exp(log_prior) @ (share / share.sum())
    with np.errstate(divide="ignore"):
        return _normalised(log_restricted + np.log(prior)[:, None])


def _log_sum(values: Floats) -> Floats:
    top = values.max(axis=0)
    return np.asarray(top + np.log(np.exp(values - top).sum(axis=0)))


def _normalised(log_weight: Floats) -> Floats:
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0))
