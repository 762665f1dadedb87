"""Evidence that cites a saved estimate: a stated rule from the estimate and its interval to s and e.

What is looked for is an interval that lies wholly on the favourable side of zero. `e`, the chance to see
that although the work contributed nothing, runs from the tail of the interval to the chance that something
else moved the curve; `s`, the chance to see it if the work did contribute, is the power of the estimate to
show what the persons reached are thought to have gained.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from evalkit.contribution.ceiling import NORMAL_95
from evalkit.contribution_model import ContributionModel, Evidence
from evalkit.dictionary import TOTAL_DIMENSION, DataDictionary, Indicator
from evalkit.documents import suggestion
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.wording import interval, number

# The short names by which evidence cites a method, and the terms of it that are changes with an interval.
METHODS = {"its": "interrupted_time_series", "curve": "turn_the_curve"}
TERMS = {
    "interrupted_time_series": ("effect_average", "effect_last", "level_change", "slope_change"),
    "turn_the_curve": ("baseline_forecast_difference", "change_from_baseline"),
}
# Chance that something else moved the curve as far: of a series by itself, and where the comparison's stood
# still. Both are set high on purpose, since neighborhoods are never alone.
MOVED_OTHERWISE = 0.30
MOVED_OTHERWISE_BESIDE_COMPARISON = 0.15
# Power where no effect is stated: what a design is usually made for, and what a short series may have.
POWER_UNKNOWN = (0.2, 0.8)


@dataclass(frozen=True)
class Reading:
    """What the rule makes of an estimate."""

    observed: str
    s: tuple[float, float]
    e: tuple[float, float]
    words: str


def citation_problem(citation: str, dictionary: DataDictionary) -> str:
    """Say what is wrong with a citation such as "its:chronic_absence:level_change"; "" where nothing is."""
    if not citation:
        return ""
    parts = citation.split(":")
    if len(parts) != 3:
        return f"cites {citation!r}; write method, indicator and term, e.g. its:chronic_absence:level_change"
    method, indicator, term = parts
    known = {*METHODS, *TERMS}
    if method not in known:
        return f"cites the method {method!r}; " + (suggestion(method, known) or "use its or curve")
    if indicator not in dictionary.indicators:
        hint = suggestion(indicator, dictionary.indicators) or "add it to data_dictionary/"
        return f"cites the indicator {indicator!r}, which the dictionary does not have; {hint}"
    terms = TERMS[METHODS.get(method, method)]
    if term not in terms:
        hint = suggestion(term, terms) or f"known: {', '.join(terms)}"
        return f"cites the estimate {term!r}, which cannot serve as evidence; {hint}"
    return ""


def with_estimates(
    model: ContributionModel,
    results: Mapping[str, Result],
    *,
    site: Site,
    dictionary: DataDictionary,
    conf_level: float,
) -> ContributionModel:
    """Return the model with s, e and what was observed filled in for each item that cites an estimate.

    An estimate that no result holds leaves its item not sought, with a likelihood ratio of 1.
    """
    items = tuple(
        _filled(item, model, results, site=site, dictionary=dictionary, conf_level=conf_level)
        if item.estimate and not citation_problem(item.estimate, dictionary)
        else item
        for item in model.evidence
    )
    return model.model_copy(update={"evidence": items})


def read_estimate(
    *,
    estimate: float,
    conf_low: float,
    conf_high: float,
    std_error: float,
    expected: tuple[float, float] | None,
    beside_comparison: bool,
    conf_level: float,
) -> Reading:
    """Turn an estimate and its interval into what was seen, and how likely that was either way.

    Parameters
    ----------
    estimate, conf_low, conf_high, std_error : improvement positive
    expected : lowest and highest improvement that theory expects, in the same unit; None where unknown
    beside_comparison : a comparison was fitted too, and did not clearly move the same way
    """
    tail = (1 - conf_level) / 2
    other = MOVED_OTHERWISE_BESIDE_COMPARISON if beside_comparison else MOVED_OTHERWISE
    needed = float(stats.norm.ppf(1 - tail)) * std_error
    s = POWER_UNKNOWN
    if expected is not None and std_error > 0:
        low, high = (float(stats.norm.sf((needed - gain) / std_error)) for gain in sorted(expected))
        s = (max(tail, low), max(tail, high))
    words = (
        f"Read from the estimate {number(estimate)} ({interval(conf_low, conf_high)}): looked for was an "
        "interval wholly on the better side of zero; "
        f"s is its power to show {'what theory expects' if expected else 'an effect nobody has stated'}, "
        f"e runs from its tail to the chance of {number(other, 2)} that something else moved the curve."
    )
    return Reading("yes" if conf_low > 0 else "no", s, (tail, tail + (1 - tail) * other), words)


def _filled(
    item: Evidence,
    model: ContributionModel,
    results: Mapping[str, Result],
    *,
    site: Site,
    dictionary: DataDictionary,
    conf_level: float,
) -> Evidence:
    name, indicator_id, term = item.estimate.split(":")
    method, indicator = METHODS.get(name, name), dictionary.indicator(indicator_id)
    row = _row(results, method, indicator_id, term, site.site_id)
    if row is None:
        note = f"{item.rationale.strip()} (No result holds the estimate {item.estimate}.)"
        return item.model_copy(update={"observed": "not_sought", "rationale": note})
    sign = 1 if indicator.favourable == "higher" else -1
    low, high = sorted((sign * row["conf_low"], sign * row["conf_high"]))
    error = row["std_error"]
    if math.isnan(error):
        error = (high - low) / (2 * float(stats.norm.ppf(0.5 + conf_level / 2)))
    other = _row(results, method, indicator_id, term, f"{site.site_id}-comparison")
    still = other is not None and not min(sign * other["conf_low"], sign * other["conf_high"]) > 0
    reading = read_estimate(
        estimate=sign * row["estimate"],
        conf_low=low,
        conf_high=high,
        std_error=error,
        expected=None if term == "slope_change" else _expected(model, indicator, site.start),
        beside_comparison=still,
        conf_level=conf_level,
    )
    return item.model_copy(
        update={
            "observed": reading.observed,
            "s_lo": reading.s[0],
            "s_hi": reading.s[1],
            "e_lo": reading.e[0],
            "e_hi": reading.e[1],
            "rationale": f"{item.rationale.strip()} {reading.words}",
        }
    )


def _expected(
    model: ContributionModel, indicator: Indicator, start: str | None
) -> tuple[float, float] | None:
    """Add up what the solutions' reach, dose and stated effects come to, in the indicator's unit."""
    rows = [
        item
        for item in model.reach
        if item.indicator == indicator.id and item.effect is not None and item.period >= (start or "")
    ]
    latest = {item.solution: item for item in sorted(rows, key=lambda item: item.period)}
    if not latest or indicator.kind != "rate":
        return None
    middle, error = 0.0, 0.0
    for item in latest.values():
        assert item.effect is not None
        carried = indicator.per * item.dose * item.served / item.population
        width = (
            item.effect_hi - item.effect_lo
            if item.effect_hi is not None and item.effect_lo is not None
            else 0.0
        )
        middle += carried * item.effect
        error = math.hypot(error, carried * width / (2 * NORMAL_95))
    return max(0.0, middle - NORMAL_95 * error), middle + NORMAL_95 * error


def _row(
    results: Mapping[str, Result], method: str, indicator: str, term: str, site_id: str
) -> dict[str, float] | None:
    if method not in results:
        return None
    frame = results[method].tidy
    found = frame[
        (frame["indicator"] == indicator)
        & (frame["term"] == term)
        & (frame["site_id"] == site_id)
        & frame["dimension"].isin(["", TOTAL_DIMENSION])
        & frame["unit_id"].isin(["", "all"])
        & frame["estimate"].notna()
        & frame["conf_low"].notna()
        & frame["conf_high"].notna()
    ]
    if found.empty:
        return None
    # Of an estimate that is made for every period, the last one counts.
    last = found.sort_values("period", kind="stable").iloc[-1]
    return {name: float(last[name]) for name in ("estimate", "conf_low", "conf_high", "std_error")}
