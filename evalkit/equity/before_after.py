"""Gaps before and after a start date, beside what interrupted time series say of both sides.

Methods meet in result frames: this reads the frame of gaps and, where there is one, the tidy frame of
interrupted time series of the subgroups.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from evalkit.errors import ParameterError

Floats = NDArray[np.float64]

GAP = ("indicator", "population", "dimension", "subgroup", "reference")
CHANGES = ("level_change", "slope_change")  # terms of an interrupted time series
COLUMNS = (*GAP, "term", "estimate", "std_error", "conf_low", "conf_high", "unit", "n", "note")
BESIDE_COLUMNS = (
    "short_label", "subgroup_label", "reference_label", "before", "since", "change", "conf_low", "conf_high",
    "note",
)  # fmt: skip
MEAN_NOTE = "mean over periods, weighted by precision"
NO_START = "the site declares no start, so there is no before and after"
NO_SERIES = "no interrupted time series of both the subgroup and its reference"


def gap_before_after(
    gaps: pd.DataFrame,
    *,
    start: str | None,
    interrupted: pd.DataFrame | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Compare every gap before a start date with the gap since, without and with the trends of both sides.

    Parameters
    ----------
    gaps : `frames["gaps"]` of `equity_gaps`
    start : the first period after the start, ISO text; None where the site declares none
    interrupted : tidy frame of interrupted time series fitted to the subgroups, of the same site

    Returns
    -------
    Rows of the terms `gap_before`, `gap_after` and `gap_change` (after minus before; the mean of the periods,
    so a trend that was there before is in it), and where there are interrupted time series
    `gap_level_change`, `gap_slope_change`: the subgroup's change less the reference's, their errors taken as
    independent. In the gaps' unit; what cannot be had is a row with its reason in `note`.

    Raises
    ------
    ParameterError : the frame of gaps lacks a column, or conf_level lies outside (0, 1).

    References
    ----------
    Birge (1932), Physical Review 40:207-227, for errors widened where periods scatter by more than they
    explain.
    """
    absent = [
        name for name in (*GAP, "period", "difference", "std_error", "unit") if name not in gaps.columns
    ]
    if absent:
        raise ParameterError(f"no column {', '.join(map(repr, absent))} in the frame of gaps")
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    z = float(stats.norm.ppf((1 + conf_level) / 2))
    rows: list[dict[str, Any]] = []
    for key, group in gaps.groupby(list(GAP), sort=True):
        common = dict(zip(GAP, key, strict=True)) | {"unit": group["unit"].iloc[0]}
        if start is None:
            rows.append(common | {"term": "gap_change", "note": NO_START})
            continue
        rows.extend(common | row for row in _means(group, start))
        if interrupted is not None:
            rows.extend(common | row for row in _series_rows(common, interrupted))
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["estimate", "std_error", "conf_low", "conf_high", "n"]
    out[numbers] = out[numbers].astype(float)
    out["conf_low"] = out["estimate"] - z * out["std_error"]
    out["conf_high"] = out["estimate"] + z * out["std_error"]
    return out


def before_and_since(gaps: pd.DataFrame, *, start: str | None, conf_level: float = 0.95) -> pd.DataFrame:
    """Lay out for a reader what `gap_before_after` finds: a row per gap; its parameters and errors.

    Returns
    -------
    `short_label`, `subgroup_label` and `reference_label`, as in the frame of gaps; `before`, `since`, and
    `change` with `conf_low` and `conf_high`, in the gaps' unit; `note`, the reason where there is no change.
    """
    found = gap_before_after(gaps, start=start, conf_level=conf_level)
    key = list(GAP)
    names = gaps.drop_duplicates(key)[[*key, "short_label", "subgroup_label", "reference_label"]]
    change = found[found["term"].eq("gap_change")].rename(columns={"estimate": "change"})
    change["note"] = change["note"].where(change["change"].isna(), "")
    for term, column in (("gap_before", "before"), ("gap_after", "since")):
        side = found[found["term"].eq(term)].rename(columns={"estimate": column})
        change = change.merge(side[[*key, column]], on=key, how="left", validate="one_to_one")
    rows = change.merge(names, on=key, how="left", validate="one_to_one")
    return rows[list(BESIDE_COLUMNS)]


def _means(group: pd.DataFrame, start: str) -> list[dict[str, Any]]:
    known = group[group["difference"].notna() & group["std_error"].gt(0)]
    hidden = len(group) - len(known)
    left_out = f"; {hidden} periods hidden, missing or ranges" if hidden else ""
    found: list[dict[str, Any]] = []
    for term, part in (
        ("gap_before", known[known["period"] < start]),
        ("gap_after", known[known["period"] >= start]),
    ):
        estimate, error = _weighted_mean(
            part["difference"].to_numpy(float), part["std_error"].to_numpy(float)
        )
        note = MEAN_NOTE + left_out if len(part) else f"no exact gap {term.removeprefix('gap_')} {start}"
        found.append({"term": term, "estimate": estimate, "std_error": error, "n": len(part), "note": note})
    before, after = found
    reason = "; ".join(side["note"] for side in found if side["n"] == 0)
    change = {
        "term": "gap_change",
        "estimate": after["estimate"] - before["estimate"],
        "std_error": float(np.hypot(after["std_error"], before["std_error"])),
        "n": len(known),
        "note": reason or f"after {start} less before; a trend from before is in it{left_out}",
    }
    return [before, after, change]


def _weighted_mean(values: Floats, errors: Floats) -> tuple[float, float]:
    if not values.size:
        return float("nan"), float("nan")
    weight = 1 / errors**2
    mean = float((weight * values).sum() / weight.sum())
    error = float(weight.sum() ** -0.5)
    if values.size > 1:
        scatter = float((weight * (values - mean) ** 2).sum() / (values.size - 1))
        error *= max(1.0, scatter) ** 0.5
    return mean, error


def _series_rows(common: dict[str, Any], interrupted: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for term in CHANGES:
        row: dict[str, Any] = {"term": f"gap_{term}", "estimate": np.nan, "std_error": np.nan, "n": np.nan}
        sides = [_one(interrupted, common, common[name], term) for name in ("subgroup", "reference")]
        first, second = sides
        if first is None or second is None:
            rows.append(row | {"note": NO_SERIES})
            continue
        unit = str(first["unit"]) or common["unit"]
        estimate = float(first["estimate"]) - float(second["estimate"])
        error = float(np.hypot(first["std_error"], second["std_error"]))
        numbers = {"estimate": estimate, "std_error": error, "n": first["n"] + second["n"], "unit": unit}
        rows.append(row | numbers | {"note": "subgroup less reference, each by interrupted time series"})
    return rows


def _one(interrupted: pd.DataFrame, common: dict[str, Any], subgroup: str, term: str) -> pd.Series | None:
    """Take the one row of a subgroup's series that has an estimate."""
    if interrupted.empty:
        return None
    rows = interrupted[interrupted["term"].eq(term) & interrupted["subgroup"].eq(subgroup)]
    for name in ("indicator", "population", "dimension"):
        rows = rows[rows[name].eq(common[name])]
    rows = rows[rows["estimate"].notna() & rows["std_error"].notna()]
    return rows.iloc[0] if len(rows) == 1 else None
