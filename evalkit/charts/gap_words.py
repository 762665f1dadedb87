"""The words of the charts of gaps: values, intervals and alt texts, all from the columns they draw."""

import numpy as np
import pandas as pd

from evalkit.wording import interval, listed, number, percent, points, signed


def levels_in_words(rows: pd.DataFrame) -> str:
    """State the finding of a chart of levels, and what is hidden, for those who cannot see it."""
    first = rows.iloc[0]
    told = rows[rows["status"].eq("reported")].iloc[::-1]
    parts = [
        f"{row['subgroup_label']} {value_text(row['rate'], row)} ({ends_text(row)})"
        for _, row in told.iterrows()
    ]
    finding = "no subgroup may be shown exactly"
    if parts:
        finding = listed(parts)
    reference = rows[rows["is_reference"] & rows["rate"].notna()]
    others = told[~told["is_reference"]]
    if not reference.empty and not others.empty:
        base = reference.iloc[0]
        sign = 1 if first["favourable"] == "higher" else -1
        furthest = others.loc[(sign * (others["rate"] - base["rate"])).idxmin()]
        gap = furthest["rate"] - base["rate"]
        change = change_text(gap, furthest)
        finding += (
            f". {furthest['subgroup_label']} minus the reference {base['subgroup_label']} is {change}, "
        )
        finding += f"where {first['favourable']} is better"
    sentences = [
        f"{first['label']} at {first['site_name']}, {first['period_label']}, "
        f"by {lowered(first['dimension_label'])}: {finding}"
    ]
    ranges = rows[rows["status"].eq("censored")].iloc[::-1]
    if not ranges.empty:
        known = [
            f"{row['subgroup_label']} {ends_text(row, 'rate_low', 'rate_high')}"
            for _, row in ranges.iterrows()
        ]
        sentences.append(f"Known only as a range: {listed(known)}")
    for status, words in (("suppressed", "Not shown, to protect small groups"), ("missing", "No value")):
        names = rows.loc[rows["status"].eq(status), "subgroup_label"].tolist()
        if names:
            sentences.append(f"{words}: {listed(names)}")
    if np.isfinite(first["target"]):
        sentences.append(f"The target is {value_text(first['target'], first)}")
    return ". ".join(sentences) + "."


def gap_in_words(rows: pd.DataFrame) -> str:
    """State both ends of a gap over time, its trend, and how much of it is hidden."""
    first = rows.iloc[0]
    shown = rows[rows["difference"].notna()]
    groups = f"{first['subgroup_label']} minus {first['reference_label']}"
    what = f"{first['label']} at {first['site_name']}: {groups}"
    if shown.empty:
        return f"{what}. In no period may the gap be shown exactly."
    start, end = shown.iloc[0], shown.iloc[-1]
    text = (
        f"{what} was {_told(start)} in {start['period_label']} and {_told(end)} in {end['period_label']}"
        if len(shown) > 1
        else f"{what} was {_told(end)} in {end['period_label']}"
    )
    parity = f" Trend: {first['parity']}." if first["parity"] else ""
    left_out = len(rows) - len(shown)
    hidden = f" {left_out} of {len(rows)} periods are hidden, missing or ranges." if left_out else ""
    return f"{text}.{parity}{hidden}"


def _told(row: pd.Series) -> str:
    return f"{change_text(row['difference'], row)} ({interval(row['conf_low'], row['conf_high'])})"


def change_text(value: float, row: pd.Series) -> str:
    """Write a difference with its sign and unit."""
    return points(value) if row["unit"] in {"percent", "percentage points"} else signed(value)


def value_text(value: float, row: pd.Series) -> str:
    """Write a level in its unit."""
    return percent(value) if row["unit"] == "percent" else number(value)


def ends_text(row: pd.Series, low: str = "conf_low", high: str = "conf_high") -> str:
    """Write the ends of an interval or a range."""
    return interval(row[low], row[high], 0 if row["unit"] == "percent" else 1)


def lowered(text: str) -> str:
    """Begin a label in the middle of a sentence."""
    return text[:1].lower() + text[1:]
