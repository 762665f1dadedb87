"""What surrounds a finding: place, story, voices, methods, and what is not shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.dictionary import DataDictionary
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis.chapters import TOLD_IN_FULL, latest_gaps, lower_first
from evalkit.synthesis.findings import (
    CANNOT,
    CLAIMS,
    GAPS,
    ITS,
    NOT_YET,
    TURN,
    difference_words,
    leaning,
    value_words,
)
from evalkit.synthesis.harmonise import POPULATION_WORDS, period_label
from evalkit.wording import listed, number

Row = Mapping[str, Any]

METHOD_WORDS = {
    TURN: (
        "Turning the curve: the years before the work began point to where an indicator was heading. The "
        "latest value is held against that. A curve has turned only if the value lies beyond what chance "
        "allows and the trend since the start goes the right way."
    ),
    ITS: (
        "Before and after: a line through the years before is carried on, and the years after are compared "
        "with it. Few years can say little, and years resemble their neighbors; the intervals take both into "
        "account, so they are wide."
    ),
    GAPS: (
        "Gaps: a group's rate less the rate of the group it is compared with, in the same year. The "
        "reference is a yardstick and not the goal; the goal is the target."
    ),
    CLAIMS: (
        "Contribution: the work is one of many ingredients. A claim is rated by the evidence for each step, "
        "by how many people were reached, and by what else could explain the change. It is never rated "
        "above what the weakest step allows."
    ),
    "comparison_pool": (
        "The rest of the district: only schools with a rate and a cohort in every year are compared, and the "
        "page shows how the answer moves with other choices."
    ),
}
INTERVAL_WORDS = (
    "The numbers in brackets are 95% intervals: the range of values that fit the data. A range of a value "
    "itself means that the source publishes no exact count; it is then carried as worst and best case."
)


def methods(results: Mapping[str, Result]) -> list[str]:
    """Explain in plain words each method that was used."""
    return [*(words for name, words in METHOD_WORDS.items() if name in results), INTERVAL_WORDS]


def place(site: Site) -> list[str]:
    """Describe place and people from what is declared, and name what is not on file."""
    paragraphs = [site.about] if site.about else []
    facts = []
    if site.place:
        facts.append(f"Where: {site.place}.")
    if site.initiative and site.initiative != site.name:
        facts.append(f"The initiative is {site.initiative}.")
    if site.lead_agency:
        facts.append(f"{site.lead_agency} leads it.")
    if site.start:
        facts.append(f"The work began in {period_label(site.start, 'school_year')}.")
    if site.start_note:
        facts.append(site.start_note)
    if site.stage:
        facts.append(f"Stage of development: {site.stage.replace('_', ' ')}.")
    if site.gateway:
        facts.append(f"StriveTogether gateway: {site.gateway.replace('_', ' ')}.")
    if site.units:
        facts.append(f"Target schools: {listed([unit.name for unit in site.units])}.")
    if site.population:
        facts.append(f"The figures describe {POPULATION_WORDS[site.population]}.")
    paragraphs.append(" ".join(facts))
    absent = [
        words
        for words, value in (
            ("who leads the work", site.lead_agency),
            ("when the work began", site.start),
            ("its stage of development", site.stage),
            ("who does what in the partnership", site.partnership or site.partners),
        )
        if not value
    ]
    if absent:
        paragraphs.append(
            f"The records used here do not say {listed(absent, 'or')}; nothing is put in their place."
        )
    return [text for text in paragraphs if text]


def start_label(period: str | None) -> str:
    """Write the start of a solution; a bare year is a school year."""
    return period_label(period, "school_year") if period else "not on file"


def story(rows: Sequence[Row], results: Mapping[str, Result], site: Site) -> list[str]:
    """Tell the story behind the curve: the lines before and after, then what happened around them."""
    paragraphs = []
    for row in rows[:TOLD_IN_FULL]:
        effect = difference_words(row, "effect")
        if effect:
            side = {"better": "better than", "worse": "worse than"}.get(leaning(row, "effect"))
            reads = (
                f"on the whole {side} the earlier trend" if side else "not told apart from the earlier trend"
            )
            differs = (
                " This averages all years since the start; the verdict above asks about the last year alone."
                if side and row["verdict"] == NOT_YET
                else ""
            )
            paragraphs.append(
                f"{row['label']}: since the work began the values lay on average {effect} from where the "
                f"earlier trend pointed, {reads}.{differs}"
            )
        elif row["effect_note"]:
            paragraphs.append(
                f"{row['label']}: no line before and after could be drawn, because {row['effect_note']}."
            )
    for driver in site.key_drivers:
        source = f" (source: {driver.source})" if driver.source else ""
        paragraphs.append(f"{driver.date}, {driver.driver.replace('_', ' ')}: {driver.text}{source}")
    if not site.key_drivers:
        paragraphs.append("No outside events (money, policy, capacity) are on file for these years.")
    return paragraphs


def comparison(results: Mapping[str, Result]) -> list[str]:
    """Tell how the rest of the district changed, or the comparison site, and how far that can be trusted."""
    pool = results.get("comparison_pool")
    if pool is not None and pool.narrative:
        return list(pool.narrative)
    return ["No other schools or sites could be set beside this one in these data."]


def voices(site: Site, dictionary: DataDictionary) -> list[str]:
    """List what families want, milestones, decisions and published figures, each with its source."""
    entries = (
        [f"Families want, in their order: {' '.join(site.family_priorities)}"]
        if site.family_priorities
        else []
    )
    for milestone in site.milestones:
        kind = dictionary.milestones.get(milestone.kind)
        name = kind.label if kind else milestone.kind.replace("_", " ")
        entries.append(f"{milestone.date}, {name.lower()}: {milestone.text} Source: {milestone.source}.")
    for decision in site.decisions:
        then = (
            f" What happened next: {decision.then}"
            if decision.then
            else " What happened next is not on file."
        )
        entries.append(
            f"{decision.date}, {decision.by} decided: {decision.decision.rstrip('.')}. "
            f"Because: {decision.because}{then}"
        )
    for figure in site.published_figures:
        indicator = dictionary.indicator(figure.indicator)
        group = "" if figure.subgroup == "All" else f", {figure.subgroup}"
        entries.append(
            f"Published by the initiative: {lower_first(indicator.label)}{group}, "
            f"{period_label(figure.period, indicator.frequency)}: {number(figure.value, 0)}% "
            f"(source: {figure.source})."
        )
    return [*entries, *([f"Note on file: {site.notes}"] if site.notes else [])]


def published_against_data(
    site: Site, results: Mapping[str, Result], dictionary: DataDictionary
) -> list[str]:
    """Hold the initiative's own published figures against the data, and name the years that it left out."""
    if TURN not in results or not {"indicator", "period", "low", "high"} <= set(
        results[TURN].augment.columns
    ):
        return []
    sentences = []
    totals = [figure for figure in site.published_figures if figure.subgroup == "All"]
    for name in dict.fromkeys(figure.indicator for figure in totals):
        indicator = dictionary.indicator(name)
        augment = results[TURN].augment
        cells = augment[(augment["indicator"] == name) & augment["low"].notna()].set_index("period")
        figures = {figure.period: figure.value for figure in totals if figure.indicator == name}
        shared = [period for period in figures if period in cells.index]
        if not shared:
            continue
        # Both are rounded to whole percents, so a figure fits if it lies within half a point.
        outside = [
            period
            for period in shared
            if not cells.loc[period, "low"] - 0.5 <= figures[period] <= cells.loc[period, "high"] + 0.5
        ]
        labels = [period_label(period, indicator.frequency) for period in (outside or shared)]
        fit = f"do not fit the data in {listed(labels)}" if outside else f"fit the data in {listed(labels)}"
        skipped = [
            period for period in cells.index if min(shared) < period < max(shared) and period not in figures
        ]
        text = f"{indicator.label}: the published figures {fit}."
        if skipped:
            left = [
                f"{period_label(period, indicator.frequency)} (in the data "
                f"{value_words(cells.loc[period, 'low'], cells.loc[period, 'high'], indicator.unit)})"
                for period in skipped
            ]
            text += f" They leave out {listed(left)}."
        sentences.append(text)
    return sentences


