"""The sentences about turning the curve; every number comes from the row it describes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.indicators import IndicatorSeries
from evalkit.its.chance import ON_COURSE, ON_EARLIER_TREND
from evalkit.its.story import PERIOD_WORDS, amount, named, reading, with_interval
from evalkit.its.verdict import BEAT, CANNOT, NOT_YET, TURNED
from evalkit.its.window import Window
from evalkit.periods import reader_label
from evalkit.wording import interval, number, percent

Row = Mapping[str, Any]

VERDICT_WORDS = {
    TURNED: "the curve has been turned",
    BEAT: "the curve beat its baseline",
    NOT_YET: "not yet turned",
    CANNOT: "cannot be told",
}


def value_text(value: float, unit: str) -> str:
    """Write a value in the indicator's unit."""
    return percent(value, 1) if unit == "percent" else f"{number(value, 2)} {unit}"


def turn_paragraph(
    series: IndicatorSeries, window: Window, glance: Row, rows: Sequence[Row], conf_level: float
) -> str:
    """Tell one indicator in a paragraph."""
    by_term = {str(row["term"]): row for row in rows if not str(row["term"]).startswith("change_")}
    changes = [row for row in rows if str(row["term"]).startswith("change_")]
    sentences = [
        f"{named(series.indicator)}. Verdict: {VERDICT_WORDS[glance['verdict']]}, because "
        f"{glance['verdict_because']}."
    ]
    sentences += _forecast_sentences(series, window, by_term, conf_level)
    sentences += _change_sentences(series, glance, changes, conf_level)
    sentences.append(str(glance["endpoint"]))
    sentences += _target_sentences(series, glance, by_term)
    return " ".join(sentence for sentence in sentences if sentence)


def endpoint_sentence(series: IndicatorSeries, changes: Sequence[Row], conf_level: float) -> str:
    """Say so where the conclusion about the change depends on the period in which one stops looking.

    That is the case where the last period reads otherwise than the one before it, or where the last is not
    told apart from no change but an earlier one is. A period reads as better (or worse) only if its worst
    (or best) case does.
    """
    readings = _readings(series, changes)
    if len(readings) < 2:
        return ""
    periods = list(readings)
    last, before = periods[-1], periods[-2]
    clear = [period for period in periods[:-1] if readings[period][0] != UNCLEAR]
    if readings[last][0] == readings[before][0] and (readings[last][0] != UNCLEAR or not clear):
        return ""
    other = before if readings[last][0] != readings[before][0] else clear[-1]
    labels = {period: reader_label(period, series.frequency) for period in (other, last)}
    return (
        "The conclusion depends on the endpoint: "
        f"measured to {labels[other]} the change is {readings[other][1]} "
        f"({_ends(readings[other][2], conf_level)}); "
        f"measured to {labels[last]} it is {readings[last][1]} ({_ends(readings[last][2], conf_level)})."
    )


UNCLEAR = "unclear"


def _readings(series: IndicatorSeries, changes: Sequence[Row]) -> dict[str, tuple[str, str, list[Row]]]:
    """Read each period's change: its class, the class in words, and its rows."""
    by_period: dict[str, list[Row]] = {}
    for row in changes:
        by_period.setdefault(str(row["period"]), []).append(row)
    found = {}
    for period, rows in by_period.items():
        each = [
            reading({"conf_low": math.nan, "conf_high": math.nan, **row}, series.indicator.favourable)
            for row in rows
        ]
        if "without an interval" in each:
            continue
        worst, best = each[0], each[-1]
        if worst == "better":
            words = "better than the baseline" + (" even in the worst case" if len(rows) > 1 else "")
            found[period] = ("better", words, rows)
        elif best == "worse":
            words = "worse than the baseline" + (" even in the best case" if len(rows) > 1 else "")
            found[period] = ("worse", words, rows)
        else:
            partly = len(rows) > 1 and best == "better"
            words = "clear only in the best case" if partly else "not told apart from none"
            found[period] = (UNCLEAR, words, rows)
    return found


def _ends(rows: Sequence[Row], conf_level: float) -> str:
    names = ["worst case ", "best case "] if len(rows) > 1 else [""]
    return "; ".join(
        f"{name}{amount(row['estimate'], str(row['unit']))}, {conf_level:.0%} interval "
        f"{interval(row['conf_low'], row['conf_high'])}"
        for name, row in zip(names, rows, strict=True)
    )


