"""The frames beside the estimates: what was asked, a row per fit, a row per period."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP, Indicator
from evalkit.indicators import ALL_UNITS, IndicatorSeries
from evalkit.its.case import Plan
from evalkit.its.engine import NEAR_ONE, NEAR_ONE_SHARE, ArrayFit
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE, Window
from evalkit.periods import from_period

Row = dict[str, Any]


def series_identity(series: IndicatorSeries) -> Row:
    """Name the series in the columns of a tidy frame."""
    return {
        "indicator": series.indicator.id,
        "site_id": series.site_id,
        "unit_id": series.unit_id,
        "population": series.population,
        "dimension": series.dimension,
        "subgroup": series.subgroup,
    }


def design_record(
    method: str, conf_level: float, starts: Mapping[str, str], plan: Plan | None = None
) -> dict[str, Any]:
    """Say as plain values what was asked for."""
    record = {
        "model": "level, trend, changes of level and of slope from the first post period on; AR(1) errors",
        "clock": "0 in the first post period",
        "season": "in monthly and quarterly series an effect for each month or quarter, summing to zero",
        "inference": method,
        "prior": {"integrated": "1 + rho", "network": "learned from the family of series"}.get(method, ""),
        "conf_level": conf_level,
        "fewest_periods_before": FEWEST_BEFORE,
        "fewest_periods_after": FEWEST_AFTER,
        "censored": "every extreme arrangement of the bounds; worst case and best case, no midpoints; within "
        "bounds, values drawn from their bands",
        "near_one": f"flagged where over {NEAR_ONE_SHARE:.0%} of the weight lies on rho above {NEAR_ONE}",
        "interruption": dict(starts),
    }
    if plan is None:
        return record
    more = {
        "later_interruptions": [from_period(period) for period in plan.later],
        "phase_in": plan.phase_in,
        "phase_in_treated_as": "ramp" if plan.ramp else "left out" if plan.phase_in else "",
        "step_only": plan.step_only,
        "harmonics": plan.harmonics,
        "covariates": [] if plan.covariates is None else [str(name) for name in plan.covariates.columns],
        "weighted_by": "denominator" if plan.weighted else "",
    }
    return record | {name: value for name, value in more.items() if value}


def glance_row(
    series: IndicatorSeries, window: Window, start: int | None, fit: ArrayFit | None, plan: Plan | None = None
) -> Row:
    """Sum up one fit; a refused one has its labels and NaN."""
    split = len(window.periods) if start is None else min(max(start, 0), len(window.periods))
    known_start = start is not None and 0 <= start < len(window.periods)
    return {
        **series_identity(series),
        **_labels(series.indicator),
        "interruption": from_period(window.periods[split]) if known_start else "",
        "inference": fit.method if fit else "",
        "conf_level": fit.conf_level if fit else np.nan,
        "n_before": float(window.observed[:split].sum()),
        "n_after": float(window.observed[split:].sum()),
        "n_hidden": float((window.shown() & ~window.observed).sum()),
        "n_censored": float(window.censored.sum()),
        "seasonal": window.season is not None,
        "phase_in": plan.phase_in if plan else 0,
        "df": float(fit.df[0]) if fit else np.nan,
        "rho": float(fit.rho.mean()) if fit else np.nan,
        "rho_low": float(fit.rho_low.min()) if fit else np.nan,
        "rho_high": float(fit.rho_high.max()) if fit else np.nan,
        "rho_near_one": float(fit.near_one.max()) if fit else np.nan,
        "rho_flagged": bool(fit.flagged.any()) if fit else False,
        "denominator_low": _denominator(series, "min"),
        "denominator_high": _denominator(series, "max"),
        "sources": "; ".join(series.sources),
        "refused": "",
    }


def seriesless_glance_row(indicator: Indicator, site_id: str) -> Row:
    """Sum up an indicator of which a site has no series: the columns of `glance_row`, with no number."""
    return {
        "indicator": indicator.id,
        "site_id": site_id,
        "unit_id": ALL_UNITS,
        "population": "",
        "dimension": TOTAL_DIMENSION,
        "subgroup": TOTAL_SUBGROUP,
        **_labels(indicator),
        "interruption": "",
        "inference": "",
        "conf_level": np.nan,
        **dict.fromkeys(("n_before", "n_after", "n_hidden", "n_censored"), 0.0),
        "seasonal": False,
        "phase_in": 0,
        **dict.fromkeys(("df", "rho", "rho_low", "rho_high", "rho_near_one"), np.nan),
        "rho_flagged": False,
        **dict.fromkeys(("denominator_low", "denominator_high"), np.nan),
        "sources": "",
        "refused": "",
    }


def _labels(indicator: Indicator) -> Row:
    return {
        "label": indicator.label,
        "short_label": indicator.short_label,
        "unit": indicator.unit,
        "difference_unit": indicator.difference_unit,
        "favourable": indicator.favourable,
        "frequency": indicator.frequency,
    }


def augment_frame(
    series: IndicatorSeries, window: Window, start: int | None, fit: ArrayFit | None, plan: Plan | None = None
) -> pd.DataFrame:
    """Lay out a row for each period: what was observed, the fitted line, and the earlier trend carried on."""
    shown = np.flatnonzero(window.shown())
    split = len(window.periods) if start is None else start
    rows = []
    for position in shown:
        exact = window.observed[position] and not window.censored[position]
        row = {
            "indicator": series.indicator.id,
            "site_id": series.site_id,
            "unit_id": series.unit_id,
            "period": from_period(window.periods[position]),
            "status": str(series.frame["status"].iloc[position]),
            "observed": window.low[position] if exact else np.nan,
            "low": window.low[position],
            "high": window.high[position],
            "is_post": bool(position >= split),
            "is_phase_in": bool(plan and split <= position < split + plan.phase_in),
        }
        for column, term in (("fitted", "fitted"), ("counterfactual", "counterfactual")):
            row |= _line(fit, f"{term}_{position}", column)
        rows.append(row)
    return pd.DataFrame(rows)


def _line(fit: ArrayFit | None, term: str, column: str) -> Row:
    """Read one point of a line; of a censored series only the outermost ends of its intervals are known."""
    ends = (f"{column}_low", f"{column}_high")
    if fit is None or term not in fit.terms:
        return {column: np.nan, **dict.fromkeys(ends, np.nan)}
    place = fit.terms.index(term)
    low, high = float(fit.conf_low[:, place].min()), float(fit.conf_high[:, place].max())
    return {
        column: float(fit.estimate[0, place]) if len(fit.estimate) == 1 else np.nan,
        ends[0]: low,
        ends[1]: high,
    }


def _denominator(series: IndicatorSeries, how: str) -> float:
    return float(getattr(series.frame["denominator"], how)())