def not_shown(
    rows: Sequence[Row], results: Mapping[str, Result], site: Site, release_notes: Sequence[str]
) -> list[str]:
    """List what is not shown and why; hidden, missing, not asked and zero are different things."""
    entries = list(release_notes)
    labels = {row["indicator"]: row["short_label"] for row in rows}
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["verdict"] == CANNOT:
            reasons.setdefault(row["because"], []).append(row["short_label"])
    entries += [f"No verdict on {listed(named)}: {reason}." for reason, named in reasons.items()]
    reasons = {}
    for row in rows:
        if np.isnan(row["effect_low"]) and row["effect_note"]:
            reasons.setdefault(row["effect_note"], []).append(row["short_label"])
    entries += [
        f"No line before and after for {listed(named)}: {reason}." for reason, named in reasons.items()
    ]
    reasons = {}
    for gap in latest_gaps(results[GAPS]) if GAPS in results else []:
        if np.isnan(gap["gap_low"]):
            name = labels.get(gap["indicator"], gap["indicator"])
            group = f"{gap['subgroup']} ({name})" if gap["subgroup"] else name
            reasons.setdefault(gap["note"] or "no reason given", []).append(group)
    entries += [f"No gap for {listed(named)}: {reason}." for reason, named in reasons.items()]
    withheld = int(results[CLAIMS].design.get("withheld_items", 0)) if CLAIMS in results else 0
    if withheld:
        entries.append(f"Evidence from confidential sources: {withheld} items count and are not printed.")
    absent = [
        words
        for words, value in (
            ("solutions and partners", site.partners),
            ("targets", site.targets),
            ("what families asked for", site.family_priorities),
            ("decisions made because of the data", site.decisions),
        )
        if not value
    ]
    return [*entries, f"Not on file for this site, so not shown: {listed(absent)}."] if absent else entries
