"""How large each rival explanation is, measured in saved results and set beside the observed change.

A number may hold a claim back. It never clears a rival: that is for a person, who takes it up as a finding.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.contribution.observed import ObservedChange, whole_population
from evalkit.contribution.rivals import RIVAL_LABELS, kitagawa, kitagawa_error
from evalkit.contribution_model import ContributionModel
from evalkit.dictionary import Indicator
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.wording import interval, number

LARGE_PART = 0.5  # share of the observed change from which a rival could stand for most of it
COULD_EXPLAIN, PART, TOO_SMALL = "could explain it", "explains a part", "too small to explain it"
CANNOT_TELL, FOUND, NOTHING_FOUND = "cannot be told", "worth looking into", "nothing found"
SUSPICIOUS = ("break", "denominator_jump", "id_change")  # kinds of finding of the data quality check


@dataclass(frozen=True)
class RivalTest:
    """One rival measured; its numbers are improvements, positive whichever way is better.

    Attributes
    ----------
    measure : what was measured
    estimate, conf_low, conf_high : how much of an improvement the rival comes to
    change : the improvement it is set beside
    reading : what the numbers say; NaN numbers go with "worth looking into" and "nothing found"
    """

    rival_type: str
    measure: str
    estimate: float
    conf_low: float
    conf_high: float
    change: float
    unit: str
    reading: str
    source: str

    @property
    def holds_back(self) -> bool:
        """Whether the rival is surely there and could stand for at least half of the change."""
        return self.reading == COULD_EXPLAIN

    @property
    def sentence(self) -> str:
        """The measure, its number with the interval, and the reading."""
        name = RIVAL_LABELS[self.rival_type]
        if math.isnan(self.estimate):
            return f"{name}: {self.measure}; {self.reading}."
        unit = "points" if self.unit == "percentage points" else self.unit
        width = "" if math.isnan(self.conf_low) else f" ({interval(self.conf_low, self.conf_high)})"
        return (
            f"{name}: {self.measure}, {number(self.estimate)} {unit}{width} of improvement beside the "
            f"{number(self.change)} observed; {self.reading}."
        )


def rival_tests(
    site: Site,
    model: ContributionModel,
    indicator: Indicator,
    change: ObservedChange,
    results: Mapping[str, Result],
    *,
    conf_level: float,
) -> list[RivalTest]:
    """Measure the rivals of a claim on one indicator, as far as the saved results allow.

    Regional trend: the same estimate at the comparison. Composition: Kitagawa's split between the baseline
    and the last period, for the dimension with the largest part. Definition or roster: findings of the data
    quality check. Regression to the mean: how far the last year before the start lay on the worse side of
    its own trend, and what those served would have regained by it, given their scores at entry. Chance: half
    the width of the change's interval.
    """
    if change.reason:
        return []
    sign = 1 if indicator.favourable == "higher" else -1
    gain, unit = sign * change.estimate, indicator.difference_unit
    found = [
        _regional(site, indicator, change, results, sign),
        _composition(site, indicator, results, sign, conf_level),
        _definition(site, indicator, results),
        _last_year_before(site, indicator, results, sign, conf_level),
        _chance(change, gain),
    ]
    tests = [_read(test, gain, unit) for test in found if test is not None]
    return [*tests, *_entry_scores(model, indicator)]


def read_size(estimate: float, conf_low: float, conf_high: float, change: float) -> str:
    """Say what a rival's size means beside a change; both are improvements."""
    if math.isnan(estimate) or math.isnan(change):
        return CANNOT_TELL
    border = LARGE_PART * max(change, 0.0)
    if conf_low > 0:
        return COULD_EXPLAIN if estimate >= border else PART
    return TOO_SMALL if conf_high < border else CANNOT_TELL


def expected_regression(entry_mean: float, population_mean: float, reliability: float) -> float:
    """Return how far a group chosen by its score moves back by itself: (1 − reliability) · (μ − entry mean).

    References
    ----------
    Davis (1976), American Journal of Epidemiology 104:493-498.
    """
    return (1 - reliability) * (population_mean - entry_mean)


@dataclass(frozen=True)
class _Size:
    rival_type: str
    measure: str
    estimate: float
    conf_low: float
    conf_high: float
    source: str
    reading: str = ""


def _read(size: _Size, gain: float, unit: str) -> RivalTest:
    reading = size.reading or read_size(size.estimate, size.conf_low, size.conf_high, gain)
    return RivalTest(
        size.rival_type, size.measure, size.estimate, size.conf_low, size.conf_high, gain, unit, reading,
        size.source,
    )  # fmt: skip


def _regional(
    site: Site, indicator: Indicator, change: ObservedChange, results: Mapping[str, Result], sign: int
) -> _Size | None:
    if change.method not in results:
        return None
    rows = whole_population(results[change.method].tidy, indicator.id, f"{site.site_id}-comparison")
    rows = rows[(rows["term"] == change.term) & rows["site_id"].ne("") & rows["conf_low"].notna()]
    if rows.empty:
        return None
    row = rows.iloc[-1]
    low, high = sorted((sign * float(row["conf_low"]), sign * float(row["conf_high"])))
    words = "the same change at the comparison, which has no initiative"
    return _Size("regional_trend", words, sign * float(row["estimate"]), low, high, change.method)


