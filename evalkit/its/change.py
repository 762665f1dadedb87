"""Change from the baseline period, with the interval of two proportions; bounds at both of their ends."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from evalkit.dictionary import Indicator
from evalkit.indicators import IndicatorSeries
from evalkit.intervals import one_proportion_interval, two_proportion_interval
from evalkit.its.design import trend_design
from evalkit.its.window import Window
from evalkit.periods import from_period

Row = dict[str, Any]

COUNT_SLACK = 1e-6  # persons: bounds are stored as proportions, and rounding must not lose a count
DAYS = re.compile(r"\bdays\b")  # in the words of a denominator
FEWEST_FOR_DISPERSION = 5  # degrees of freedom, below which a variance can hardly be told
CASES = ("worst_case", "best_case")


def feasible_counts(cell: pd.Series) -> tuple[float, float]:
    """Return the fewest and the most persons that a cell's bounds allow; equal where it is exact.

    A bound that no whole number meets gives the count nearest to it.
    """
    if cell["status"] == "reported":
        return float(cell["numerator"]), float(cell["numerator"])
    low = math.ceil(cell["rate_low"] * cell["denominator"] - COUNT_SLACK)
    high = math.floor(cell["rate_high"] * cell["denominator"] + COUNT_SLACK)
    if low > high:
        nearest = float(round((cell["rate_low"] + cell["rate_high"]) / 2 * cell["denominator"]))
        return nearest, nearest
    return float(low), float(high)


def baseline_position(window: Window, declared: int | None, start: int | None) -> int | None:
    """Choose the declared period, else the last observed one before the start, else the first."""
    if declared is not None:
        return declared if 0 <= declared < len(window.periods) and window.observed[declared] else None
    seen = np.flatnonzero(window.observed)
    before = seen[seen < start] if start is not None else seen[:0]
    if before.size:
        return int(before[-1])
    return int(seen[0]) if seen.size and start is None else None


def change_rows(series: IndicatorSeries, window: Window, baseline: int, conf_level: float) -> list[Row]:
    """Subtract the baseline from every later observed period (in seasonal series: of the same season).

    Exact cells give `change_from_baseline`. Where either cell is known only within bounds there are two rows:
    `change_worst_case` puts the later cell at its least and the baseline at its most favourable possible
    count, `change_best_case` the other way round; each has its own Newcombe interval.

    Where days are counted and not persons, days of one child go together, and so do the children of one day.
    Both denominators are then divided by how much more the series strays from its own trend and season than
    days apart from one another would; the note says by how much.
    """
    rows: list[Row] = []
    clustered = _dispersion(series, window) if counts_days(series.indicator) else 1.0
    for position in range(baseline + 1, len(window.periods)):
        same_season = window.season is None or window.season[position] == window.season[baseline]
        if not (window.observed[position] and same_season):
            continue
        later, first = series.frame.iloc[position], series.frame.iloc[baseline]
        common = {
            "period": from_period(window.periods[position]),
            "unit": series.indicator.difference_unit,
            "n": float(later["denominator"]),
        }
        if not (window.censored[position] or window.censored[baseline]):
            numbers = _exact_change(series.indicator, later, first, conf_level, clustered)
            rows.append({"term": "change_from_baseline", **common, **numbers})
            continue
        later_ends = feasible_counts(later)
        first_ends = feasible_counts(first)
        lowest, highest = (later_ends[0], first_ends[1]), (later_ends[1], first_ends[0])
        ordered = (lowest, highest) if series.indicator.favourable == "higher" else (highest, lowest)
        rows += [
            {
                "term": f"change_{case}",
                **common,
                **_count_change(
                    series.indicator,
                    k_later,
                    later["denominator"],
                    k_first,
                    first["denominator"],
                    conf_level,
                    clustered,
                ),
                "note": f"{k_later:.0f} of {later['denominator']:.0f} against "
                f"{k_first:.0f} of {first['denominator']:.0f}",
            }
            for case, (k_later, k_first) in zip(CASES, ordered, strict=True)
        ]
    return rows


def target_rows(
    series: IndicatorSeries, window: Window, target: float, label: str, conf_level: float
) -> list[Row]:
    """Subtract the target (in the indicator's unit) from the last observed value."""
    cell = series.frame.iloc[window.last]
    common = {
        "period": from_period(window.periods[window.last]),
        "unit": series.indicator.difference_unit,
        "n": float(cell["denominator"]),
        "note": f"last value less the target of {target:g} {series.indicator.unit} by {label}",
    }
    is_count = series.indicator.kind == "rate" and not series.indicator.may_exceed_one
    if not is_count:
        value = window.low[window.last]
        spread = series.indicator.scale * cell["std_error"] * _normal_quantile(conf_level)
        numbers = {
            "estimate": value - target,
            "conf_low": value - spread - target,
            "conf_high": value + spread - target,
        }
        return [{"term": "distance_to_target", **common, **numbers}]
    ends = feasible_counts(cell)
    counts = dict.fromkeys(ends) if ends[0] != ends[1] else dict.fromkeys(ends[:1])
    found = []
    for count in counts:
        low, high = one_proportion_interval(count, cell["denominator"], conf_level=conf_level)
        scale = series.indicator.scale
        found.append(
            {
                "estimate": scale * count / cell["denominator"] - target,
                "conf_low": scale * float(low) - target,
                "conf_high": scale * float(high) - target,
            }
        )
    if len(found) == 1:
        return [{"term": "distance_to_target", **common, **found[0]}]
    ordered = found if series.indicator.favourable == "higher" else found[::-1]
    return [
        {"term": f"distance_to_target_{case}", **common, **numbers}
        for case, numbers in zip(CASES, ordered, strict=True)
    ]


def counts_days(indicator: Indicator) -> bool:
    """Tell whether the denominator counts days instead of persons."""
    return indicator.kind == "rate" and bool(DAYS.search(indicator.denominator))


def _dispersion(series: IndicatorSeries, window: Window) -> float:
    """Give the variance around one trend and season over the binomial one, at least 1; NaN if unknowable."""
    exact = window.observed & ~window.censored
    design = trend_design(len(window.periods), season=window.season).matrix[exact]
    df = len(design) - design.shape[1]
    if df < FEWEST_FOR_DISPERSION:
        return math.nan
    rate = series.frame["rate"].to_numpy(dtype=np.float64)[exact]
    size = series.frame["denominator"].to_numpy(dtype=np.float64)[exact]
    expected = np.clip(design @ np.linalg.lstsq(design, rate, rcond=None)[0], 0.001, 0.999)
    pearson = float(np.sum(size * (rate - expected) ** 2 / (expected * (1 - expected))))
    return max(1.0, float(pearson / df))


def _exact_change(
    indicator: Indicator, later: pd.Series, first: pd.Series, conf_level: float, clustered: float
) -> Row:
    if indicator.kind == "mean":
        std_error = math.hypot(later["std_error"], first["std_error"])
        estimate = float(later["rate"] - first["rate"])
        reach = std_error * _normal_quantile(conf_level)
        note = "" if math.isfinite(std_error) else "no standard error in the data, so no interval"
        return {
            "estimate": estimate,
            "std_error": std_error,
            "conf_low": estimate - reach,
            "conf_high": estimate + reach,
            "note": note,
        }
    return _count_change(
        indicator,
        later["numerator"],
        later["denominator"],
        first["numerator"],
        first["denominator"],
        conf_level,
        clustered,
    )


def _count_change(
    indicator: Indicator,
    k_later: float,
    n_later: float,
    k_first: float,
    n_first: float,
    conf_level: float,
    clustered: float,
) -> Row:
    scale = indicator.scale
    estimate = scale * (k_later / n_later - k_first / n_first)
    if indicator.may_exceed_one:
        return {"estimate": estimate, "note": "counts events, not persons: no interval of two proportions"}
    if math.isnan(clustered):
        return {"estimate": estimate, "note": "counts days, and too few periods tell how they go together"}
    low, high = two_proportion_interval(
        k_later / clustered,
        n_later / clustered,
        k_first / clustered,
        n_first / clustered,
        contrast="difference",
        method="newcombe",
        conf_level=conf_level,
    )
    note = (
        f"days go together: the interval rests on one in {clustered:.0f} of them" if clustered > 1.5 else ""
    )
    return {
        "estimate": estimate,
        "conf_low": scale * float(low),
        "conf_high": scale * float(high),
        "note": note,
    }


def _normal_quantile(conf_level: float) -> float:
    return float(special.ndtri((1 + conf_level) / 2))
