"""Bounds of gaps between subgroups known only as ranges: sharp where the whole cohort is counted."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evalkit.checks import KEY
from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP
from evalkit.equity.differences import REASONS, SHOWN, WHERE, check_reference, only_indicator
from evalkit.errors import DataError
from evalkit.indicators import IndicatorTable

Floats = NDArray[np.float64]

ROUNDING = 1e-9  # persons: a count this near to a whole one is whole
ALONE = "the two ranges alone"
WITH_TOTAL = "the ranges of all subgroups and the total"
COLUMNS = (*KEY, "reference", "least", "most", "least_alone", "most_alone", "basis", "note")


def count_bounds(
    low: ArrayLike, high: ArrayLike, total_low: float, total_high: float
) -> tuple[Floats, Floats]:
    """Draw in the bounds of counts that add up to a total known within bounds.

    Parameters
    ----------
    low, high : least and greatest count of each part
    total_low, total_high : of their sum

    Returns
    -------
    The least and greatest count each part can have together with the others.

    Raises
    ------
    DataError : no counts within the bounds add up to the total.
    """
    least, most = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if (least > most).any() or least.sum() > total_high or most.sum() < total_low:
        raise DataError("the ranges of the subgroups and their total contradict each other")
    drawn_low = np.maximum(least, total_low - (most.sum() - most))
    drawn_high = np.minimum(most, total_high - (least.sum() - least))
    return drawn_low, drawn_high


def gap_extremes(
    low: ArrayLike,
    high: ArrayLike,
    persons: ArrayLike,
    first: int,
    second: int,
    *,
    total_low: float,
    total_high: float,
) -> tuple[float, float]:
    """Find the least and the greatest rate of `first` minus rate of `second` that the counts allow.

    Sharp: both are reached by whole counts within all bounds that add up to the total.

    Parameters
    ----------
    low, high, persons : bounds of the counts, and the cohort, of every part of the whole
    first, second : places of the two parts compared

    Raises
    ------
    DataError : no counts within the bounds add up to the total.
    """
    least, most = count_bounds(low, high, total_low, total_high)
    cohort = np.asarray(persons, dtype=np.float64)
    others = np.ones(least.size, dtype=bool)
    others[[first, second]] = False
    both_low = total_low - np.asarray(high, dtype=np.float64)[others].sum()
    both_high = total_high - np.asarray(low, dtype=np.float64)[others].sum()

    def greatest(one: int, other: int) -> float:
        counted = min(most[one], both_high - least[other])
        against = max(least[other], both_low - most[one])
        return float(counted / cohort[one] - against / cohort[other])

    return -greatest(second, first), greatest(first, second)


def gap_bounds(table: IndicatorTable, *, dimension: str, reference: str) -> pd.DataFrame:
    """Bound every subgroup's gap to the reference, before sampling error.

    Where every subgroup's cohort is known and they make up the total's cohort, the total's own range narrows
    the bounds; other subgroups that are hidden count as anything from nobody to all. Else the two ranges
    stand alone. A hidden subgroup gets no bounds: what was withheld is not worked out again.

    Parameters
    ----------
    table : one indicator with its totals (dimension "all"), any number of sites and periods

    Returns
    -------
    A row per site, unit, population, period and subgroup: `least` and `most` (subgroup minus reference, in
    percentage points), the same from the two ranges alone, `basis`, and a `note` where there are none.

    Raises
    ------
    DataError : the table holds several indicators.
    ParameterError : the dimension or the reference is unknown.

    References
    ----------
    Manski (2003), Partial Identification of Probability Distributions, chapter 1.
    """
    check_reference(table.dictionary, dimension, reference)
    indicator = only_indicator(table)
    cells = table.where(dimension=dimension).rates()
    totals = table.where(dimension=TOTAL_DIMENSION, subgroup=TOTAL_SUBGROUP).rates()
    totals = totals.set_index(WHERE)[["denominator", "rate_low", "rate_high", "status"]]
    rows: list[dict[str, object]] = []
    for where, group in cells.groupby(WHERE, sort=True):
        total = totals.loc[[where]].iloc[0] if where in totals.index else None
        rows.extend(_rows(group.reset_index(drop=True), total, reference))
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    ends = ["least", "most", "least_alone", "most_alone"]
    out[ends] = out[ends].astype(float) * indicator.scale
    return out


def _rows(cells: pd.DataFrame, total: pd.Series | None, reference: str) -> list[dict[str, object]]:
    persons = cells["denominator"].to_numpy(dtype=float)
    shown = cells["status"].isin(SHOWN).to_numpy()
    low = np.where(shown, np.ceil(cells["rate_low"].to_numpy(dtype=float) * persons - ROUNDING), 0.0)
    high = np.where(shown, np.floor(cells["rate_high"].to_numpy(dtype=float) * persons + ROUNDING), persons)
    makes_whole = (
        total is not None
        and total["status"] in SHOWN
        and np.isfinite(persons).all()
        and persons.sum() == total["denominator"]
    )
    at_reference = np.flatnonzero(cells["subgroup"].eq(reference).to_numpy())
    rows: list[dict[str, object]] = []
    for place, cell in cells.iterrows():
        if cell["subgroup"] == reference:
            continue
        row: dict[str, object] = {**{name: cell[name] for name in KEY}, "reference": reference}
        row |= dict.fromkeys(("least", "most", "least_alone", "most_alone"), np.nan) | {"basis": ""}
        if not at_reference.size:
            rows.append(row | {"note": f"no row for the reference {reference}"})
            continue
        pair = [int(str(place)), int(at_reference[0])]
        if not (shown[pair].all() and np.isfinite(persons[pair]).all()):
            rows.append(row | {"note": _reason(cells["status"], shown, pair, reference)})
            continue
        ends = [(low[at] / persons[at], high[at] / persons[at]) for at in pair]
        least, most, basis, note = ends[0][0] - ends[1][1], ends[0][1] - ends[1][0], ALONE, ""
        row |= {"least_alone": least, "most_alone": most}
        if makes_whole and total is not None:
            whole = total["denominator"]
            try:
                least, most = gap_extremes(
                    low, high, persons, *pair,
                    total_low=float(np.ceil(total["rate_low"] * whole - ROUNDING)),
                    total_high=float(np.floor(total["rate_high"] * whole + ROUNDING)),
                )  # fmt: skip
                basis = WITH_TOTAL
            except DataError as error:
                note = f"{error}; the total was not used"
        row |= {"least": least, "most": most, "basis": basis}
        rows.append(row | {"note": note})
    return rows


def _reason(status: pd.Series, shown: NDArray[np.bool_], pair: list[int], reference: str) -> str:
    hidden = [at for at in pair if not shown[at]]
    if not hidden:
        return "the cohort is not known"
    reason = REASONS[str(status.iloc[hidden[0]])]
    return reason if hidden[0] == pair[0] else f"reference {reference}: {reason}"
