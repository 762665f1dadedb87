"""Every subgroup against one reference, cell by cell: gap, ratio, and the reason where there is none."""

import numpy as np
import pandas as pd

from evalkit.checks import KEY
from evalkit.dictionary import CROSSING, TOTAL_SUBGROUP, DataDictionary, Indicator
from evalkit.equity.contrasts import Level, difference, level_of, ratio
from evalkit.errors import DataError, ParameterError, raise_together
from evalkit.indicators import IndicatorTable

WHERE = ["indicator", "site_id", "unit_id", "population", "period"]
SHOWN = ("reported", "censored")
REASONS = {
    "suppressed": "not shown, to protect small groups",
    "missing": "no value for this period",
    "censored": "known only as a range",
}


def rate_difference(
    table: IndicatorTable, *, dimension: str, reference: str, conf_level: float = 0.95
) -> pd.DataFrame:
    """Subtract the reference subgroup's rate from every other subgroup's rate.

    The sign is fixed: subgroup minus reference, whichever direction is favourable.

    Parameters
    ----------
    table : one indicator, any number of sites and periods
    dimension : the way the population is split, e.g. "race_ethnicity"
    reference : subgroup to compare with; never "All", which contains the others
    conf_level : coverage of the interval, in (0, 1)

    Returns
    -------
    One row per site, unit, population, period and subgroup. `estimate`, `conf_low`, `conf_high` are in
    percentage points (Newcombe's hybrid score interval), `p_value` is of the score test; a cell that is
    hidden, missing or known only as a range gives NaN and a `note`.

    Raises
    ------
    DataError : the table holds several indicators, or the reference is absent or suppressed; the message
        names site and period.
    ParameterError : the dimension or the reference is unknown.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10.
    """
    indicator = only_indicator(table)
    compared = against_reference(table, indicator, dimension, reference, conf_level=conf_level)
    raise_together(DataError, _reference_problems(compared, reference))
    columns = {
        "difference": "estimate",
        "difference_error": "std_error",
        "difference_low": "conf_low",
        "difference_high": "conf_high",
    }
    kept = compared[[*KEY, *columns, "p_value", "note"]].rename(columns=columns)
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    kept[numbers] *= indicator.scale
    return kept


def rate_ratio(
    table: IndicatorTable, *, dimension: str, reference: str, conf_level: float = 0.95
) -> pd.DataFrame:
    """Divide every other subgroup's rate by the reference subgroup's rate.

    As `rate_difference`; `estimate` is a ratio with Koopman's score interval. Over a reference of 0 it has no
    upper end (inf); 0 over 0 is NaN with the interval (0, inf).

    References
    ----------
    Koopman (1984), Biometrics 40:513-517.
    """
    indicator = only_indicator(table)
    compared = against_reference(table, indicator, dimension, reference, conf_level=conf_level)
    raise_together(DataError, _reference_problems(compared, reference))
    columns = {"ratio": "estimate", "ratio_low": "conf_low", "ratio_high": "conf_high"}
    return compared[[*KEY, *columns, "p_value", "note"]].rename(columns=columns)


def check_reference(dictionary: DataDictionary, dimension: str, reference: str) -> None:
    """Refuse a reference that is unknown or that contains the others.

    Raises
    ------
    ParameterError : with the nearest known name.
    """
    problem = dictionary.subgroup_problem(dimension, reference)
    if problem:
        raise ParameterError(f"reference of {dimension}: {problem}")
    if TOTAL_SUBGROUP in reference.split(CROSSING):
        raise ParameterError(
            f"reference of {dimension}: {reference!r} contains the other groups; name one of the subgroups"
        )


