"""Which values inside the bounds of a censored series are the least and the most favourable for an estimate.

Given ρ, every estimate is a weighted sum of the values. Its exact extremes over all values within their
bounds therefore put each value at one end, by the sign of its weight. The weights change with ρ, so the
arrangements that are extreme at any ρ of a grid are all fitted, and the outermost estimates are reported.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# ρ at which extreme arrangements are looked for; a stronger negative autocorrelation is not met in rates
ARRANGEMENT_RHO = (*np.round(np.arange(-0.5, 0.95, 0.1), 1), 0.97, 0.99)


def estimate_weights(design: Floats, rows: NDArray[np.intp], contrast: Floats, rho: float) -> Floats:
    """Return the weights (m,) of the observed values in one combination of coefficients, given ρ."""
    x = design[rows]
    precision = np.linalg.inv(rho ** np.abs(rows[:, None] - rows[None, :]))
    return np.asarray(contrast @ np.linalg.solve(x.T @ precision @ x, x.T @ precision))


def extreme_arrangements(low: Floats, high: Floats, design: Floats, contrasts: Floats) -> Floats:
    """List the series that are extreme for any of the contrasts at any ρ of the grid.

    Parameters
    ----------
    low, high : (n,) bounds of each value, equal where it is exact, NaN where it is not observed
    design : (n, p)
    contrasts : (L, p)

    Returns
    -------
    (A, n): the series at their lower and at their upper bounds throughout, and every other arrangement once.
    """
    rows = np.flatnonzero(np.isfinite(low))
    found = [low, high]
    for contrast in contrasts:
        for rho in ARRANGEMENT_RHO:
            rising = np.zeros(low.size, dtype=np.bool_)
            rising[rows] = estimate_weights(design, rows, contrast, rho) > 0
            found += [np.where(rising, high, low), np.where(rising, low, high)]
    return np.asarray(np.unique(np.stack(found), axis=0))
