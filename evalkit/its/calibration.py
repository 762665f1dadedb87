"""How often intervals hold the truth: the methods measured on simulated series whose changes are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import ParameterError
from evalkit.its.engine import METHODS, fit_arrays
from evalkit.results import Result, tidy_frame

Floats = NDArray[np.float64]

METHOD = "its_calibration"
TERMS = ("level_change", "slope_change")
TRUTH = np.array([1.0, 0.2])  # level and slope change; the errors have a standard deviation of 1
FAMILY = 20  # series that learn ρ together by method "network"

SCENARIOS = {
    "as modelled": "AR(1) errors",
    "unequal rho": "each series has its own rho, evenly spread 0.25 to both sides of the one named",
    "missing periods": "a tenth of the values missing at random",
    "shared shocks": "half of the error's variance is common to all series of a family",
    "AR(2)": "errors that also go with those two periods back",
    "AR(1) and noise": "half of the error's variance is sampling noise without autocorrelation",
    "random walk": "errors that never come back to a fixed trend",
}
RHO_REACH = 0.25  # of "unequal rho"
MISSING_SHARE = 0.1
SHARED_SHARE = 0.5  # of the variance
NOISE_SHARE = 0.5  # of the variance
SECOND_LAG = 0.3  # partial autocorrelation of AR(2) at lag 2


@dataclass(frozen=True)
class Cell:
    """One kind of series: periods before and after the interruption, ρ, and what else is true of them."""

    n_pre: int
    n_post: int
    rho: float
    scenario: str = "as modelled"


CENTERED = tuple(Cell(n // 2, n // 2, rho) for n in (12, 24, 48) for rho in (0.0, 0.2, 0.4, 0.6))
OFF_CENTER = tuple(Cell(a, b, rho) for a, b in ((6, 4), (8, 4), (18, 6)) for rho in (0.0, 0.2, 0.4, 0.6))
TROUBLED = tuple(
    Cell(n // 2, n // 2, 0.4, name)
    for name in ("unequal rho", "missing periods", "shared shocks")
    for n in (12, 24)
)
WEAK = (
    Cell(4, 4, 0.6),
    *(Cell(24, 24, 0.4, name) for name in ("AR(2)", "AR(1) and noise", "random walk")),
)
CELLS = CENTERED + OFF_CENTER + TROUBLED + WEAK


def calibrate(
    cells: Sequence[Cell] = CENTERED,
    *,
    methods: Sequence[str] = METHODS,
    n_series: int = 2000,
    family: int = FAMILY,
    conf_level: float = 0.95,
    seed: int = 1,
) -> Result:
    """Count how many intervals hold the true level change and slope change.

    The jump is 1 and the slope change 0.2 per period, the errors have a standard deviation of 1; neither size
    matters to the coverage. Every method sees the same series.

    Parameters
    ----------
    cells : the kinds of series
    methods : as in `fit_arrays`
    n_series : per cell; the Monte-Carlo standard error is √(.95 · .05 / n_series)
    family : series that learn ρ together by method "network"
    seed : of the cell's series; the same seed gives the same series

    Returns
    -------
    Result "its_calibration". Frame `coverage` has a row per cell, method and term: `coverage` and
    `coverage_error` (its Monte-Carlo standard error) in percent, `bias`, `width` (mean of the intervals'
    widths, in standard deviations of the error). `tidy` holds the same coverages.

    Raises
    ------
    ParameterError : a scenario is unknown, or n_series holds no whole number of families.
    """
    unknown = sorted({cell.scenario for cell in cells} - set(SCENARIOS))
    if unknown:
        raise ParameterError(f"no scenario {', '.join(unknown)}; use {', '.join(SCENARIOS)}")
    if n_series % family:
        raise ParameterError(f"n_series is {n_series}; it must be a multiple of the family of {family}")
    rows = [
        row
        for cell in cells
        for method in methods
        for row in _measured(cell, method, n_series, family, conf_level, seed)
    ]
    frame = pd.DataFrame(rows)
    return Result(
        method=METHOD,
        title=f"How often {conf_level:.0%} intervals hold the truth",
        design={
            "n_series": n_series,
            "family": family,
            "conf_level": conf_level,
            "seed": seed,
            "scenarios": {name: SCENARIOS[name] for name in dict.fromkeys(cell.scenario for cell in cells)},
        },
        tidy=tidy_frame(
            [
                {
                    "method": METHOD,
                    "dimension": "inference",
                    "subgroup": row["inference"],
                    "term": f"{row['term']}_coverage",
                    "estimate": row["coverage"],
                    "std_error": row["coverage_error"],
                    "unit": "percent",
                    "n": n_series,
                    "note": f"{row['n_pre']} periods before and {row['n_post']} after, rho {row['rho']:g}, "
                    f"{row['scenario']}",
                }
                for row in rows
            ]
        ),
        frames={"coverage": frame},
        narrative=_told(frame, conf_level),
    )


def draw_series(cell: Cell, *, n_series: int, family: int = FAMILY, seed: int = 1) -> Floats:
    """Draw the series (n_series, n) of a cell; families stand in consecutive rows."""
    n = cell.n_pre + cell.n_post
    rng = np.random.default_rng([seed, cell.n_pre, cell.n_post, round(100 * cell.rho), len(cell.scenario)])
    rho = np.full(n_series, cell.rho)
    if cell.scenario == "unequal rho":
        rho = np.clip(rho + rng.uniform(-RHO_REACH, RHO_REACH, n_series), -0.95, 0.95)
    error = _errors(cell.scenario, rho, n, rng)
    if cell.scenario == "shared shocks":
        common = np.repeat(_errors("as modelled", rho[::family], n, rng), family, axis=0)
        error = np.sqrt(1 - SHARED_SHARE) * error + np.sqrt(SHARED_SHARE) * common
    since = np.arange(n) - cell.n_pre
    y = error + np.where(since >= 0, TRUTH[0] + TRUTH[1] * since, 0.0)
    if cell.scenario == "missing periods":
        y[rng.random(y.shape) < MISSING_SHARE] = np.nan
    return np.asarray(y)


def _errors(scenario: str, rho: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw errors with a standard deviation of 1 (S, n); a random walk has it in each step."""
    fresh = rng.normal(size=(rho.size, n))
    if scenario == "random walk":
        return np.asarray(np.cumsum(fresh, axis=1))
    second = SECOND_LAG if scenario == "AR(2)" else 0.0
    error = np.empty_like(fresh)
    error[:, 0] = fresh[:, 0]
    error[:, 1] = rho * error[:, 0] + np.sqrt(1 - rho**2) * fresh[:, 1]
    for t in range(2, n):
        expected = rho * (1 - second) * error[:, t - 1] + second * error[:, t - 2]
        error[:, t] = expected + np.sqrt((1 - rho**2) * (1 - second**2)) * fresh[:, t]
    if scenario == "AR(1) and noise":
        error = np.sqrt(1 - NOISE_SHARE) * error + np.sqrt(NOISE_SHARE) * rng.normal(size=error.shape)
    return error


