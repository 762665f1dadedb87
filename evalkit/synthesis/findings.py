"""One row an indicator of a site: what its saved results say, gathered so that every page says the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evalkit.dictionary import TOTAL_DIMENSION, DataDictionary, Indicator
from evalkit.indicators import ALL_UNITS
from evalkit.parameters import Network
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis.harmonise import period_label, plain_reason
from evalkit.wording import interval, number, percent, points, signed

Row = dict[str, Any]

TURN, ITS, GAPS, CLAIMS = "turn_the_curve", "interrupted_time_series", "equity_gaps", "contribution"

TURNED, BEAT, NOT_YET, CANNOT = "turned", "beat the baseline", "not yet", "cannot be told"
VERDICT_WORDS = {
    TURNED: "the curve has turned",
    BEAT: "better than its own history pointed to, but without a trend the right way",
    NOT_YET: "not yet turned",
    CANNOT: "whether the curve turned cannot be told",
}

# Both ends of an estimate (the same where counts are exact), the outermost ends of their intervals, and the
# interval of each end.
ENDS = ("low", "high", "conf_low", "conf_high", "low_from", "low_to", "high_from", "high_to")
NUMBERS = (
    *("baseline_low", "baseline_high", "last_low", "last_high", "target"),
    *(f"{name}_{end}" for name in ("change", "expected", "effect") for end in ENDS),
)


def ledger(results: Mapping[str, Result], site: Site, dictionary: DataDictionary) -> pd.DataFrame:
    """Gather what the saved results say on each indicator of a site.

    Where counts are blurred, `<what>_low` and `<what>_high` are the estimates of the worst and the best case
    in the order of size, and `<what>_conf_low` and `<what>_conf_high` the outermost ends of their intervals;
    where counts are exact the two estimates are the same.

    Returns
    -------
    A row an indicator, headline indicators first: labels, baseline, last value, target, change from the
    baseline, what the earlier trend pointed to (expected), distance from it averaged since the start
    (effect), verdict, and the reasons for what is absent.
    """
    order = list(site.headline)
    for method in (TURN, ITS):
        if method in results:
            order += list(results[method].tidy["indicator"])
    known = [name for name in dict.fromkeys(order) if name in dictionary.indicators]
    rows = [_row(results, site, dictionary.indicator(name)) for name in known]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["indicator", "generation", "verdict"])


def _row(results: Mapping[str, Result], site: Site, indicator: Indicator) -> Row:
    row: Row = {
        "indicator": indicator.id,
        "label": indicator.label,
        "short_label": indicator.short_label,
        "generation": indicator.generation,
        "favourable": indicator.favourable,
        "unit": indicator.unit,
        "difference_unit": indicator.difference_unit,
        "frequency": indicator.frequency,
        "population": "",
        "baseline_period": "",
        "last_period": "",
        "target_period": "",
        **dict.fromkeys(NUMBERS, np.nan),
        "verdict": CANNOT,
        "because": "the site has no figures for this indicator",
        "endpoint": "",
        "change_note": "",
        "effect_note": "no interrupted time series was run",
        "source": "",
    }
    if TURN in results:
        row |= _of_the_curve(results[TURN], site, indicator)
    if ITS in results:
        rows = _own_rows(results[ITS], site, indicator.id)
        numbers, note = _estimate(rows, "effect_average", "effect_average", "")
        row |= {f"effect_{name}": value for name, value in numbers.items()}
        row["effect_note"] = plain_reason(note, site.site_id, indicator.id)
        if not row["population"] and len(rows):
            row["population"] = rows["population"].iloc[0]
    return row


def _of_the_curve(result: Result, site: Site, indicator: Indicator) -> Row:
    glance = result.glance
    found = glance[glance["indicator"] == indicator.id] if "indicator" in glance else glance
    if found.empty:
        return {}
    told = found.iloc[0].to_dict()
    rows = _own_rows(result, site, indicator.id)
    last, baseline = text_of(told.get("last_period")), text_of(told.get("baseline"))
    change, note = _estimate(rows, "change_from_baseline", "change", last)
    expected, _ = _estimate(rows, "baseline_forecast", "baseline_forecast", last)
    return {
        "population": text_of(told.get("population")),
        "baseline_period": baseline,
        "last_period": last,
        "target": float(told.get("target", np.nan)),
        "target_period": text_of(told.get("target_period")),
        "verdict": str(told["verdict"]),
        "because": plain_reason(str(told["verdict_because"]), site.site_id, indicator.id),
        "endpoint": text_of(told.get("endpoint")),
        "source": text_of(told.get("sources")),
        "change_note": plain_reason(note, site.site_id, indicator.id),
        **_value(result.augment, indicator.id, baseline, "baseline"),
        **_value(result.augment, indicator.id, last, "last"),
        **{f"change_{name}": value for name, value in change.items()},
        **{f"expected_{name}": value for name, value in expected.items()},
    }


def _own_rows(result: Result, site: Site, indicator: str) -> pd.DataFrame:
    tidy = result.tidy
    return tidy[
        (tidy["indicator"] == indicator)
        & (tidy["site_id"] == site.site_id)
        & (tidy["unit_id"] == ALL_UNITS)
        & (tidy["dimension"] == TOTAL_DIMENSION)
    ]


def _estimate(rows: pd.DataFrame, term: str, stem: str, period: str) -> tuple[dict[str, float], str]:
    """Return both ends of an estimate and of its interval, and the note; of one period where it is named."""
    here = rows[rows["period"] == period] if period else rows
    chosen = here[here["term"].isin([f"{stem}_worst_case", f"{stem}_best_case"])]
    if chosen["estimate"].isna().all():
        chosen = here[here["term"] == term]
    notes = [note for note in rows.loc[rows["term"] == term, "note"] if note]
    if chosen["estimate"].isna().all():
        return {}, notes[0] if notes else ""
    return both_ends(chosen), notes[0] if notes else ""


def both_ends(chosen: pd.DataFrame) -> dict[str, float]:
    """Lay out one estimate, or a worst and a best case, as `ENDS`; NaN where there is none."""
    if chosen.empty:
        return dict.fromkeys(ENDS, np.nan)
    low, high = chosen.loc[chosen["estimate"].idxmin()], chosen.loc[chosen["estimate"].idxmax()]
    values = (
        *(low["estimate"], high["estimate"], chosen["conf_low"].min(), chosen["conf_high"].max()),
        *(low["conf_low"], low["conf_high"], high["conf_low"], high["conf_high"]),
    )
    return {name: float(value) for name, value in zip(ENDS, values, strict=True)}


def _value(augment: pd.DataFrame, indicator: str, period: str, name: str) -> Row:
    if not {"indicator", "period", "low", "high"} <= set(augment.columns):
        return {}
    cell = augment[(augment["indicator"] == indicator) & (augment["period"] == period)]
    if cell.empty:
        return {}
    return {f"{name}_low": float(cell["low"].iloc[0]), f"{name}_high": float(cell["high"].iloc[0])}


def source_labels(sources: str, network: Network, site: Site) -> str:
    """Write the ids of sources as their labels."""
    labels = {
        item.source_id: item.label or ("simulated data" if item.kind == "simulation" else item.source_id)
        for item in (*network.sources, *site.sources)
    }
    return "; ".join(labels.get(name, name) for name in sources.split("; ") if name)


def value_words(low: float, high: float, unit: str) -> str:
    """Write a value, or the range that blurred counts leave open."""
    if np.isnan(low):
        return "–"
    if unit != "percent":
        return f"{number(low, 2)} {unit}" if low == high else f"{number(low, 2)} to {number(high, 2)} {unit}"
    return percent(low, 1) if low == high else f"{number(low)} to {percent(high, 1)}"


def difference_words(row: Mapping[str, Any], name: str) -> str:
    """Write a difference with its interval, or from its worst to its best case; "" where it is absent."""
    low, high, unit = row[f"{name}_low"], row[f"{name}_high"], row["difference_unit"]
    if np.isnan(low):
        return ""
    parts = [
        f"{amount(value, unit)} ({interval(row[f'{name}_{end}_from'], row[f'{name}_{end}_to'])})"
        for end, value in {"low": low, "high": high}.items()
        if end == "low" or low != high
    ]
    return " to ".join(parts)


def amount(value: float, unit: str) -> str:
    """Write a difference in its unit, with its sign."""
    return points(value) if unit == "percentage points" else f"{signed(value, 2)} {unit}"


def leaning(row: Mapping[str, Any], name: str) -> str:
    """Say what an interval leaves: "better", "worse", or "" where it holds zero or is absent."""
    low, high = row[f"{name}_conf_low"], row[f"{name}_conf_high"]
    if np.isnan(low) or np.isnan(high) or low <= 0 <= high:
        return ""
    return "better" if (low > 0) == (row["favourable"] == "higher") else "worse"


def clear_end(row: Mapping[str, Any], name: str) -> str:
    """Say which end of a range is told apart from zero where the whole is not: "best", "worst" or ""."""
    if row[f"{name}_low"] == row[f"{name}_high"]:
        return ""
    for end in ("low", "high"):
        low, high = row[f"{name}_{end}_from"], row[f"{name}_{end}_to"]
        if low > 0 or high < 0:
            return "best" if (low > 0) == (row["favourable"] == "higher") else "worst"
    return ""


def text_of(value: Any) -> str:
    """Read a text cell of a saved frame; an absent one is ""."""
    return "" if pd.isna(value) else str(value)


def target_words(row: Mapping[str, Any]) -> str:
    """Say whether the last value meets the target; "" where there is none."""
    if np.isnan(row["target"]) or np.isnan(row["last_low"]):
        return ""
    ends = {
        row[end] >= row["target"] if row["favourable"] == "higher" else row[end] <= row["target"]
        for end in ("last_low", "last_high")
    }
    return (
        "met" if ends == {True} else "not met" if ends == {False} else "met or not, as the range leaves open"
    )


def when(row: Mapping[str, Any], name: str) -> str:
    """Write a period of an indicator as a reader knows it."""
    return period_label(row[f"{name}_period"], row["frequency"])
