"""Gaps against other yardsticks than a named subgroup: the best-off, the rest, the mean of all, a target."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.checks import KEY
from evalkit.dictionary import CROSSING, TOTAL_SUBGROUP, Indicator
from evalkit.equity.contrasts import Level, difference, holm, level_interval, level_of, ratio
from evalkit.equity.differences import REASONS, WHERE, only_indicator
from evalkit.errors import ParameterError
from evalkit.indicators import IndicatorTable

Floats = NDArray[np.float64]

YARDSTICKS = ("best_off", "rest", "mean", "target")
COLUMNS = (
    *KEY, "against", "difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high",
    "p_value", "p_holm", "n", "note",
)  # fmt: skip
NO_COUNTS = "needs the counts of every subgroup: {} without"


def gaps_against(
    table: IndicatorTable,
    *,
    dimension: str,
    against: str,
    target: float | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Compare every subgroup with the best-off, with all the rest, with the mean of all, or with a target.

    Parameters
    ----------
    table : one indicator, any number of sites and periods
    dimension : one dimension, or several crossed, e.g. "race_ethnicity*income"
    against : "best_off" (the subgroup with the best rate in that site and period; that it is the best is
        partly luck, so these gaps run large), "rest" (all other subgroups together), "mean" (all subgroups
        together, the subgroup itself among them) or "target"
    target : in the indicator's unit, e.g. 75 percent

    Returns
    -------
    A row per site, unit, population, period and subgroup, in the indicator's unit (a rate: percentage
    points). `against` names the best-off subgroup, else repeats the yardstick. Intervals are Newcombe's and
    Koopman's; against the mean the interval against the rest, drawn in by the subgroup's share of all;
    against a target Wilson's. `p_holm` is adjusted within site, population and period. What cannot be had is
    a row with a `note`; "rest" and "mean" need the counts of every subgroup: those hidden might change them.

    Raises
    ------
    DataError : the table holds several indicators.
    ParameterError : `against` is not a yardstick, the target is absent, or the dimension is unknown.
    """
    if against not in YARDSTICKS:
        raise ParameterError(f"against is {against!r}; use {', '.join(map(repr, YARDSTICKS))}")
    if (target is None) == (against == "target"):
        raise ParameterError("give `target` with against='target', and only then")
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    unknown = [part for part in dimension.split(CROSSING) if part not in table.dictionary.dimensions]
    if unknown:
        raise ParameterError(f"unknown dimension {unknown[0]!r}")
    indicator = only_indicator(table)
    cells = table.where(indicator=indicator.id, dimension=dimension).rates()
    cells = cells[
        ~cells["subgroup"].str.split(CROSSING, regex=False).map(lambda parts: TOTAL_SUBGROUP in parts)
    ]
    cells = cells.reset_index(drop=True)
    found = {
        "best_off": _against_best_off,
        "rest": _against_rest,
        "mean": _against_mean,
        "target": _against_target,
    }[against](cells, indicator, target, conf_level)
    out = cells[list(KEY)].assign(**({"against": against, "n": cells["denominator"]} | found))
    hidden = cells["status"].map(lambda status: REASONS.get(status, ""))
    out["note"] = hidden.where(hidden.ne(""), out["note"])
    points = ["difference", "difference_low", "difference_high"]
    out[points] *= indicator.scale
    out["p_holm"] = np.nan
    for _, rows in out.groupby(WHERE, sort=False):
        out.loc[rows.index, "p_holm"] = holm(rows["p_value"].to_numpy(dtype=float))
    return out[list(COLUMNS)]


Found = dict[str, object]


def _pair(first: Level, second: Level, conf_level: float) -> Found:
    gap, _, low, high, p_value = difference(first, second, conf_level=conf_level)
    quotient, ratio_low, ratio_high = ratio(first, second, conf_level=conf_level)
    return {
        "difference": gap, "difference_low": low, "difference_high": high, "ratio": quotient,
        "ratio_low": ratio_low, "ratio_high": ratio_high, "p_value": p_value,
    }  # fmt: skip