def _measured(
    cell: Cell, method: str, n_series: int, family: int, conf_level: float, seed: int
) -> list[dict[str, Any]]:
    y = draw_series(cell, n_series=n_series, family=family, seed=seed)
    parts = np.split(y, n_series // family) if method == "network" else [y]
    fits = [fit_arrays(part, start=cell.n_pre, method=method, conf_level=conf_level) for part in parts]
    first = fits[0].terms.index(TERMS[0])
    columns = slice(first, first + len(TERMS))
    low, high, estimate = (
        np.concatenate([getattr(fit, name)[:, columns] for fit in fits])
        for name in ("conf_low", "conf_high", "estimate")
    )
    fitted = np.isfinite(low[:, 0])
    covered = ((low <= TRUTH) & (high >= TRUTH))[fitted].mean(axis=0)
    error = np.sqrt(covered * (1 - covered) / fitted.sum())
    return [
        {
            "scenario": cell.scenario,
            "n_pre": cell.n_pre,
            "n_post": cell.n_post,
            "rho": cell.rho,
            "inference": method,
            "term": term,
            "coverage": 100 * covered[place],
            "coverage_error": 100 * error[place],
            "bias": float(np.mean(estimate[fitted, place] - TRUTH[place])),
            "width": float(np.mean(high[fitted, place] - low[fitted, place])),
            "nominal": 100 * conf_level,
            "n_series": int(fitted.sum()),
        }
        for place, term in enumerate(TERMS)
    ]


def _told(frame: pd.DataFrame, conf_level: float) -> tuple[str, ...]:
    """Say for each method between which ends its coverage lies."""
    sentences = []
    for method, part in frame.groupby("inference", sort=False):
        low, high = part["coverage"].min(), part["coverage"].max()
        sentences.append(
            f"{method}: {conf_level:.0%} intervals held the truth in {low:.0f} to {high:.0f}% of the series."
        )
    return tuple(sentences)
