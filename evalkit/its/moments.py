"""Series reduced to the few sums that their likelihood under AR(1) errors needs.

Let R(ρ) be the correlation matrix of the observed periods and K(ρ) = (1 − ρ²) R⁻¹(ρ). K is a short sum of
fixed matrices whose factors depend on ρ alone (one for the first period, three for each length of gap), so
the data enter by a few sums of products and a grid of ρ costs one matrix product. A missing period is handled
exactly: two neighbours that lie d periods apart correlate as ρ^d. The sums over the design depend only on
which periods are missing, so series that lack the same periods share them, and all series go in one batch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Booleans = NDArray[np.bool_]

BATCH = 4096  # series reduced together: bounds memory, not results
EXACT_FIT = 1e-22  # residual over total sum of squares, below which only rounding is left
# smallest eigenvalue of the Gram matrix of a design's orthonormal columns over the observed periods; below it
# a column cannot be told from the others
SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class Moments:
    """S series with U different patterns of observed periods.

    Attributes
    ----------
    series : (S,) position of each in the caller's array
    pattern : (S,) which of the U patterns each has
    gaps : (D,) lengths of the steps between observed periods; gap_counts (U, D) how often each occurs
    matrix : (U, K, p, p), vector : (S, K, p), square : (S, K); sums of products of the design's orthonormal
        basis and the ordinary least-squares residuals, one for each term of K(ρ)
    coefficient : (S, p) ordinary least squares in that basis
    basis : (p, p) takes a contrast of the design's columns into the orthonormal basis
    last_row : (U, p), last_value : (S,), last_period : (U,) design row in that basis, value and position of
        the last observed period
    count : (U,) observed periods
    df : (S,) observed periods less columns of the design
    exact : (S,) whether the design runs through every point
    """

    series: Indices
    pattern: Indices
    gaps: Floats
    gap_counts: Floats
    matrix: Floats
    vector: Floats
    square: Floats
    coefficient: Floats
    basis: Floats
    last_row: Floats
    last_value: Floats
    last_period: Indices
    count: Floats
    df: Floats
    exact: Booleans


def moments(y: Floats, design: Floats, *, position: Indices | None = None) -> tuple[list[Moments], Indices]:
    """Reduce series, in batches of those that lack the same or similar periods.

    Parameters
    ----------
    y : (S, n), NaN where missing
    design : (n, p)
    position : (n,) when each period lies, in periods; 0, 1, 2, … by default

    Returns
    -------
    The batches, and the positions of series that cannot be fitted: too few periods, or none on one side.
    """
    n, p = design.shape
    clock = np.arange(n) if position is None else np.asarray(position)
    if len(y) == 0 or n <= p or np.linalg.matrix_rank(design) < p:
        return [], np.arange(len(y))
    orthonormal, triangle = np.linalg.qr(design)
    basis = np.linalg.inv(triangle)
    seen = np.isfinite(y)
    patterns, pattern = _patterns(seen)
    gram = _sums(patterns.astype(np.float64), orthonormal, orthonormal)
    fits = (patterns.sum(axis=1) > p) & (np.linalg.eigvalsh(gram)[:, 0] > SINGULAR)
    usable = np.flatnonzero(fits[pattern])
    usable = usable[np.argsort(pattern[usable], kind="stable")]
    found = []
    for first in range(0, usable.size, BATCH):
        series = usable[first : first + BATCH]
        numbers, own = np.unique(pattern[series], return_inverse=True)
        found.append(
            _reduce(
                y[series],
                patterns[numbers],
                own.reshape(-1),
                gram[numbers],
                orthonormal,
                basis,
                clock,
                series,
            )
        )
    return found, np.flatnonzero(~fits[pattern])


def _patterns(seen: Booleans) -> tuple[Booleans, Indices]:
    """List the different rows, and which one each series has."""
    if seen.all():
        return seen[:1], np.zeros(len(seen), dtype=np.intp)
    packed = np.packbits(seen, axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).reshape(-1)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return seen[first], group.reshape(-1).astype(np.intp)


def _sums(weight: Floats, left: Floats, right: Floats) -> Floats:
    """Sum the outer products (p, p) of the rows of left and right (n, p), weighted (U, n)."""
    products = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
    return (weight @ products).reshape(len(weight), left.shape[1], right.shape[1])


def _reduce(
    y: Floats,
    patterns: Booleans,
    pattern: Indices,
    gram: Floats,
    orthonormal: Floats,
    basis: Floats,
    clock: Indices,
    series: Indices,
) -> Moments:
    complete = bool(patterns.all())
    seen = patterns[pattern]
    filled = y if complete else np.where(seen, y, 0.0)
    inverse = np.linalg.inv(gram)
    crossed = filled @ orthonormal
    coefficient = (
        crossed @ inverse[0] if len(inverse) == 1 else np.einsum("sp,spq->sq", crossed, inverse[pattern])
    )
    residual = filled - coefficient @ orthonormal.T
    if not complete:
        residual[~seen] = 0.0
    first, last = patterns.argmax(axis=1), patterns.shape[1] - 1 - patterns[:, ::-1].argmax(axis=1)
    everyone = np.arange(len(y))
    row, value = orthonormal[first], residual[everyone, first[pattern]]
    matrix, vector, square = [row[:, :, None] * row[:, None, :]], [value[:, None] * row[pattern]], [value**2]
    linked = _linked(patterns, clock)
    for masks in linked.values():
        sums = [_link_sums(shift, mask, pattern, residual, orthonormal) for shift, mask in masks]
        matrix += [sum(parts) for parts in zip(*(found[0] for found in sums), strict=True)]
        vector += [sum(parts) for parts in zip(*(found[1] for found in sums), strict=True)]
        square += [sum(parts) for parts in zip(*(found[2] for found in sums), strict=True)]
    count = patterns.sum(axis=1).astype(np.float64)
    often = [sum(mask.sum(axis=1) for _, mask in masks) for masks in linked.values()]
    return Moments(
        series=series,
        pattern=pattern,
        gaps=np.array(list(linked), dtype=np.float64),
        gap_counts=np.stack(often, axis=1).astype(np.float64),
        matrix=np.stack(matrix, axis=1),
        vector=np.stack(vector, axis=1),
        square=np.stack(square, axis=1),
        coefficient=coefficient,
        basis=basis,
        last_row=orthonormal[last],
        last_value=filled[everyone, last[pattern]],
        last_period=np.asarray(clock[last], dtype=np.intp),
        count=count,
        df=(count - orthonormal.shape[1])[pattern],
        exact=np.einsum("st,st->s", residual, residual) <= EXACT_FIT * np.einsum("st,st->s", filled, filled),
    )


def _linked(patterns: Booleans, clock: Indices) -> dict[int, list[tuple[int, Booleans]]]:
    """Find the neighbours among the observed periods, by how far apart they lie.

    Returns
    -------
    For each distance, pairs of a shift s and a mask (U, n − s): period t and t + s are neighbours.
    """
    found: dict[int, list[tuple[int, Booleans]]] = {}
    hidden = np.ones_like(patterns[:, 1:])
    for shift in range(1, patterns.shape[1]):
        mask = patterns[:, :-shift] & patterns[:, shift:] & hidden
        distance = clock[shift:] - clock[:-shift]
        for gap in np.unique(distance[mask.any(axis=0)]):
            found.setdefault(int(gap), []).append((shift, mask & (distance == gap)))
        hidden = (hidden & ~patterns[:, shift:])[:, :-1]
        if not hidden.any():
            break
    return dict(sorted(found.items()))


def _link_sums(
    shift: int, mask: Booleans, pattern: Indices, residual: Floats, orthonormal: Floats
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """Sum products of the later ends, of both ends, and of the earlier ends of neighbours."""
    now, before = orthonormal[shift:], orthonormal[:-shift]
    e_now, e_before = residual[:, shift:], residual[:, :-shift]
    if not mask.all():
        own = mask[pattern]
        e_now, e_before = np.where(own, e_now, 0.0), np.where(own, e_before, 0.0)
    weight = mask.astype(np.float64)
    crossed = _sums(weight, now, before)
    return (
        [_sums(weight, now, now), crossed + crossed.transpose(0, 2, 1), _sums(weight, before, before)],
        [e_now @ now, e_now @ before + e_before @ now, e_before @ before],
        [
            np.einsum("st,st->s", e_now, e_now),
            2 * np.einsum("st,st->s", e_now, e_before),
            np.einsum("st,st->s", e_before, e_before),
        ],
    )