def _forecast_sentences(
    series: IndicatorSeries, window: Window, by_term: Mapping[str, Row], conf_level: float
) -> list[str]:
    unit, label = series.indicator.unit, window.label(window.last)
    each = PERIOD_WORDS[series.frequency]
    sentences = []
    if "baseline_forecast" in by_term and math.isfinite(
        by_term["baseline_forecast"].get("estimate", math.nan)
    ):
        row = by_term["baseline_forecast"]
        sentences.append(
            f"Had the earlier trend gone on, {value_text(row['estimate'], unit)} would be expected in "
            f"{label} "
            f"({conf_level:.0%} interval for a new value {interval(row['conf_low'], row['conf_high'])}); "
            f"the actual value was {_actual(window, unit)}, "
            + _pair(by_term, "baseline_forecast_difference", conf_level)
            + " from the forecast."
        )
    elif "baseline_forecast_worst_case" in by_term:
        sentences.append(
            f"Against the forecast for {label}, made from values known only within bounds, the actual value "
            f"of {_actual(window, unit)} differs by "
            f"{_pair(by_term, 'baseline_forecast_difference', conf_level)}."
        )
    trend = _pair(by_term, "post_trend", conf_level)
    if trend:
        sentences.append(f"Since the start it has changed by {trend} {each}.")
    return sentences


def _pair(by_term: Mapping[str, Row], term: str, conf_level: float) -> str:
    """Write a term, or its worst and best case; "" where it has no number."""
    if math.isfinite(by_term.get(term, {}).get("estimate", math.nan)):
        return with_interval(by_term[term], conf_level)
    if f"{term}_worst_case" not in by_term:
        return ""
    worst, best = (by_term[f"{term}_{case}"] for case in ("worst_case", "best_case"))
    return f"{with_interval(worst, conf_level)} at worst and {with_interval(best, conf_level)} at best"


def _actual(window: Window, unit: str) -> str:
    low, high = window.low[window.last], window.high[window.last]
    if low == high:
        return value_text(low, unit)
    return f"between {value_text(low, unit)} and {value_text(high, unit)}"


def _change_sentences(
    series: IndicatorSeries, glance: Row, changes: Sequence[Row], conf_level: float
) -> list[str]:
    told = [row for row in changes if math.isfinite(row.get("estimate", math.nan))]
    if not told:
        return []
    last = told[-1]["period"]
    rows = [row for row in told if row["period"] == last]
    baseline, label = (reader_label(str(text), series.frequency) for text in (glance["baseline"], last))
    if any(not math.isfinite(row.get("conf_low", math.nan)) for row in rows):
        first = rows[0]
        why = str(first.get("note", ""))
        return [
            f"From {baseline} to {label} it changed by {amount(first['estimate'], first['unit'])} ({why})."
        ]
    if len(rows) == 1:
        return [f"From {baseline} to {label} it changed by {with_interval(rows[0], conf_level)}."]
    worst, best = (with_interval(row, conf_level) for row in rows)
    return [
        f"From {baseline} to {label} it changed by {worst} in the worst case and {best} in the best case, "
        "because the counts are known only within bounds."
    ]


def _target_sentences(series: IndicatorSeries, glance: Row, by_term: Mapping[str, Row]) -> list[str]:
    rows = [row for term, row in by_term.items() if term.startswith("distance_to_target")]
    if not rows:
        return []
    unit = series.indicator.unit
    ends = [amount(row["estimate"], row["unit"]) for row in rows]
    met = [
        (row["estimate"] >= 0) == (series.indicator.favourable == "higher") or row["estimate"] == 0
        for row in rows
    ]
    state = "met" if all(met) else "not met" if not any(met) else "met or not, depending on the hidden values"
    label = reader_label(str(glance["target_period"]), series.frequency)
    return [
        f"The target is {value_text(float(glance['target']), unit)} by {label}; the last value "
        f"differs from it by {' to '.join(ends)}: {state} so far.",
        *_chance_sentences(by_term, label),
    ]


def _chance_sentences(by_term: Mapping[str, Row], label: str) -> list[str]:
    """Tell the chance of reaching the target, where both lines or one of them can be carried on."""
    course, earlier = (_chance(by_term, term) for term in (ON_COURSE, ON_EARLIER_TREND))
    if not course:
        return []
    carried = str(by_term.get(ON_COURSE, by_term.get(f"{ON_COURSE}_best_case", {})).get("note", ""))
    line = (
        "its course since the start" if "since the start carried" in carried else "its trend over all years"
    )
    text = f"Were {line} to go on, the chance of reaching the target by {label} would be {course}"
    return [f"{text}; with the trend before the start, {earlier}." if earlier else f"{text}."]


def _chance(by_term: Mapping[str, Row], term: str) -> str:
    found = [by_term[name] for name in (term, f"{term}_worst_case", f"{term}_best_case") if name in by_term]
    known = [row["estimate"] for row in found if math.isfinite(row.get("estimate", math.nan))]
    return " to ".join(dict.fromkeys(_share(value) for value in known))


def _share(value: float) -> str:
    """Write a probability in percent; no forecast is certain."""
    if value < 0.01:
        return "under 1%"
    return "over 99%" if value > 0.99 else percent(100 * value)