def _against_best_off(
    cells: pd.DataFrame, indicator: Indicator, target: float | None, conf_level: float
) -> Found:
    sign = 1 if indicator.favourable == "higher" else -1
    exact = cells["rate"].where(cells["status"].eq("reported"))
    best = (sign * exact).groupby([cells[name] for name in WHERE]).transform("max")
    # Of equally good subgroups the one that comes first by name.
    is_best = (sign * exact).eq(best)
    place = pd.Series(cells.index, index=cells.index).where(is_best)
    place = place.groupby([cells[name] for name in WHERE]).transform("min")
    known = place.notna()
    rows = cells.iloc[place.fillna(0).astype(int)].reset_index(drop=True)
    numbers = ["numerator", "denominator", "std_error", "rate", "rate_low", "rate_high"]
    rows.loc[~known.to_numpy(), numbers] = np.nan
    found = _pair(level_of(cells, indicator), level_of(rows, indicator), conf_level)
    is_it = known & place.eq(cells.index.to_series())
    # No subgroup has a gap with itself, nor an interval of one.
    for name, value in {"difference": 0.0, "ratio": 1.0}.items():
        for column in (name, f"{name}_low", f"{name}_high"):
            found[column] = np.where(is_it, value, np.asarray(found[column], dtype=float))
    found["p_value"] = np.where(is_it, np.nan, np.asarray(found["p_value"], dtype=float))
    found["against"] = rows["subgroup"].where(known.to_numpy(), "")
    found["note"] = np.select(
        [is_it, ~known], ["the best-off itself", "no subgroup has an exact rate"], default=""
    )
    return found


def _others(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Sum the counts of all other subgroups, where every one has its counts."""
    grouped = [cells[name] for name in WHERE]
    counted = cells["numerator"].notna() & cells["denominator"].gt(0)
    without = (~counted).groupby(grouped).transform("sum")
    rest = cells.copy()
    for name in ("numerator", "denominator"):
        total = cells[name].where(counted).groupby(grouped).transform("sum")
        rest[name] = (total - cells[name]).where(without.eq(0))
    rest["rate"] = rest["numerator"] / rest["denominator"].where(rest["denominator"].gt(0))
    rest["std_error"] = np.nan
    notes = without.map(lambda number: NO_COUNTS.format(number) if number else "")
    notes = notes.where(rest["denominator"].ne(0), "there is no other subgroup")
    return rest, cells["denominator"] / (cells["denominator"] + rest["denominator"]), notes


def _against_rest(
    cells: pd.DataFrame, indicator: Indicator, target: float | None, conf_level: float
) -> Found:
    rest, _, notes = _others(cells)
    return _pair(level_of(cells, indicator), level_of(rest, indicator), conf_level) | {"note": notes}


def _against_mean(
    cells: pd.DataFrame, indicator: Indicator, target: float | None, conf_level: float
) -> Found:
    """Own rate less the mean of all is (1 − share) times own rate less that of the rest; ends move alike."""
    rest, share, notes = _others(cells)
    found = _pair(level_of(cells, indicator), level_of(rest, indicator), conf_level)
    outside = (1 - share).to_numpy(dtype=float)
    for name in ("difference", "difference_low", "difference_high"):
        found[name] = outside * np.asarray(found[name], dtype=float)
    with np.errstate(all="ignore"):
        for name in ("ratio", "ratio_low", "ratio_high"):
            times = np.asarray(found[name], dtype=float)
            found[name] = np.where(
                np.isinf(times), 1 / (1 - outside), times / ((1 - outside) * times + outside)
            )
    return found | {"note": notes}


def _against_target(
    cells: pd.DataFrame, indicator: Indicator, target: float | None, conf_level: float
) -> Found:
    goal = float("nan") if target is None else target / indicator.scale
    level = level_of(cells, indicator)
    low, high = level_interval(level, conf_level=conf_level)
    with np.errstate(all="ignore"):
        return {
            "difference": level.rate - goal, "difference_low": low - goal, "difference_high": high - goal,
            "ratio": level.rate / goal, "ratio_low": low / goal, "ratio_high": high / goal,
            "p_value": np.full(len(cells), np.nan), "note": "",
        }  # fmt: skip
