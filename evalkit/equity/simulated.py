"""Intervals of the summary measures from draws of the subgroups' rates, many strata at a time."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evalkit.equity.measures import point_estimates
from evalkit.equity.strata import Strata

Floats = NDArray[np.float64]

CHUNK = 150_000  # rates drawn at a time: they and what is made of them stay in the processor's cache


def simulated_intervals(
    strata: Strata, estimates: dict[str, Floats], *, draws: int, seed: int, conf_level: float
) -> dict[str, tuple[Floats, Floats]]:
    """Draw rates from normal distributions, measure each draw, and take bias-corrected percentiles.

    Every stratum sees the same random numbers, so its interval does not depend on which others are with it.

    Parameters
    ----------
    draws : of all rates, e.g. 1,000
    seed : the same seed gives the same intervals

    Returns
    -------
    Measure -> low and high.

    References
    ----------
    Efron (1981), Canadian Journal of Statistics 9:139-172.
    """
    groups, strata_count = strata.rate.shape
    normal = np.random.default_rng(seed).standard_normal((groups, 1, draws))
    low = {name: np.full(strata_count, np.nan) for name in estimates}
    high = {name: np.full(strata_count, np.nan) for name in estimates}
    z = float(special.ndtri((1 + conf_level) / 2))
    size = max(1, CHUNK // (groups * draws))
    for start in range(0, strata_count, size):
        end = min(start + size, strata_count)
        part = strata.part(start, end)
        drawn = part.rate + part.std_error * normal
        if strata.scale is not None:
            np.clip(drawn, 0, strata.scale, out=drawn)
        for name, values in point_estimates(part.with_rate(drawn)).items():
            ends = _corrected_percentiles(values, estimates[name][start:end], z)
            low[name][start:end], high[name][start:end] = ends
    unknown = np.isnan(strata.std_error).any(axis=0)
    return {
        name: (np.where(unknown, np.nan, low[name]), np.where(unknown, np.nan, high[name])) for name in low
    }


def _corrected_percentiles(values: Floats, estimate: Floats, z: float) -> tuple[Floats, Floats]:
    """Take percentiles shifted by twice the median bias; values are (strata, draws)."""
    ordered = np.sort(values, axis=1)
    draws = values.shape[1]
    lower = (values < estimate[:, None]).mean(axis=1)
    equal = (values == estimate[:, None]).mean(axis=1)
    below = np.clip(lower + equal / 2, 0.5 / draws, 1 - 0.5 / draws)
    shift = 2 * special.ndtri(below)
    places = [np.clip(special.ndtr(shift + side * z) * (draws - 1), 0, draws - 1) for side in (-1, 1)]
    rows = np.arange(values.shape[0])
    ends = [ordered[rows, np.rint(np.where(np.isnan(place), 0, place)).astype(int)] for place in places]
    return ends[0], ends[1]
