"""Qualitative comparative analysis, before minimising: calibration, necessity and the truth table.

A condition is a set, and each case is a member of it to a degree from 0 (out) to 1 (in); a crisp set knows
only 0 and 1. What holds for fuzzy sets holds for crisp ones, by the same formulas.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import DesignError
from evalkit.wording import listed

Floats = NDArray[np.float64]

CONSISTENCY_CUT = 0.8  # share; the usual least consistency of a row that counts as sufficient
FULL_MEMBERSHIP = 0.95  # degree of membership at the anchor of inclusion
CROSSOVER = 0.5  # degree of membership; neither in nor out
TRIVIAL_BELOW = (
    0.6  # relevance of necessity; a condition that nearly all cases meet is necessary for anything
)
NECESSARY_FROM = 0.9  # inclusion of necessity, the usual least one
NEARLY = 1e-9  # share; so that .8 worked out in floating point is not below .8


def calibrate(
    values: ArrayLike,
    *,
    exclusion: float,
    crossover: float,
    inclusion: float,
    full_membership: float = FULL_MEMBERSHIP,
) -> Floats:
    """Turn measured values into degrees of membership by the direct method, a logistic curve of two halves.

    Parameters
    ----------
    exclusion, crossover, inclusion : values with membership 1 − `full_membership`, 0.5 and `full_membership`;
        falling anchors calibrate a set of the low values

    Raises
    ------
    DesignError : the anchors neither rise nor fall.

    References
    ----------
    Ragin (2008), Redesigning Social Inquiry, chapter 5; Dusa (2019), QCA with R, section 4.2.
    """
    if not (exclusion < crossover < inclusion or exclusion > crossover > inclusion):
        raise DesignError(
            f"the anchors {exclusion}, {crossover} and {inclusion} neither rise nor fall; give exclusion, "
            "crossover and inclusion in the order of the values"
        )
    x = np.asarray(values, dtype=np.float64)
    edge = math.log(full_membership / (1 - full_membership))
    beyond = (x - crossover) * (inclusion - crossover) >= 0
    width = np.where(beyond, inclusion - crossover, crossover - exclusion)
    return np.asarray(0.5 * (1 + np.tanh((x - crossover) * edge / width / 2)), dtype=np.float64)


def calibrate_crisp(values: ArrayLike, *, threshold: float) -> Floats:
    """Turn measured values into 1 (at the threshold or above) and 0."""
    x = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(x), np.nan, (x >= threshold).astype(np.float64))


def sufficiency(condition: Floats, outcome: Floats) -> tuple[float, float, float]:
    """Return consistency, PRI and coverage of "whoever meets the condition shows the outcome".

    PRI leaves out what speaks for the outcome and for its absence alike. All are NaN where nobody is in.
    """
    both = np.minimum(condition, outcome).sum()
    alike = np.minimum(np.minimum(condition, outcome), 1 - outcome).sum()
    total, shown = condition.sum(), outcome.sum()
    return _share(both, total), _share(both - alike, total - alike), _share(both, shown)


def necessity(data: pd.DataFrame, *, outcome: str, conditions: Sequence[str]) -> pd.DataFrame:
    """Ask of each condition, and of its absence, whether the outcome never comes without it.

    Returns
    -------
    A row for each condition and each absence ("~X"): `inclN`, `RoN` (relevance; low where nearly every case
    meets the condition, so that it is necessary for anything) and `covN`, with `verdict` necessary,
    trivially necessary or not necessary.

    References
    ----------
    Ragin (2006), Political Analysis 14:291-310; Schneider and Wagemann (2012), Set-Theoretic Methods.
    """
    cases = usable_cases(data, outcome=outcome, conditions=conditions)
    shown = cases[outcome].to_numpy(dtype=np.float64)
    rows = []
    for absent in (False, True):
        for name in conditions:
            met = cases[name].to_numpy(dtype=np.float64)
            met = 1 - met if absent else met
            both = np.minimum(met, shown)
            inclusion = _share(both.sum(), shown.sum())
            relevance = _share((1 - met).sum(), (1 - both).sum())
            verdict = "not necessary"
            if inclusion >= NECESSARY_FROM - NEARLY:
                verdict = "trivially necessary" if relevance < TRIVIAL_BELOW else "necessary"
            rows.append(
                {
                    "condition": f"~{name}" if absent else name,
                    "inclN": inclusion,
                    "RoN": relevance,
                    "covN": _share(both.sum(), met.sum()),
                    "verdict": verdict,
                }
            )
    return pd.DataFrame(rows)


def truth_table(
    data: pd.DataFrame,
    *,
    outcome: str,
    conditions: Sequence[str],
    consistency_cut: float = CONSISTENCY_CUT,
    pri_cut: float = 0.0,
    fewest_cases: int = 1,
    force: bool = False,
) -> pd.DataFrame:
    """List every combination of conditions that cases show, with how consistently the outcome follows.

    Parameters
    ----------
    data : a row per case (its index names the cases), degrees of membership in [0, 1]
    consistency_cut, pri_cut : least consistency and PRI of a row that counts as sufficient (`OUT` 1)
    fewest_cases : rows with fewer cases are left open, like those without any
    force : analyse more conditions than log2(cases) allows

    Returns
    -------
    A row per combination, in binary order: a column of 0 and 1 for each condition, `row` (from 1), `OUT`
    ("1", "0", or "?" for too few cases), `n`, `incl`, `PRI`, `cases`, `contradicts` (cases whose own outcome
    is not that of the row). Inclusion rests on all cases, each to its degree.

    Raises
    ------
    DesignError : too many conditions, memberships outside [0, 1], or a case at exactly 0.5.
    """
    cases = usable_cases(data, outcome=outcome, conditions=conditions)
    check_size(len(cases), len(conditions), force=force)
    shown = cases[outcome].to_numpy(dtype=np.float64)
    met = cases[list(conditions)].to_numpy(dtype=np.float64)
    codes = (met > CROSSOVER) @ (1 << np.arange(len(conditions) - 1, -1, -1))
    rows = []
    for code in np.unique(codes):
        corner = corner_of(int(code), len(conditions))
        members = np.where(corner, met, 1 - met).min(axis=1)
        inclusion, pri, _ = sufficiency(members, shown)
        here = codes == code
        enough = int(here.sum()) >= fewest_cases
        counts = inclusion >= consistency_cut - NEARLY and pri >= pri_cut - NEARLY
        against = (shown < CROSSOVER) if counts else (shown > CROSSOVER)
        rows.append(
            {
                "row": int(code) + 1,
                **{name: int(value) for name, value in zip(conditions, corner, strict=True)},
                "OUT": "?" if not enough else "1" if counts else "0",
                "n": int(here.sum()),
                "incl": inclusion,
                "PRI": pri,
                "cases": ",".join(map(str, cases.index[here])),
                "contradicts": ",".join(map(str, cases.index[here & against])) if enough else "",
            }
        )
    return pd.DataFrame(rows)


def usable_cases(data: pd.DataFrame, *, outcome: str, conditions: Sequence[str]) -> pd.DataFrame:
    """Return the cases with a membership in every set.

    Raises
    ------
    DesignError : a column is absent or no degree of membership, no case is left, or a case stands at exactly
        0.5 in a condition and so belongs to no row.
    """
    columns = [*conditions, outcome]
    problems = [f"there is no column {name!r} in the data" for name in columns if name not in data.columns]
    if len(set(columns)) < len(columns):
        problems.append("a condition is named twice, or is the outcome; name each set once")
    if problems:
        raise DesignError(*problems)
    cases = data[columns].astype("float64").dropna()
    if cases.empty:
        raise DesignError("no case has a membership in every set; calibrate the conditions and the outcome")
    outside = [name for name in columns if not cases[name].between(0, 1).all()]
    problems += [f"{name}: a membership lies outside [0, 1]; calibrate it first" for name in outside]
    for name in conditions:
        torn = [str(case) for case in cases.index[cases[name] == CROSSOVER]]
        if torn:
            problems.append(
                f"{name}: {listed(torn)} {'stands' if len(torn) == 1 else 'stand'} at exactly 0.5, neither "
                "in nor out; move the crossover a little"
            )
    if problems:
        raise DesignError(*problems)
    return cases


def check_size(cases: int, conditions: int, *, force: bool) -> None:
    """Refuse more conditions than log2(cases), with which almost any data look orderly.

    Raises
    ------
    DesignError : there are too many conditions, and the caller does not insist.

    References
    ----------
    Marx and Dusa (2011), Methodological Innovations Online 6:103-142.
    """
    if conditions > math.log2(max(cases, 1)) and not force:
        raise DesignError(
            f"{conditions} conditions need at least {2**conditions} cases, and there are {cases}; leave out "
            "conditions, or pass force=True and say so"
        )


def corner_of(code: int, conditions: int) -> NDArray[np.bool_]:
    """Write the number of a truth-table row (from 0) as presence of each condition."""
    return np.array([code >> place & 1 for place in range(conditions - 1, -1, -1)], dtype=np.bool_)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan
