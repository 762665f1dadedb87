"""The sentences about an interrupted time series; every number comes from the row it describes."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from evalkit.its.engine import NEAR_ONE, ArrayFit
from evalkit.its.window import Window
from evalkit.periods import reader_label
from evalkit.wording import interval, number, percent, points, signed

Row = Mapping[str, Any]


KNOWN_SAMPLING = "known_sampling"  # inference with the binomial variance of the counts taken as known


class Labelled(Protocol):
    """What a sentence needs to know of an indicator."""

    @property
    def label(self) -> str:
        """Its name for readers."""

    @property
    def favourable(self) -> str:
        """Which direction is better, "higher" or "lower"."""


PERIOD_WORDS = {"school_year": "a school year", "year": "a year", "quarter": "a quarter", "month": "a month"}


def amount(value: float, unit: str) -> str:
    """Write a difference in its unit with its sign; slopes get a second digit."""
    plain = unit.removesuffix(" per period")
    digits = 1 if plain == unit else 2
    return points(value, digits) if plain == "percentage points" else f"{signed(value, 2)} {plain}"


def with_interval(row: Row, conf_level: float) -> str:
    """Write an estimate with its interval beside it."""
    unit = str(row["unit"])
    digits = 1 if unit == "percentage points" else 2
    ends = interval(row["conf_low"], row["conf_high"], digits)
    return f"{amount(row['estimate'], unit)} ({conf_level:.0%} interval {ends})"


def named(indicator: Labelled) -> str:
    """Name the indicator, and say so where lower is better."""
    return f"{indicator.label} (lower is better)" if indicator.favourable == "lower" else indicator.label


def reading(row: Row, favourable: str) -> str:
    """Say what an interval of a difference allows: better, worse, or not told apart from no difference."""
    if not (math.isfinite(row["conf_low"]) and math.isfinite(row["conf_high"])):
        return "without an interval"
    if row["conf_low"] <= 0 <= row["conf_high"]:
        return "not told apart from no difference"
    return "better" if (row["conf_low"] > 0) == (favourable == "higher") else "worse"


def its_paragraph(
    indicator: Labelled,
    window: Window,
    start: int,
    rows: Mapping[str, Row],
    fit: ArrayFit,
    *,
    taught_by: int = 0,
) -> str:
    """Tell one fit in a paragraph; `taught_by` counts the series of its family, 0 where it stands alone."""
    tell = _bounded if "level_change_worst_case" in rows else _exact
    told = tell(indicator, window, start, rows, fit.conf_level)
    return f"{named(indicator)}. {told} {_about_rho(fit, taught_by)}"


def comparison_sentence(tidy: pd.DataFrame, last_label: str, conf_level: float) -> str:
    """Tell the comparison site's difference from its own earlier trend."""
    rows = {str(row["term"]): row for row in tidy.to_dict("records")}
    if "effect_last_worst_case" in rows:
        worst, best = rows["effect_last_worst_case"], rows["effect_last_best_case"]
        return (
            f"The comparison site differed from its own earlier trend in {last_label} by "
            f"{with_interval(worst, conf_level)} at worst and {with_interval(best, conf_level)} at best."
        )
    row = rows["effect_last"]
    if not math.isfinite(row["estimate"]):
        return f"The comparison site cannot be read in the same way: {row['note']}."
    return (
        f"The comparison site differed from its own earlier trend in {last_label} by "
        f"{with_interval(row, conf_level)}; what both share points to something other than the work."
    )


def _exact(
    indicator: Labelled, window: Window, start: int, rows: Mapping[str, Row], conf_level: float
) -> str:
    each = PERIOD_WORDS[window.frequency]
    last, relative = rows["effect_last"], rows.get("relative_effect_last", {"estimate": math.nan})
    told = {term: with_interval(row, conf_level) for term, row in rows.items() if row["unit"] != "ratio"}
    slope = f", and from then on its slope by {told['slope_change']} {each}" if "slope_change" in told else ""
    began = reader_label(str(rows["level_change"]["period"]), window.frequency)
    sentences = [
        f"Before {window.label(start)} it changed by {told['pre_trend']} {each}.",
        f"In {began} its level differed from where that trend pointed by {told['level_change']}{slope}.",
        f"In {reader_label(str(last['period']), window.frequency)} it differed from the earlier trend "
        f"carried on by {told['effect_last']}; on average since the start by {told['effect_average']}.",
    ]
    if math.isfinite(relative["estimate"]):
        ends = interval(relative["conf_low"], relative["conf_high"], 2)
        sentences.append(
            f"It stood at {number(relative['estimate'], 2)} times that trend "
            f"({conf_level:.0%} interval {ends})."
        )
    sentences.append(
        {
            "better": "The interval leaves only values better than the earlier trend.",
            "worse": "The interval leaves only values worse than the earlier trend.",
        }.get(
            reading(last, indicator.favourable), "The data do not tell the last difference apart from none."
        )
    )
    if last["note"]:
        sentences.append(f"Caution: {last['note']}.")
    return " ".join(sentences)


def _bounded(
    indicator: Labelled, window: Window, start: int, rows: Mapping[str, Row], conf_level: float
) -> str:
    told = {term: with_interval(row, conf_level) for term, row in rows.items() if "_case" in term}
    worst, best = (
        reading(rows[f"effect_last_{case}"], indicator.favourable) for case in ("worst_case", "best_case")
    )
    verdict = (
        f"Both readings agree: {worst}."
        if worst == best
        else f"The reading depends on the hidden values: {worst} at worst, {best} at best."
    )
    weighed = rows.get("effect_last_within_bounds")
    likely = (
        f" With the values inside the bounds weighed by how likely they are, that last difference is "
        f"{with_interval(weighed, conf_level)}."
        if weighed
        else ""
    )
    return (
        f"The value is known only within bounds in {int(window.censored.sum())} of "
        f"{int(window.observed.sum())} periods, so estimates are given for the least and the most favourable "
        f"values inside them. Its level in {window.label(start)} differed from the earlier trend by "
        f"{told['level_change_worst_case']} at worst and {told['level_change_best_case']} at best; in "
        f"{window.label(window.last)} it differed from that trend carried on by "
        f"{told['effect_last_worst_case']} at worst and {told['effect_last_best_case']} at best. "
        f"{verdict}{likely}"
    )


def _about_rho(fit: ArrayFit, taught_by: int) -> str:
    if fit.method == KNOWN_SAMPLING:
        return (
            "The chance variation of the counts is taken as known; what strays beyond it is integrated over, "
            "with its autocorrelation."
        )
    if fit.method not in {"integrated", "network"}:
        return f"Inference: {fit.method}, for replication only; on short series its intervals are too narrow."
    ends = f"{number(fit.rho_low.min(), 2)} and {number(fit.rho_high.max(), 2)}"
    learned = f", learned together with {taught_by - 1} comparable series" if taught_by > 1 else ""
    text = (
        "The intervals come from integrating over how strongly neighbouring periods go together "
        f"(autocorrelation{learned}; {fit.conf_level:.0%} of its weight lies between {ends})."
    )
    if fit.flagged.any():
        share = percent(100 * float(fit.near_one.max()))
        text += (
            f" Caution: {share} of that weight lies above {NEAR_ONE}, so the series may wander without a "
            "fixed trend; the usual methods would be far too sure of it."
        )
    return text
