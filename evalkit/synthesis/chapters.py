"""What was found at a site, on one page: what turned, by how much, for whom, how sure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.dictionary import CROSSING
from evalkit.parameters import Network
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis.findings import (
    BEAT,
    CANNOT,
    CLAIMS,
    GAPS,
    NOT_YET,
    TURNED,
    VERDICT_WORDS,
    both_ends,
    clear_end,
    difference_words,
    leaning,
    target_words,
    text_of,
    value_words,
    when,
)
from evalkit.synthesis.harmonise import period_label
from evalkit.wording import interval, listed, number

Row = Mapping[str, Any]

FICTIONAL = "This neighborhood is fictional and its data are made up; it shows what the toolkit can tell."
TOLD_IN_FULL = 3  # indicators: as many as one page holds beside the rest of the finding


def headline(rows: Sequence[Row], site: Site) -> str:
    """Say the finding in one sentence."""
    told = [row for row in rows if not np.isnan(row["last_low"])]
    if not told:
        return f"{site.name}: no figure can be shown yet."
    turned = [row["short_label"] for row in told if row["verdict"] == TURNED]
    if turned:
        count = f"{len(turned)} of {len(told)} indicators"
        verb = "has" if len(turned) == 1 else "have"
        return f"{site.name}: {count} {verb} turned ({listed(turned)})."
    first = told[0]
    now = f"{site.name}: {first['short_label']} was {_value(first, 'last')} in {when(first, 'last')}"
    change = difference_words(first, "change")
    if not change:
        return f"{now}; {VERDICT_WORDS[first['verdict']]}."
    before = f"{_value(first, 'baseline')} in {when(first, 'baseline')}"
    leans = leaning(first, "change")
    side = f" for the {leans}" if leans else ""
    return f"{now} and {before}, a change{side} of {change}; {VERDICT_WORDS[first['verdict']]}."


def finding(rows: Sequence[Row], results: Mapping[str, Result], network: Network) -> list[tuple[str, str]]:
    """Tell on one page what turned, by how much, for whom, and how sure that is.

    Returns
    -------
    Paragraphs, each with the words that lead it in.
    """
    opening = [("", FICTIONAL)] if network.synthetic else []
    if not rows:
        return [*opening, ("", "No indicator of this neighborhood has figures that can be shown.")]
    paragraphs = [*opening, ("What turned.", _verdicts(rows))]
    paragraphs += [told(row) for row in rows[:TOLD_IN_FULL]]
    if len(rows) > TOLD_IN_FULL:
        paragraphs.append(("", "The other indicators stand in the table below."))
    paragraphs.append(("For whom.", for_whom(rows[:TOLD_IN_FULL], results)))
    paragraphs.append(("How sure.", how_sure(rows, results)))
    return [(lead, text) for lead, text in paragraphs if text]


def _verdicts(rows: Sequence[Row]) -> str:
    parts = []
    for verdict, words in (
        (TURNED, "turned"),
        (BEAT, "beat what its history pointed to"),
        (NOT_YET, "not yet"),
        (CANNOT, "cannot be told"),
    ):
        named = [row["short_label"] for row in rows if row["verdict"] == verdict]
        if named:
            parts.append(f"{words}: {len(named)} ({listed(named)})")
    noun = "indicator" if len(rows) == 1 else "indicators"
    return f"Of {len(rows)} {noun}, {'; '.join(parts)}. Numbers in brackets are 95% intervals."


def told(row: Row) -> tuple[str, str]:
    """Tell one indicator: from where to where, against what was expected, with the verdict.

    Returns
    -------
    The indicator's name, which leads the paragraph in, and the paragraph.
    """
    name = row["label"] + (" (lower is better)" if row["favourable"] == "lower" else "") + "."
    if np.isnan(row["last_low"]):
        return name, f"{upper_first(row['because'])}."
    sentences = [f"{upper_first(_value(row, 'last'))} in {when(row, 'last')}."]
    if not np.isnan(row["baseline_low"]) and row["baseline_period"] != row["last_period"]:
        before = f"in {when(row, 'baseline')} it was {_value(row, 'baseline')}"
        sentences = [f"{upper_first(_value(row, 'last'))} in {when(row, 'last')}; {before}."]
    change = difference_words(row, "change")
    if change:
        leans = leaning(row, "change")
        reads = {"better": "a change for the better", "worse": "a change for the worse"}.get(
            leans, "which may be no change at all"
        )
        clear = clear_end(row, "change")
        if clear and not leans:
            reads = f"clear only if the hidden counts lie at their {clear}"
        if np.isnan(row["change_conf_low"]):
            reads = row["change_note"] or "without an interval"
        sentences.append(f"That is {change}, {reads}.")
    if not np.isnan(row["expected_low"]):
        ends = interval(row["expected_conf_low"], row["expected_conf_high"])
        expected = value_words(row["expected_low"], row["expected_high"], row["unit"])
        sentences.append(f"Had the earlier trend gone on, {expected} ({ends}) would be expected.")
    sentences.append(f"Verdict: {VERDICT_WORDS[row['verdict']]}, because {row['because']}.")
    aim = target_words(row)
    if aim:
        target = value_words(row["target"], row["target"], row["unit"])
        sentences.append(f"The target of {target} for {when(row, 'target')} is {aim}.")
    return name, " ".join([*sentences, row["endpoint"]]).strip()


def for_whom(rows: Sequence[Row], results: Mapping[str, Result]) -> str:
    """Name the widest gap of each indicator that can be told apart from none."""
    if GAPS not in results:
        return "No comparison of groups was made."
    gaps = latest_gaps(results[GAPS])
    sentences = []
    for row in rows:
        own = [gap for gap in gaps if gap["indicator"] == row["indicator"]]
        known = [gap for gap in own if not np.isnan(gap["gap_conf_low"])]
        behind = [gap for gap in known if leaning({**row, **gap}, "gap") == "worse"]
        if behind:
            widest = max(behind, key=lambda gap: min(abs(gap["gap_low"]), abs(gap["gap_high"])))
            sentences.append(f"{row['short_label']}: {gap_words(widest, row)}.")
        elif known:
            sentences.append(
                f"{row['short_label']}: no group can be told to stand behind ({len(known)} compared)."
            )
        elif own:
            sentences.append(f"{row['short_label']}: no gap between groups can be shown.")
    return " ".join(sentences) or "These data are not split by group."


def gap_words(gap: Row, row: Row) -> str:
    """Write one gap with its interval."""
    side = "above" if gap["gap_low"] > 0 else "below"
    sizes = sorted((abs(gap["gap_low"]), abs(gap["gap_high"])))
    size = number(sizes[0]) if sizes[0] == sizes[1] else f"{number(sizes[0])} to {number(sizes[1])}"
    ends = interval(*sorted((abs(gap["gap_conf_low"]), abs(gap["gap_conf_high"]))))
    label = period_label(gap["period"], row["frequency"])
    return f"in {label} {gap['subgroup']} stood {size} points {side} {gap['reference']} ({ends})"


def latest_gaps(gaps: Result) -> list[dict[str, Any]]:
    """Take every uncrossed group's gap in the latest period with one, else its reason.

    Returns
    -------
    Dicts with indicator, dimension, subgroup ("" where a dimension is absent), reference, period, note,
    difference_unit, and "gap_" with each of `findings.ENDS`.
    """
    terms = ("difference", "difference_worst_case", "difference_best_case")
    tidy = gaps.tidy[
        gaps.tidy["term"].isin(terms) & ~gaps.tidy["dimension"].str.contains(CROSSING, regex=False)
    ]
    references = dict(gaps.design.get("references", {}))
    found = []
    for (indicator, dimension), split in tidy.groupby(["indicator", "dimension"], sort=False):
        known = split[split["estimate"].notna()]
        period = (known if len(known) else split)["period"].max()
        for subgroup, part in split[split["period"] == period].groupby("subgroup", sort=False):
            ends = part[part["estimate"].notna()]
            found.append(
                {
                    "indicator": indicator,
                    "dimension": dimension,
                    "subgroup": subgroup,
                    "reference": references.get(dimension, "the reference group"),
                    "period": period,
                    "note": part["note"].iloc[0],
                    "difference_unit": part["unit"].iloc[0],
                    **{f"gap_{name}": value for name, value in both_ends(ends).items()},
                }
            )
    return found


def how_sure(rows: Sequence[Row], results: Mapping[str, Result]) -> str:
    """Say the class of each claim of contribution, with the probability behind it."""
    if CLAIMS not in results:
        return "No claim of contribution was examined."
    glance = results[CLAIMS].glance
    labels = {row["indicator"]: row["short_label"] for row in rows}
    sentences = [claim_words(claim, labels) for claim in glance.to_dict("records")]
    if len(set(sentences)) == 1 and len(sentences) > 1:
        sentences = sentences[:1]
    return " ".join(dict.fromkeys(sentences))


def claim_words(claim: Row, labels: Mapping[str, str]) -> str:
    """Write one claim with its class."""
    name = labels.get(claim["indicator"], claim["indicator"])
    statement, posterior = text_of(claim.get("statement")), claim.get("posterior", np.nan)
    if not statement:
        return f"{name}: whether the work contributed is {claim['class']}, because {claim['reason']}."
    belief = ""
    if not np.isnan(posterior):
        ends = interval(100 * claim["posterior_low"], 100 * claim["posterior_high"], 0)
        belief = f" The evidence gives it a probability of {number(100 * posterior, 0)}% (range {ends})."
    return f"{name}: “{statement.rstrip('.')}” is rated “{claim['class']}”: {claim['reason']}.{belief}"


def _value(row: Row, name: str) -> str:
    """Write a value, or its range, as a sentence has it."""
    value = value_words(row[f"{name}_low"], row[f"{name}_high"], row["unit"])
    return value if row[f"{name}_low"] == row[f"{name}_high"] else f"between {value.replace(' to ', ' and ')}"


def upper_first(text: str) -> str:
    """Begin with a capital, as a sentence does."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Begin with a small letter, inside a sentence."""
    return text[:1].lower() + text[1:]
