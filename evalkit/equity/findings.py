"""The gaps that matter, by a stated rule, in plain words with their intervals."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from evalkit.dictionary import DataDictionary
from evalkit.equity.generations import GENERATIONS, generations_of, shown_rows
from evalkit.equity.study import PERIOD_WORDS, Study, subgroup_label
from evalkit.periods import reader_label
from evalkit.sites import Site
from evalkit.wording import interval, listed, number, percent, points, signed

GAPS_TOLD = 3
RULE = (
    "told first are the gaps that the most persons would have to be helped across to reach parity in the "
    "latest period, among the headline indicators, at most one gap an indicator; where no gap is known "
    "exactly, those that may ask for the most; significance plays no part"
)
PEOPLE = {"child": "children", "caregiver": "caregivers", "family": "families"}
WHOSE = {
    "resident": "who live in the neighborhood",
    "target_school": "in the target schools",
    "served": "whom the partners served",
}


def findings(
    studies: Sequence[Study],
    both: pd.DataFrame,
    dictionary: DataDictionary,
    site: Site,
    *,
    conf_level: float,
) -> tuple[str, ...]:
    """Tell the gaps that matter most, what chance makes, what is hidden, and which generations are there.

    Parameters
    ----------
    both : the frame of `two_generation`
    """
    if not studies:
        none = "No indicator of this site is split into subgroups, so there is no gap to tell."
        return none, _generations(both)
    told = told_gaps(studies, site)
    ranges = [] if told else _ranked(studies, site, "additional_most")
    paragraphs = [_opening(told, site) if told or not ranges else _opening_of_ranges(site)]
    paragraphs += [_range_gap(item, pair, dictionary) for item, pair in ranges]
    paragraphs += [
        f"{_gap(item, pair, dictionary, conf_level)} {_chance(item, dictionary)}".strip()
        for item, pair in told
    ]
    paragraphs += [text for text in (_hidden(studies),) if text]
    return (*paragraphs, _generations(both))


def told_gaps(studies: Sequence[Study], site: Site) -> list[tuple[Study, Any]]:
    """Choose the gaps to tell, in order: by persons to parity, the largest of each indicator (see `RULE`)."""
    return _ranked(studies, site, "additional")


def _ranked(studies: Sequence[Study], site: Site, column: str) -> list[tuple[Study, Any]]:
    best: dict[str, tuple[float, Study, Any]] = {}
    for item in studies:
        if site.headline and item.indicator.id not in site.headline:
            continue
        for pair in item.latest_gaps.itertuples():
            size, name = float(getattr(pair, column)), item.indicator.id
            if size > 0 and (name not in best or size > best[name][0]):
                best[name] = (size, item, pair)
    ordered = sorted(best.values(), key=lambda entry: (-entry[0], entry[1].indicator.id))
    return [(item, pair) for _, item, pair in ordered[:GAPS_TOLD]]


def _opening(told: Sequence[tuple[Study, Any]], site: Site) -> str:
    among = "the headline indicators" if site.headline else "all indicators"
    if not told:
        return (
            f"Among {among} no subgroup whose numbers may be shown is behind its reference in the latest "
            "period, or too little may be shown to say so."
        )
    one = len(told) == 1
    these, them = ("This gap is", "it") if one else (f"These {len(told)} gaps are", "them")
    return (
        f"{these} told first because the most persons would have to be helped across {them} to reach parity "
        f"in the latest period, among {among}, with at most one gap an indicator. Significance plays no part "
        "in the choice. The reference group is a yardstick, not the goal."
    )


def _opening_of_ranges(site: Site) -> str:
    among = "the headline indicators" if site.headline else "all indicators"
    return (
        f"Among {among} no gap may be shown exactly in the latest period; what is known are ranges. Told "
        "first are the gaps that may ask for the most persons to be helped across, at most one gap an "
        "indicator. The reference group is a yardstick, not the goal."
    )


def _range_gap(item: Study, pair: Any, dictionary: DataDictionary) -> str:
    indicator, scale = item.indicator, item.indicator.scale
    cells = item.cells[item.cells["period"] == item.latest].set_index("subgroup")
    sides = []
    for name in (pair.subgroup, item.reference):
        label, row = subgroup_label(dictionary, item.dimension, name), cells.loc[name]
        low, high = row["rate_low"] * scale, row["rate_high"] * scale
        sides.append(f"{label} {_value(low, item) if low == high else _span(low, high, item)}")
    least, most = pair.least * scale, pair.most * scale
    if least <= 0 <= most:
        verdict = "so it cannot be told which group is worse off"
    else:
        behind = (most < 0) == (indicator.favourable == "higher")
        verdict = f"so the first group is {'worse' if behind else 'better'} off in these numbers"
    people = "events" if indicator.may_exceed_one else PEOPLE[indicator.generation]
    persons = interval(pair.additional_least, pair.additional_most, 0)
    return (
        f"{indicator.label} ({PEOPLE[indicator.generation]} {WHOSE[item.population]}), "
        f"{reader_label(item.latest, indicator.frequency)}: {sides[0]}; {sides[1]}. The gap lies between "
        f"{_change(pair.least, item)} and {_change(pair.most, item)}, before sampling error; "
        f"{indicator.favourable} is better here, {verdict}. Parity would take "
        f"{persons} {people}, of {number(pair.n, 0)} in the group."
    )


def _span(low: float, high: float, item: Study) -> str:
    return f"{interval(low, high, 0)}%" if item.indicator.unit == "percent" else interval(low, high)


def _value(value: float, item: Study) -> str:
    return percent(value) if item.indicator.unit == "percent" else number(value)


def _gap(item: Study, pair: Any, dictionary: DataDictionary, conf_level: float) -> str:
    indicator = item.indicator
    people = PEOPLE[indicator.generation]
    cells = item.cells[item.cells["period"] == item.latest].set_index("subgroup")
    own_label = subgroup_label(dictionary, item.dimension, pair.subgroup)
    other_label = subgroup_label(dictionary, item.dimension, item.reference)
    levels = (
        f"{_side(own_label, cells.loc[pair.subgroup], item)}; "
        f"{_side(other_label, cells.loc[item.reference], item)}"
    )
    scale = item.indicator.scale
    gap = _change(pair.difference, item)
    ends = interval(pair.difference_low * scale, pair.difference_high * scale)
    times = f"{number(pair.ratio, 2)} ({interval(pair.ratio_low, pair.ratio_high, 2)})"
    if pair.difference_low <= 0 <= pair.difference_high:
        verdict = "since the interval includes 0 it is not sure that the first group is worse off"
    else:
        verdict = "the first group is worse off"
    more = "more" if indicator.favourable == "higher" else "fewer"
    what = "events among them" if indicator.may_exceed_one else f"{people} with this outcome"
    when = reader_label(item.latest, indicator.frequency)
    return (
        f"{indicator.label} ({people} {WHOSE[item.population]}), {when}: {levels}. "
        f"The gap is {gap} ({100 * conf_level:g}% interval {ends}), a ratio of {times}; "
        f"{indicator.favourable} is better here, and {verdict}. "
        f"Parity would take {number(pair.additional, 0)} {more} {what} "
        f"({interval(pair.additional_low, pair.additional_high, 0)}), of {number(pair.n, 0)} in the group. "
        f"{_trend(item, pair.subgroup)}"
    )


def _side(label: str, cell: pd.Series, item: Study) -> str:
    scale, digits = item.indicator.scale, 0 if item.indicator.unit == "percent" else 1
    value = _value(cell["rate"] * scale, item)
    return f"{label} {value} ({interval(cell['conf_low'] * scale, cell['conf_high'] * scale, digits)})"


def _change(value: float, item: Study) -> str:
    value = value * item.indicator.scale
    return points(value) if item.indicator.unit == "percent" else signed(value)


def _trend(item: Study, subgroup: str) -> str:
    trend = next(entry for entry in item.trends if entry.subgroup == subgroup)
    if trend.fit is None:
        return "Too few periods may be shown for a trend."
    scale, period = item.indicator.scale, PERIOD_WORDS[item.indicator.frequency]
    fit = trend.fit
    if fit.conf_low <= 0 <= fit.conf_high:
        direction = "which does not tell whether it narrows or widens"
    else:
        direction = "so it narrows" if fit.slope * fit.level < 0 else "so it widens"
    since = reader_label(trend.first, item.indicator.frequency)
    return (
        f"Since {since} the gap has moved by {_change(fit.slope, item)} a {period} "
        f"({interval(fit.conf_low * scale, fit.conf_high * scale)}), {direction}; {trend.parity}."
    )


def _chance(item: Study, dictionary: DataDictionary) -> str:
    """Set the range of more than two groups beside the one that chance alone makes."""
    if pd.isna(item.observed_range) or item.groups_in_range < 3:
        return ""
    scale = item.indicator.scale
    known = dictionary.dimensions.get(item.dimension)
    label = known.label.lower() if known else item.dimension
    return (
        f"By {label}, the highest and the lowest of the {item.groups_in_range} groups shown lie "
        f"{number(item.observed_range * scale)} points apart; if all were truly equal, chance alone would "
        f"put them {number(item.chance_range * scale)} points apart on average."
    )


def _hidden(studies: Sequence[Study]) -> str:
    counts = pd.concat([item.cells["status"] for item in studies]).value_counts()
    parts = [
        f"{int(counts[status]):,} {words}"
        for status, words in (
            ("suppressed", "are not shown, to protect small groups"),
            ("censored", "are shown only as a range"),
            ("missing", "have no value"),
        )
        if counts.get(status, 0)
    ]
    return f"Of {int(counts.sum()):,} cells (a subgroup in a period), {listed(parts)}." if parts else ""


def _generations(both: pd.DataFrame) -> str:
    present = generations_of(both)
    if len(present) == len(GENERATIONS):
        known = shown_rows(both)
        children, caregivers = (
            known.loc[known["generation"].eq(name), "indicator"].nunique() for name in GENERATIONS
        )
        return (
            f"Children and caregivers are both measured: {children} child and {caregivers} caregiver "
            f"indicators in {known['period'].iloc[0]}, the latest period that both have."
        )
    if not present:
        return "Neither children nor caregivers have an indicator that may be shown."
    absent = PEOPLE[next(name for name in GENERATIONS if name not in present)]
    return (
        f"Only one generation is measured here: there is no indicator of {absent} that may be shown, so this "
        "is not a two-generation picture."
    )
