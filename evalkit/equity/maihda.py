"""Intersections of several dimensions: how much lies between strata, and which differ from their parts.

Multilevel analysis of individual heterogeneity and discriminatory accuracy (MAIHDA): persons within strata,
a random intercept for each stratum, on the scale of the rates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from evalkit.equity.contrasts import holm
from evalkit.errors import DataError, DesignError, ParameterError

Floats = NDArray[np.float64]

FEWEST_STRATA = 5  # with fewer the variance between strata is a guess
# Variance between strata over variance within, of 0-or-1 outcomes: from nothing to strata all of one kind.
SMALLEST, LARGEST = 1e-8, 1e4


@dataclass(frozen=True)
class Intersections:
    """What is known of the strata that several dimensions make together.

    Attributes
    ----------
    strata : a row per stratum: the dimensions, `n`, `rate` (as observed), `shrunken` with `conf_low`,
        `conf_high` (drawn in towards the mean of all, the more so the fewer persons), `expected` (from the
        dimensions' main effects), `interaction` with `interaction_low`, `interaction_high`, `p_value`
        (Holm-adjusted), `differs` and `note`
    vpc : share of all variance that lies between strata (variance partition coefficient), 0 to 1
    vpc_left : the same once the main effects are taken out
    pcv : share of the variance between strata that the main effects account for (proportional change in
        variance); NaN where there is none to account for
    """

    strata: pd.DataFrame
    vpc: float
    vpc_left: float
    pcv: float


def intersections(
    frame: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    numerator: str,
    denominator: str,
    conf_level: float = 0.95,
) -> Intersections:
    """Fit persons within intersectional strata, without and with the dimensions' main effects.

    Parameters
    ----------
    frame : a row per stratum
    dimensions : at least two columns that name the stratum
    numerator, denominator : columns with persons counted and persons; a stratum without them is a row with
        its reason

    Returns
    -------
    Rates and differences as proportions; a linear model, so that an interaction is a departure from adding
    up. `differs` where Holm's method leaves a p value below 1 − conf_level.

    Raises
    ------
    ParameterError : fewer than two dimensions, or a column is absent.
    DataError : a stratum is there twice, or a count is larger than its total.
    DesignError : fewer than 5 strata with known counts, or every person has the same outcome.

    References
    ----------
    Merlo (2018), Social Science and Medicine 203:74-80. Evans et al. (2018), Social Science and Medicine
    203:64-73.
    """
    known = _checked(frame, list(dimensions), numerator, denominator)
    n = known[denominator].to_numpy(dtype=float)
    x = known[numerator].to_numpy(dtype=float)
    additive = _main_effects(known[list(dimensions)])
    constant = np.ones((len(known), 1))
    empty, full = _fit(x, n, constant), _fit(x, n, additive)
    z = float(stats.norm.ppf((1 + conf_level) / 2))
    shrunken = constant @ empty.effects + empty.departure
    # The common mean is uncertain too; its error matters most for the smallest strata.
    spread = np.sqrt(empty.departure_error**2 + (empty.held_back * empty.effects_error(constant)) ** 2)
    with np.errstate(all="ignore"):
        p_value = holm(2 * stats.norm.sf(np.abs(full.departure / full.departure_error)))
    found = pd.DataFrame(
        {
            "n": n,
            "rate": x / n,
            "shrunken": shrunken,
            "conf_low": np.clip(shrunken - z * spread, 0, 1),
            "conf_high": np.clip(shrunken + z * spread, 0, 1),
            "expected": additive @ full.effects,
            "interaction": full.departure,
            "interaction_low": full.departure - z * full.departure_error,
            "interaction_high": full.departure + z * full.departure_error,
            "p_value": p_value,
            "differs": np.where(np.isnan(p_value), False, p_value < 1 - conf_level),
            "note": "",
        },
        index=known.index,
    )
    out = frame[list(dimensions)].join(found)
    out["note"] = out["note"].fillna("no counts, so the stratum could not be estimated")
    out["differs"] = out["differs"].eq(True)
    return Intersections(
        strata=out.reset_index(drop=True),
        vpc=empty.between / (empty.between + empty.within),
        vpc_left=full.between / (full.between + full.within),
        pcv=(empty.between - full.between) / empty.between if empty.between > 0 else float("nan"),
    )


@dataclass(frozen=True)
class _Fit:
    effects: Floats
    covariance: Floats
    between: float
    within: float
    departure: Floats
    departure_error: Floats
    held_back: Floats

    def effects_error(self, design: Floats) -> Floats:
        return np.asarray(
            np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design)), dtype=np.float64
        )


def _fit(x: Floats, n: Floats, design: Floats) -> _Fit:
    """Fit by restricted maximum likelihood, from the strata's counts alone.

    With one random intercept the likelihood depends on a single number, between over within, and is sound at
    its edge 0, where general solvers of mixed models break down.
    """
    rate = x / n
    inside = float((x * (1 - rate)).sum())
    free = float(n.sum()) - design.shape[1]

    def solve(relative: float) -> tuple[Floats, Floats, float]:
        weight = n / (1 + n * relative)
        information = (design * weight[:, None]).T @ design
        effects = np.linalg.solve(information, design.T @ (weight * rate))
        within = (inside + float((weight * (rate - design @ effects) ** 2).sum())) / free
        return np.asarray(effects, dtype=np.float64), information, float(within)

    def loss(relative: float) -> float:
        _, information, within = solve(relative)
        determinant = float(np.linalg.slogdet(information)[1])
        return float(free * math.log(within) + np.log1p(n * relative).sum() + determinant)

    grid = np.concatenate([[0.0], np.geomspace(SMALLEST, LARGEST, 60)])
    best = int(np.argmin([loss(value) for value in grid]))
    bracket = (grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)])
    inner = optimize.minimize_scalar(loss, bounds=bracket, method="bounded", options={"xatol": 1e-12})
    relative = float(inner.x) if inner.fun < loss(0.0) else 0.0
    effects, information, within = solve(relative)
    between = relative * within
    held = 1 / (1 + n * relative)  # share of a stratum's own departure that is not believed
    return _Fit(
        effects=np.asarray(effects, dtype=np.float64),
        covariance=np.asarray(within * np.linalg.inv(information), dtype=np.float64),
        between=between,
        within=within,
        departure=(1 - held) * (rate - design @ effects),
        departure_error=np.sqrt(between * held),
        held_back=held,
    )


def _main_effects(names: pd.DataFrame) -> Floats:
    coded = pd.get_dummies(names.astype(str), drop_first=True, dtype=float).to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(names)), coded])
    if np.linalg.matrix_rank(design) == len(names):
        raise DesignError(
            "the main effects alone fit every stratum; there is no interaction left to estimate"
        )
    return design


def _checked(frame: pd.DataFrame, dimensions: list[str], numerator: str, denominator: str) -> pd.DataFrame:
    if len(dimensions) < 2:
        raise ParameterError("an intersection needs at least two dimensions")
    absent = [name for name in (*dimensions, numerator, denominator) if name not in frame.columns]
    if absent:
        raise ParameterError(f"no column {', '.join(map(repr, absent))} in the frame")
    if frame.duplicated(dimensions).any():
        raise DataError("a stratum is there twice; sum its counts first")
    known = frame[frame[numerator].notna() & frame[denominator].gt(0)]
    if ((known[numerator] < 0) | (known[numerator] > known[denominator])).any():
        raise DataError("a count is negative or larger than its total")
    if len(known) < FEWEST_STRATA:
        raise DesignError(f"{len(known)} strata with known counts; intersections need {FEWEST_STRATA}")
    if known[numerator].sum() in {0, known[denominator].sum()}:
        raise DesignError("every person has the same outcome, so nothing lies between strata")
    return known
