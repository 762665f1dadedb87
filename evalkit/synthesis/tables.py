"""The tables of a case study, laid out for a reader."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evalkit.charts.display import Table, table
from evalkit.dictionary import DataDictionary, Indicator
from evalkit.parameters import Network
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis import chapters, context
from evalkit.synthesis.findings import (
    CLAIMS,
    GAPS,
    difference_words,
    source_labels,
    target_words,
    text_of,
    value_words,
    when,
)
from evalkit.synthesis.harmonise import POPULATION_WORDS, period_label
from evalkit.wording import interval, number

Row = Mapping[str, Any]

GENERATIONS = {"child": "Children", "caregiver": "Parents and caregivers", "family": "Families and homes"}
MEASURED = {"child": "children", "caregiver": "caregivers", "family": "families as a whole"}
NOT_TWO_GENERATION = (
    "These records measure {one}. Work with two generations measures children and their caregivers at the "
    "same time, so this is not a two-generation finding."
)
NUMBERING_WORDS = {"2011": "GPRA 2011", "2016": "GPRA 2016", "strivetogether": "StriveTogether"}


def indicators(rows: Sequence[Row]) -> Table:
    """Every indicator against baseline and target, as an annual performance report asks for it."""
    frame = pd.DataFrame(
        [
            {
                "Indicator": row["label"] + (" (lower is better)" if row["favourable"] == "lower" else ""),
                "Baseline": _at(row, "baseline"),
                "Latest": _at(row, "last"),
                "Target": _target(row),
                "Change (95% interval)": difference_words(row, "change") or "–",
                "Has the curve turned?": row["verdict"],
            }
            for row in rows
        ]
    )
    notes = dict.fromkeys(row["change_note"] for row in rows if row["change_note"])
    return table(
        frame,
        caption="Each indicator against its baseline and its target",
        note=" ".join(f"Note: {note}." for note in notes),
        empty="No indicator of this site has figures that can be shown.",
    )


def definitions(rows: Sequence[Row], dictionary: DataDictionary, network: Network, site: Site) -> Table:
    """Numerator, denominator and source of every indicator."""
    pairs = [(row, dictionary.indicator(row["indicator"])) for row in rows]
    frame = pd.DataFrame(
        [
            {
                "Indicator": f"{item.short_label}{_numbers(item)}",
                "Numerator": item.numerator,
                "Denominator": item.denominator,
                "Of whom": POPULATION_WORDS.get(row["population"] or item.population, ""),
                "Source": source_labels(row["source"], network, site) or "not on file",
            }
            for row, item in pairs
        ]
    )
    return table(frame, caption="What is counted, out of whom, and where the figures come from")


def _numbers(item: Indicator) -> str:
    numbers = "; ".join(f"{NUMBERING_WORDS.get(key, key)}: {text}" for key, text in item.numbering.items())
    return f" ({numbers})" if numbers else ""


def gaps(rows: Sequence[Row], results: Mapping[str, Result]) -> Table:
    """Who is left out: every group's gap in the latest period."""
    caption, empty = (
        "Each group against its reference in the latest period, for the indicators told first",
        "No gap between groups can be shown.",
    )
    if GAPS not in results:
        return Table(pd.DataFrame(), caption, "", empty)
    labels = {row["indicator"]: row for row in rows}
    found = [gap for gap in chapters.latest_gaps(results[GAPS]) if gap["indicator"] in labels]
    found = sorted(found, key=lambda gap: list(labels).index(gap["indicator"]))
    frame = pd.DataFrame([_gap_row(gap, labels[gap["indicator"]]) for gap in found])
    note = (
        "A gap is the group's rate less the reference group's, in percentage points. The gaps of the other "
        "indicators stand in the page on equity gaps."
    )
    return table(frame, caption=caption, note=note, empty=empty)


def two_generation(rows: Sequence[Row]) -> Table:
    """Children and caregivers side by side."""
    told = [row for row in rows if row["last_period"]]
    frame = pd.DataFrame(
        [
            {
                "Who": GENERATIONS[row["generation"]],
                "Indicator": row["label"],
                "Baseline": _at(row, "baseline"),
                "Latest": _at(row, "last"),
                "Change (95% interval)": difference_words(row, "change") or "–",
            }
            for generation in GENERATIONS
            for row in told
            if row["generation"] == generation
        ]
    )
    measured = {row["generation"] for row in told}
    note = ""
    if not {"child", "caregiver"} <= measured:
        one = next(
            (f"{name} only" for key, name in MEASURED.items() if key in measured), "neither generation"
        )
        note = NOT_TWO_GENERATION.format(one=one)
    return table(frame, caption="Children and caregivers, side by side", note=note, empty=note)


def claims(rows: Sequence[Row], results: Mapping[str, Result]) -> Table:
    """Every claim with its class and the probability that the evidence gives it."""
    glance = results[CLAIMS].glance if CLAIMS in results else pd.DataFrame()
    stated = [claim for claim in glance.to_dict("records") if text_of(claim.get("statement"))]
    labels = {row["indicator"]: row["short_label"] for row in rows}
    frame = pd.DataFrame(
        [
            {
                "Claim": claim["statement"],
                "Indicator": labels.get(claim["indicator"], claim["indicator"]),
                "Rated": claim["class"],
                "Probability (range)": _probability(claim),
                "Why not higher": claim["reason"],
                "Rivals examined": f"{claim['rivals_examined']} of "
                f"{claim['rivals_examined'] + claim['rivals_unexamined']}",
            }
            for claim in stated
        ]
    )
    return table(
        frame, caption="What may be claimed", empty="No claim of contribution is on file for this site."
    )


def partners(site: Site, dictionary: DataDictionary) -> Table:
    """Who does what for which indicator."""
    frame = pd.DataFrame(
        [
            {
                "Partner": partner.name,
                "Does what": solution.name,
                "Kind": solution.kind,
                "For which indicator": "; ".join(
                    dictionary.indicator(name).short_label for name in solution.indicators
                )
                or "none named",
                "Since": context.start_label(solution.start),
            }
            for partner in site.partners
            for solution in partner.solutions
        ]
    )
    return table(
        frame, caption="Who does what, for which indicator", empty="No partner is on file for this site."
    )


def _at(row: Mapping[str, Any], name: str) -> str:
    value = value_words(row[f"{name}_low"], row[f"{name}_high"], row["unit"])
    return f"{value} ({when(row, name)})" if row[f"{name}_period"] and value != "–" else value


def _target(row: Mapping[str, Any]) -> str:
    if pd.isna(row["target"]):
        return "none on file"
    value = value_words(row["target"], row["target"], row["unit"])
    state = target_words(row)
    return f"{value} ({when(row, 'target')})" + (f": {state}" if state else "")


def _gap_row(gap: Row, row: Row) -> dict[str, str]:
    return {
        "Indicator": row["short_label"],
        "Group": f"{gap['subgroup'] or gap['dimension'].replace('_', ' ')}, against {gap['reference']}",
        "When": period_label(gap["period"], row["frequency"]),
        "Gap (95% interval)": difference_words(gap, "gap") or gap["note"] or "not shown",
    }


def _probability(claim: Mapping[str, Any]) -> str:
    if pd.isna(claim["posterior"]):
        return "–"
    ends = interval(100 * claim["posterior_low"], 100 * claim["posterior_high"], 0)
    return f"{number(100 * claim['posterior'], 0)}% ({ends})"