def _composition(
    site: Site, indicator: Indicator, results: Mapping[str, Result], sign: int, conf_level: float
) -> _Size | None:
    if "equity_gaps" not in results or indicator.kind != "rate":
        return None
    frame = results["equity_gaps"].augment
    if not {"indicator", "dimension", "subgroup", "period", "rate", "denominator", "status"} <= set(frame):
        return None
    best: _Size | None = None
    z = float(stats.norm.ppf(0.5 + conf_level / 2))
    for dimension, rows in frame[frame["indicator"] == indicator.id].groupby("dimension", sort=True):
        pair = _two_periods(rows, site.baseline(indicator.id), site.start)
        if pair is None:
            continue
        (before, after), periods = pair, f"{pair[0].name} and {pair[1].name}"
        w0, w1 = (part["denominator"] / part["denominator"].sum() for part in (before, after))
        r0, r1 = (part["rate"] / indicator.per for part in (before, after))
        parts = kitagawa(w0, w1, r0, r1)
        error = kitagawa_error(before["denominator"], after["denominator"], r0, r1)
        size = indicator.per * sign * parts.composition
        if best is None or abs(size) > abs(best.estimate):
            width = indicator.per * z * error
            mix = str(rows["dimension_label"].iloc[0]).lower() if "dimension_label" in rows else dimension
            words = f"the part of the change between {periods} that a new mix by {mix} accounts for"
            best = _Size("composition", words, size, size - width, size + width, "equity_gaps")
    return best


def _two_periods(
    rows: pd.DataFrame, baseline: str | None, start: str | None
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the last period before the start and the last of all, with every group shown in both."""
    groups = set(rows["subgroup"])
    shown = rows[(rows["status"] == "reported") & rows["denominator"].gt(0) & rows["rate"].notna()]
    whole = [period for period, part in shown.groupby("period", sort=True) if set(part["subgroup"]) == groups]
    before = [period for period in whole if period < (start or "")]
    after = [period for period in whole if period >= (start or "")]
    if not before or not after or len(groups) < 2:
        return None
    chosen = (baseline if baseline in before else before[-1], after[-1])
    frames = []
    for period in chosen:
        part = shown[shown["period"] == period].set_index("subgroup").sort_index()[["denominator", "rate"]]
        part.name = period
        frames.append(part)
    return frames[0], frames[1]


def _definition(site: Site, indicator: Indicator, results: Mapping[str, Result]) -> _Size | None:
    if "data_quality" not in results or "findings" not in results["data_quality"].frames:
        return None
    findings = results["data_quality"].frames["findings"]
    own = findings[(findings["indicator"] == indicator.id) & findings["kind"].isin(SUSPICIOUS)]
    late = [
        str(row.finding)
        for row in own.itertuples()
        if row.kind != "denominator_jump"
        or any(period >= (site.start or "") for period in str(row.period).split())
    ]
    if late:
        words = f"the check of the data found this: {'; '.join(late)}"
    else:
        words = "the check of the data found no new definition, changed id or jump in the number counted"
    nan = math.nan
    return _Size(
        "definition_or_roster", words, nan, nan, nan, "data_quality", FOUND if late else NOTHING_FOUND
    )


def _last_year_before(
    site: Site, indicator: Indicator, results: Mapping[str, Result], sign: int, conf_level: float
) -> _Size | None:
    series = results.get("interrupted_time_series")
    if series is None or not {"indicator", "site_id", "period", "observed", "fitted", "is_post"} <= set(
        series.augment
    ):
        return None
    rows = series.augment
    rows = rows[(rows["indicator"] == indicator.id) & (rows["site_id"] == site.site_id)]
    rows = rows[~rows["is_post"].astype(bool)].dropna(subset=["observed", "fitted"]).sort_values("period")
    if len(rows) < 4:
        return None
    scatter = (rows["observed"] - rows["fitted"]).to_numpy(dtype=np.float64)
    short_by = -sign * float(scatter[-1])
    degrees = len(scatter) - 3
    width = float(stats.t.ppf(0.5 + conf_level / 2, degrees) * np.std(scatter[:-1], ddof=2))
    words = f"how far the last period before the start ({rows['period'].iloc[-1]}) lay below its own trend"
    if sign < 0:
        words = words.replace("below", "above")
    return _Size(
        "regression_to_mean", words, short_by, short_by - width, short_by + width, "interrupted_time_series"
    )


def _chance(change: ObservedChange, gain: float) -> _Size:
    half = (change.conf_high - change.conf_low) / 2
    reading = TOO_SMALL if not change.covers_zero else CANNOT_TELL
    words = "half the width of the interval, the least change that could be told from chance"
    return _Size("chance", words, half, math.nan, math.nan, change.method, reading)


def _entry_scores(model: ContributionModel, indicator: Indicator) -> Iterator[RivalTest]:
    label = {node.id: node.label for node in model.nodes}
    for item in model.entry_scores:
        if item.indicator != indicator.id:
            continue
        gain = item.later_mean - item.entry_mean
        expected = expected_regression(item.entry_mean, item.population_mean, item.reliability)
        reading = TOO_SMALL if expected < LARGE_PART * gain else COULD_EXPLAIN
        yield RivalTest(
            rival_type="regression_to_mean",
            measure=f"what those served by {label.get(item.solution, item.solution)} would have regained by "
            "themselves, having entered low",
            estimate=expected,
            conf_low=math.nan,
            conf_high=math.nan,
            change=gain,
            unit="score points",
            reading=reading,
            source=item.source,
        )
