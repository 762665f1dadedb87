"""A fictional network whose true effects are known, and Gaussian series for coverage tests."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit import fictional_network as network
from evalkit.errors import DesignError
from evalkit.fictional_evidence import EVIDENCE_STREAM, draw_evidence, true_hypotheses

Floats = NDArray[np.float64]

INDICATOR_COLUMNS = (
    "indicator", "site_id", "unit_id", "population", "period", "dimension", "subgroup",
    "numerator", "denominator", "value", "std_error", "lower", "upper", "status", "source",
)  # fmt: skip
KEY = list(INDICATOR_COLUMNS[:7])
COMPARISON = "-comparison"  # ends the id of a site's comparison neighborhood
DIMENSION_ROWS = ("all", "race_ethnicity", "income", "race_ethnicity*income")
COMPARISON_ROWS = ("all", "race_ethnicity")


@dataclass(frozen=True, kw_only=True)
class SimulatedNetwork:
    """What `simulate_network` made.

    Attributes
    ----------
    indicators : long table with the columns of `INDICATOR_COLUMNS`, sorted by its first seven
    reach : site_id, partner_id, solution_id, indicator, period, served, population (persons), dose (mean
        fraction of a full dose among those served)
    evidence : a row per item and hypothesis, s and e as ranges of probabilities
    truth : plain JSON values. `truth["sites"][site_id][indicator]` holds start, level_change (points, in the
        first post period), slope_change (points per period, counted from that period), rho, and the same
        two changes per dimension and subgroup; `truth["hypotheses"][site_id][id]` says which are true
    """

    indicators: pd.DataFrame
    reach: pd.DataFrame
    evidence: pd.DataFrame
    truth: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        """Write indicators.parquet, reach.csv, evidence.csv and truth.json, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "indicators.parquet", lambda path: self.indicators.to_parquet(path, index=False))
        _replace(folder / "reach.csv", lambda path: self.reach.to_csv(path, index=False, lineterminator="\n"))
        _replace(
            folder / "evidence.csv", lambda path: self.evidence.to_csv(path, index=False, lineterminator="\n")
        )
        text = json.dumps(self.truth, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        _replace(folder / "truth.json", lambda path: path.write_bytes(text.encode()))


def simulate_network(*, seed: int = 2026) -> SimulatedNetwork:
    """Simulate the fictional network of `evalkit.fictional_network`.

    Each site and indicator has one AR(1) error, shared by all its subgroups, on the scale of the rate, plus
    an AR(1) shock that it shares with its comparison site; counts are binomial in each crossed cell
    (Poisson for mobility, where one child may move twice), and every margin is the sum of its cells.
    """
    counts, losses, served = np.random.default_rng(seed).spawn(3)
    blocks: list[pd.DataFrame] = []
    truth: dict[str, Any] = {}
    for indicator in network.INDICATORS:
        frames, effects = _indicator(indicator, counts)
        blocks.extend(frames)
        for place, effect in effects.items():
            truth.setdefault(place, {})[indicator] = effect
    indicators = pd.concat(blocks, ignore_index=True).sort_values(KEY, ignore_index=True)
    indicators = _lose(indicators, losses)
    hypotheses = true_hypotheses()
    return SimulatedNetwork(
        indicators=indicators,
        reach=_reach(indicators, served),
        evidence=draw_evidence(hypotheses, np.random.default_rng([seed, EVIDENCE_STREAM])),
        truth={
            "seed": seed,
            "units": "level_change in points in the first post period, slope_change in points per period",
            "sites": dict(sorted(truth.items())),
            "hypotheses": hypotheses,
        },
    )


def simulate_series(
    *,
    n_series: int,
    n_pre: int,
    n_post: int,
    rho: float,
    seed: int,
    level_change: float = 0.0,
    slope_change: float = 0.0,
    intercept: float = 0.0,
    trend: float = 0.0,
    sigma: float = 1.0,
) -> Floats:
    """Simulate interrupted series with Gaussian AR(1) errors from a stationary start.

    The mean is intercept + trend·t + D·(level_change + slope_change·(t − n_pre)) with t = 0 in the first
    period and D = 1 from period n_pre on: the slope change counts 0 in the first post period, so
    `level_change` is the jump in that very period.

    Parameters
    ----------
    rho : first autocorrelation of the errors, in (−1, 1)
    sigma : standard deviation of the innovations; that of the errors is sigma/√(1 − rho²)

    Returns
    -------
    Array of shape (n_series, n_pre + n_post).

    Raises
    ------
    DesignError : rho is outside (−1, 1), or a count is below 1.
    """
    if not -1 < rho < 1:
        raise DesignError(f"rho is {rho}; a stationary AR(1) error needs a value between -1 and 1")
    if min(n_series, n_pre, n_post) < 1:
        raise DesignError(f"{n_series} series of {n_pre} + {n_post} periods; each number must be at least 1")
    clock = np.arange(n_pre + n_post, dtype=np.float64)
    since = clock - n_pre
    mean = intercept + trend * clock + np.where(since >= 0, level_change + slope_change * since, 0.0)
    spread = sigma / np.sqrt(1 - rho**2)
    return mean + _ar1(np.random.default_rng(seed), n_series, clock.size, rho=rho, spread=spread)


def _ar1(rng: np.random.Generator, n_series: int, n: int, *, rho: float, spread: float) -> Floats:
    """Draw stationary AR(1) errors with standard deviation `spread`, shape (n_series, n)."""
    errors = rng.normal(0.0, spread, (n_series, n))
    for t in range(1, n):
        errors[:, t] = rho * errors[:, t - 1] + np.sqrt(1 - rho**2) * errors[:, t]
    return errors


def _indicator(
    indicator: str, rng: np.random.Generator
) -> tuple[list[pd.DataFrame], dict[str, dict[str, Any]]]:
    """Simulate one indicator in every site and comparison site: its rows, and what is true of it."""
    design = network.INDICATORS[indicator]
    position = list(network.INDICATORS).index(indicator)
    monthly = indicator == "attendance_rate"
    periods = pd.Index(network.MONTHS.astype(str) if monthly else [str(year) for year in network.YEARS])
    asked = (
        [str(year) for year in network.SURVEY_YEARS] if indicator.startswith("caregiver") else list(periods)
    )
    kept = periods.isin(asked) & (~network.MONTHS.month.isin([7, 8]) if monthly else True)
    season = np.array([network.SEASON.get(month, 0.0) for month in network.MONTHS.month]) if monthly else 0.0
    clock = np.arange(periods.size, dtype=np.float64)
    own = _ar1(rng, 2 * len(network.SITES), periods.size, rho=design.rho, spread=design.own)
    shared = _ar1(rng, len(network.SITES), periods.size, rho=design.rho, spread=design.shared)
    frames: list[pd.DataFrame] = []
    truth: dict[str, dict[str, Any]] = {}
    for row, (site_id, site) in enumerate(network.SITES.items()):
        if indicator.startswith("caregiver") and site_id in network.NO_CAREGIVER_SURVEY:
            continue
        start = f"{site.start - 1}-09" if monthly else str(site.start)
        since = clock - periods.get_loc(start)
        trend = design.trend + network.REGIONAL_TRENDS.get((site_id, indicator), 0.0)
        shares = _shares(site_id)
        size = np.maximum(shares * site.children * design.size, network.SMALLEST_CELL)
        if monthly:
            size = np.array([site.children * design.size * network.SCHOOL_DAYS])
        share = size / size.sum()
        gap = np.zeros(1) if monthly else _gaps(design.favourable, share)
        weight = np.ones(1) if monthly else _gain_weights(site.gains_go_to, share)
        changes = (site.level_changes[position], site.slope_changes[position])
        for column, place in enumerate((site_id, site_id + COMPARISON)):
            level, slope = (0.0, 0.0) if column else changes
            path = site.levels[position] + trend * clock + season + own[2 * row + column] + shared[row]
            effect = np.where(since >= 0, level + slope * since, 0.0)
            rate = (path[:, None] + gap + effect[:, None] * weight) / 100
            floor = 0 if monthly else network.SMALLEST_CELL
            denominators = floor + rng.poisson(np.broadcast_to(size - floor, rate.shape))
            numerators = (
                rng.poisson(denominators * rate)
                if indicator == "mobility"
                else rng.binomial(denominators, np.clip(rate, 0.0, 1.0))
            )
            dimensions = ("all",) if monthly else COMPARISON_ROWS if column else DIMENSION_ROWS
            margins = _margins(dimensions)
            frames.append(
                _rows(
                    (indicator, place, design.population),
                    list(margins),
                    periods[kept],
                    numerators[kept] @ np.array(list(margins.values()))[:, : size.size].T,
                    denominators[kept] @ np.array(list(margins.values()))[:, : size.size].T,
                )
            )
            truth[place] = {
                "start": start,
                "level_change": level,
                "slope_change": slope,
                "rho": design.rho,
                "subgroups": _subgroup_truth(margins, share, weight, (level, slope)),
            }
    return frames, truth


def _shares(site_id: str) -> Floats:
    """Share of each crossed cell among the children of a site; sums to 1."""
    site = network.SITES[site_id]
    low_income = np.clip(site.low_income + network.LOW_INCOME_TILT, 0.05, 0.95)
    shares = np.array(site.races)[:, None] * np.column_stack([low_income, 1 - low_income])
    return np.asarray(shares.ravel() / shares.sum(), dtype=np.float64)


def _gaps(favourable: int, share: Floats) -> Floats:
    """Points by which each cell's rate stands off the total's; their weighted mean is 0."""
    offsets = favourable * (network.RACE_OFFSETS[:, None] + network.INCOME_OFFSETS).ravel()
    return np.asarray(offsets - share @ offsets, dtype=np.float64)


def _gain_weights(subgroup: str, share: Floats) -> Floats:
    """Return each cell's change for a change of 1 in the total; their weighted mean is 1."""
    weights = np.array([network.GAIN_WEIGHT if subgroup in cell else 1.0 for cell in network.CELLS])
    return np.asarray(weights / (share @ weights), dtype=np.float64)


def _margins(dimensions: tuple[str, ...]) -> dict[tuple[str, str], list[int]]:
    """Which of `CELLS` (1 or 0 each) add up to every subgroup of the dimensions."""
    names = {
        "all": ("All",),
        "race_ethnicity": network.RACES,
        "income": network.INCOMES,
        "race_ethnicity*income": tuple("*".join(cell) for cell in network.CELLS),
    }
    return {
        (dimension, name): [int(name in ("All", *cell, "*".join(cell))) for cell in network.CELLS]
        for dimension in dimensions
        for name in names[dimension]
    }


def _subgroup_truth(
    margins: dict[tuple[str, str], list[int]], share: Floats, weight: Floats, changes: tuple[float, float]
) -> dict[str, dict[str, dict[str, float]]]:
    """Level and slope change of each subgroup by dimension; the total itself is left out."""
    truth: dict[str, dict[str, dict[str, float]]] = {}
    for (dimension, subgroup), members in margins.items():
        if dimension != "all":
            part = share * members
            factor = float(part @ weight / part.sum())
            truth.setdefault(dimension, {})[subgroup] = {
                "level_change": round(changes[0] * factor, 6),
                "slope_change": round(changes[1] * factor, 6),
            }
    return truth


def _rows(
    names: tuple[str, str, str],
    groups: list[tuple[str, str]],
    periods: "pd.Index[str]",
    numerators: Floats,
    denominators: Floats,
) -> pd.DataFrame:
    """Lay counts of shape (periods, groups) out as rows of an indicator table."""
    dimensions, subgroups = zip(*groups, strict=True)
    rows = pd.DataFrame(
        {
            "indicator": names[0],
            "site_id": names[1],
            "unit_id": "all",
            "population": names[2],
            "period": np.repeat(periods.to_numpy(), len(groups)),
            "dimension": np.tile(np.array(dimensions, dtype=object), len(periods)),
            "subgroup": np.tile(np.array(subgroups, dtype=object), len(periods)),
            "numerator": numerators.ravel().astype(np.float64),
            "denominator": denominators.ravel().astype(np.float64),
            "status": "reported",
            "source": "simulation",
        }
    )
    return rows.reindex(columns=list(INDICATOR_COLUMNS))


def _lose(indicators: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Lose whole years of two surveys, and a few crossed cells; their rows stay, with status missing."""
    lost = pd.Series(False, index=indicators.index)
    for site_id, indicator, period in network.LOST_YEARS:
        lost |= (
            (indicators["site_id"] == site_id)
            & (indicators["indicator"] == indicator)
            & (indicators["period"] == period)
        )
    crossed = indicators.index[indicators["dimension"] == DIMENSION_ROWS[-1]].to_numpy()
    lost[rng.choice(crossed, network.LOST_CELLS, replace=False)] = True
    kept = indicators.copy()
    kept.loc[lost, ["numerator", "denominator"]] = np.nan
    kept.loc[lost, "status"] = "missing"
    return kept


def _reach(indicators: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """How many persons of each year's denominator a solution served; it grows over its first three years."""
    totals = indicators[(indicators["dimension"] == "all") & (indicators["status"] == "reported")]
    denominators = totals.set_index(["site_id", "indicator", "period"])["denominator"].to_dict()
    rows = []
    for solution in network.SOLUTIONS:
        for indicator in solution.indicators:
            for year in range(solution.start, network.YEARS[-1] + 1):
                population = denominators.get((solution.site_id, indicator, str(year)))
                if population is None:
                    continue
                grown = min(1.0, (year - solution.start + 1) / 3)
                rows.append(
                    {
                        "site_id": solution.site_id,
                        "partner_id": solution.partner_id,
                        "solution_id": solution.solution_id,
                        "indicator": indicator,
                        "period": str(year),
                        "served": int(rng.binomial(int(population), solution.reach * grown)),
                        "population": int(population),
                        "dose": round(float(rng.uniform(0.55, 0.85)), 2),
                    }
                )
    return pd.DataFrame(rows)


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    """Write beside the file and rename, so that a reader never meets half of it."""
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(partial, path)
