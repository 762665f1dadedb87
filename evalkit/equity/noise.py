"""The range that chance alone makes: with small groups the highest and the lowest rate always lie apart."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def expected_range(persons: ArrayLike, rate: float) -> float:
    """Give the expected highest minus lowest rate among groups whose true rates are all the same.

    Exact: the expectation of the greatest less that of the least of independent binomial shares.

    Parameters
    ----------
    persons : number in each group; at least two groups of at least one person
    rate : the common true rate, a proportion

    Returns
    -------
    A proportion; NaN where fewer than two groups have anybody.
    """
    sizes = np.asarray(persons, dtype=np.float64)
    sizes = sizes[np.isfinite(sizes) & (sizes >= 1)]
    if sizes.size < 2 or not 0 <= rate <= 1:
        return float("nan")
    steps = np.unique(np.concatenate([np.arange(size + 1) / size for size in sizes]))
    counts = np.floor(steps[:, None] * sizes[None, :] + 1e-9)
    at_most = stats.binom.cdf(counts, sizes[None, :], rate)
    # Between two steps every distribution function is flat: P(greatest > t) − P(least > t), summed over t.
    apart = 1 - at_most.prod(axis=1) - (1 - at_most).prod(axis=1)
    return float(np.sum(apart[:-1] * np.diff(steps)))
