"""The words beside a curve over time: alt text that states the finding, and the footnote."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from evalkit.periods import reader_label
from evalkit.wording import interval, number, points, signed


def segmented_alt(glance: pd.DataFrame, augment: pd.DataFrame, tidy: pd.DataFrame) -> str:
    """Tell an interrupted time series to a person who cannot see the chart."""
    first = glance.iloc[0]
    if augment.empty:
        return f"No chart of {first['label']}: {plain_reason(first)}."
    frequency = str(first["frequency"])
    own_rows, own = tidy[tidy["site_id"] == first["site_id"]], augment[augment["site_id"] == first["site_id"]]
    unit = "percent" if first["unit"] == "percent" else str(first["unit"])
    text = f"{first['label']}, {unit}, {_span(own, frequency)}; {first['favourable']} is better."
    if first["refused"]:
        return f"{text} No fit: {plain_reason(first)}."
    start = reader_label(str(first["interruption"]), frequency)
    text += f" The work began in {start}."
    text += f" In that period the level differed from the earlier trend by {told(own_rows, 'level_change')};"
    text += f" in the last period by {told(own_rows, 'effect_last')}."
    beside = told(tidy[tidy["site_id"] != first["site_id"]], "effect_last")
    return text + (f" The comparison differed from its own earlier trend by {beside}." if beside else "")


def baseline_alt(first: pd.Series, augment: pd.DataFrame, tidy: pd.DataFrame) -> str:
    """Tell a curve and its baseline to a person who cannot see the chart."""
    if augment.empty:
        return f"No chart of {first['label']}: {plain_reason(first)}."
    frequency = str(first["frequency"])
    unit = "percent" if first["unit"] == "percent" else str(first["unit"])
    text = f"{first['label']}, {unit}, {_span(augment, frequency)}; {first['favourable']} is better."
    text += f" Verdict: {first['verdict']}, because {first['verdict_because']}."
    difference = told(tidy, "baseline_forecast_difference")
    if difference:
        text += f" The last value differs from the baseline forecast by {difference}."
    change = last_change(tidy)
    if change and first["baseline"]:
        text += f" Change since {reader_label(str(first['baseline']), frequency)}: {change}."
    if math.isfinite(first["target"]):
        text += f" Target: {first['target']:g} by {reader_label(str(first['target_period']), frequency)}."
    return text


def segmented_footnote(glance: pd.DataFrame, augment: pd.DataFrame) -> str:
    """Explain the marks and name source and denominators."""
    first = glance.iloc[0]
    level = first.get("conf_level", math.nan)
    ribbon = f"Ribbon: {level:.0%} interval of the earlier trend." if math.isfinite(level) else ""
    parts = [
        ribbon,
        marks_explained(augment),
        source_named(str(first.get("sources", ""))),
        _denominators(first),
    ]
    return " ".join(part for part in parts if part)


def baseline_footnote(first: pd.Series, augment: pd.DataFrame) -> str:
    """Explain the marks and name source and denominators."""
    has_forecast = "forecast_high" in augment and augment["forecast_high"].notna().any()
    ribbon = f"Ribbon: {first['conf_level']:.0%} interval for a new value." if has_forecast else ""
    parts = [
        ribbon,
        marks_explained(augment),
        source_named(str(first.get("sources", ""))),
        _denominators(first),
    ]
    return " ".join(part for part in parts if part)


def last_change(tidy: pd.DataFrame) -> str:
    """Tell the change from the baseline to the last period; "" where there is none."""
    found = tidy[tidy["term"].str.startswith("change_") & tidy["estimate"].notna()]
    if found.empty:
        return ""
    rows = found[found["period"] == found["period"].iloc[-1]]
    words = " at worst and ".join(_difference(dict(row)) for _, row in rows.iterrows())
    return words + (" at best" if len(rows) > 1 else "")


def told(tidy: pd.DataFrame, term: str) -> str:
    """Tell a term with its interval, or its worst and best case; "" where it has no number."""
    row = _found(tidy, term)
    if row is not None:
        return _difference(row)
    worst, best = _found(tidy, f"{term}_worst_case"), _found(tidy, f"{term}_best_case")
    if worst is None or best is None:
        return ""
    return f"{_difference(worst)} at worst and {_difference(best)} at best"


def _found(tidy: pd.DataFrame, term: str) -> dict[str, Any] | None:
    rows = tidy[(tidy["term"] == term) & tidy["estimate"].notna()]
    return None if rows.empty else dict(rows.iloc[0])


def _difference(row: Mapping[str, Any]) -> str:
    size = points(row["estimate"]) if row["unit"] == "percentage points" else signed(row["estimate"], 2)
    if not math.isfinite(row["conf_low"]):
        return f"{size} (no interval)"
    return f"{size} (interval {interval(row['conf_low'], row['conf_high'])})"


def _span(augment: pd.DataFrame, frequency: str) -> str:
    known = augment[augment["high"].notna()]
    if known.empty:
        return "no value shown"
    ends = known.iloc[[0, -1]]
    ends_told = [
        f"{number(row['low'])} in {reader_label(row['period'], frequency)}"
        if row["low"] == row["high"]
        else f"between {number(row['low'])} and {number(row['high'])} "
        f"in {reader_label(row['period'], frequency)}"
        for _, row in ends.iterrows()
    ]
    return f"from {ends_told[0]} to {ends_told[1]}"


def _denominators(first: pd.Series) -> str:
    low, high = first.get("denominator_low", math.nan), first.get("denominator_high", math.nan)
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"n = {number(low, 0)}" + ("." if low == high else f" to {number(high, 0)} a period.")


def marks_explained(augment: pd.DataFrame) -> str:
    """Explain the crosses and bars that are on the chart."""
    notes = []
    if "status" in augment and augment["status"].isin(["suppressed", "missing"]).any():
        notes.append("Cross: hidden or missing.")
    if "status" in augment and augment["status"].eq("censored").any():
        notes.append("Vertical bar: known only within bounds.")
    return " ".join(notes)


def source_named(sources: str) -> str:
    """Name the source; nothing where there is none."""
    return f"Source: {sources}." if sources else ""


def plain_reason(first: pd.Series) -> str:
    """Give the reason of a refusal without the ids before it."""
    ids = f"{first['site_id']}, {first['indicator']}"
    return str(first["refused"]).removeprefix(f"{ids}: ").removeprefix(f"{ids}, All: ")