def against_reference(
    table: IndicatorTable, indicator: Indicator, dimension: str, reference: str, *, conf_level: float
) -> pd.DataFrame:
    """Set every subgroup of one indicator beside its reference in the same site, unit, population and period.

    Returns
    -------
    The key, `status`, `reference_status` ("absent" where there is no such row), `difference` with
    `difference_error`, `_low`, `_high`, `p_value`, `ratio` with `_low`, `_high`, the least and the greatest
    difference that ranges allow (`least`, `most`, each with `_low`, `_high`; NaN where both cells are
    exact), `n`, `reference_n` and `note`. Proportions, not yet multiplied by 100.
    """
    check_reference(table.dictionary, dimension, reference)
    cells = table.where(indicator=indicator.id, dimension=dimension).rates()
    numbers = ["numerator", "denominator", "std_error", "rate", "rate_low", "rate_high"]
    wanted = cells.loc[cells["subgroup"] == reference, [*WHERE, "status", *numbers]]
    pairs = cells[cells["subgroup"] != reference].merge(
        wanted, how="left", on=WHERE, suffixes=("", "_of_reference"), validate="many_to_one"
    )
    others = pairs[[f"{name}_of_reference" for name in numbers]].set_axis(numbers, axis=1)
    out = pairs[[*KEY, "status", "time"]].copy()
    out["reference_status"] = pairs["status_of_reference"].fillna("absent")
    out["n"], out["reference_n"] = pairs["denominator"], others["denominator"]
    first, second = level_of(pairs, indicator), level_of(others, indicator)
    gap = difference(first, second, conf_level=conf_level)
    names = ("difference", "difference_error", "difference_low", "difference_high", "p_value")
    for name, values in zip(names, gap, strict=True):
        out[name] = values
    for name, values in zip(
        ("ratio", "ratio_low", "ratio_high"), ratio(first, second, conf_level=conf_level), strict=True
    ):
        out[name] = values
    is_range = out["status"].isin(SHOWN) & out["reference_status"].isin(SHOWN)
    is_range &= out["status"].eq("censored") | out["reference_status"].eq("censored")
    for name, own_end, reference_end in (
        ("least", "rate_low", "rate_high"),
        ("most", "rate_high", "rate_low"),
    ):
        bound = _bound(pairs, others, indicator, own_end, reference_end, conf_level)
        for column, values in zip((name, f"{name}_low", f"{name}_high"), bound, strict=True):
            out[column] = np.where(is_range, values, np.nan)
    out["note"] = [
        _reason(status, reference_status, reference)
        for status, reference_status in zip(out["status"], out["reference_status"], strict=True)
    ]
    return out


def _bound(
    pairs: pd.DataFrame,
    others: pd.DataFrame,
    indicator: Indicator,
    own_end: str,
    reference_end: str,
    conf_level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first: Level = level_of(pairs, indicator, rate=own_end)
    second: Level = level_of(others, indicator, rate=reference_end)
    gap, _, low, high, _ = difference(first, second, conf_level=conf_level)
    return gap, low, high


def _reason(status: str, reference_status: str, reference: str) -> str:
    if status not in SHOWN:
        return REASONS[status]
    if reference_status == "absent":
        return f"no row for the reference {reference}"
    if reference_status not in SHOWN:
        return f"reference {reference}: {REASONS[reference_status]}"
    if status == "censored":
        return REASONS["censored"]
    return f"reference {reference}: {REASONS['censored']}" if reference_status == "censored" else ""


def only_indicator(table: IndicatorTable) -> Indicator:
    """Take the one indicator of a table, or refuse a table of several."""
    names = table.indicators()
    if len(names) != 1:
        raise DataError(
            f"the table holds {len(names)} indicators; cut one with table.where(indicator=...) for a gap"
        )
    return table.dictionary.indicator(names[0])


def _reference_problems(compared: pd.DataFrame, reference: str) -> list[str]:
    hidden = compared[~compared["reference_status"].isin(SHOWN)]
    places = hidden[["site_id", "indicator", "period", "reference_status"]].drop_duplicates()
    return [
        f"{place.site_id}, {place.indicator}: the reference {reference!r} is {place.reference_status} in "
        f"{place.period}; choose another reference or leave this period out"
        for place in places.itertuples()
    ]
