"""Interrupted time series of one indicator: how its level and trend changed when the work began."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.dictionary import Indicator
from evalkit.indicators import IndicatorSeries
from evalkit.its.bounds import extreme_arrangements
from evalkit.its.design import Contrasts, Design, effects, means, segmented_design
from evalkit.its.engine import NEAR_ONE, NEAR_ONE_SHARE, ArrayFit, fit_design, ratio_interval
from evalkit.its.story import its_paragraph
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE, Window
from evalkit.periods import from_period
from evalkit.results import Result, tidy_frame

Floats = NDArray[np.float64]
Row = dict[str, Any]

METHOD = "interrupted_time_series"
SLOPES = ("pre_trend", "slope_change", "post_trend")
EFFECTS = ("level_change", "effect_last", "effect_average")
RELATIVE = "relative_effect_last"
TERMS = ("pre_trend", "level_change", "slope_change", "post_trend", "effect_last", "effect_average", RELATIVE)
BOUNDED = "known only within bounds: see worst case and best case"


def fit_series(
    series: IndicatorSeries, *, interruption: pd.Period, method: str = "integrated", conf_level: float = 0.95
) -> Result:
    """Ask how the level and the trend of one indicator changed when the work began.

    The clock is 0 in the first post period, so `level_change` is the jump in that very period; trends and
    `slope_change` are per period. `effect_last` is fitted less counterfactual at the last observed period,
    `effect_average` the mean of that over the observed post periods, `relative_effect_last` fitted over
    counterfactual (1 is no difference). The counterfactual is the earlier trend carried on, with the
    interval of that line; it is not clipped to possible rates, and a note says where it leaves them.

    A monthly or quarterly series also gets an effect for each month or quarter (they sum to zero). A
    censored series is fitted at every arrangement of its bounds that is extreme for a term (`bounds`): each
    term then comes as `<term>_worst_case` and `<term>_best_case`, the least and the most favourable
    estimate, each with its own interval, and never at the midpoints.

    Parameters
    ----------
    series : from `IndicatorTable.series`; hidden and missing periods are gaps of their true length
    interruption : the first post period, at the frequency of the series
    method : as in `fit_arrays`
    conf_level : coverage of the intervals, in (0, 1)

    Raises
    ------
    DesignError : fewer than 4 periods before or 2 after, all hidden, the interruption outside the window, a
        definition break inside it, a season that cannot be told apart, or no error left to measure.

    References
    ----------
    Huitema and McKean (2000), Educational and Psychological Measurement 60:38-58.
    """
    window = Window.of(series)
    start = window.position(interruption)
    window.refuse_breaks(series)
    window.refuse_interruption(start, interruption)
    design = segmented_design(len(window.periods), start=start, season=window.season)
    asked = _asked(design, window)
    values = _arrangements(window, design, asked)
    fit = fit_design(values, design, method=method, conf_level=conf_level, contrasts=asked)
    window.refuse_no_error(bool(fit.exact.any()))
    rows = _term_rows(series.indicator, window, design, values, fit)
    identity = {"method": METHOD, **series_identity(series)}
    return Result(
        method=METHOD,
        title=f"{series.indicator.label}: before and after {window.label(start)}",
        design=design_record(method, conf_level, {series.indicator.id: from_period(interruption)}),
        tidy=tidy_frame([identity | row for row in rows]),
        glance=pd.DataFrame([glance_row(series, window, start, fit)]),
        augment=augment_frame(series, window, start, fit),
        narrative=(its_paragraph(series.indicator, window, start, {row["term"]: row for row in rows}, fit),),
    )


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


def term_unit(indicator: Indicator, term: str) -> str:
    """Give the unit of a term, or of its worst or best case."""
    stem = term.removesuffix("_worst_case").removesuffix("_best_case")
    if stem in SLOPES:
        return f"{indicator.difference_unit} per period"
    return "ratio" if stem == RELATIVE else indicator.difference_unit


def design_record(method: str, conf_level: float, starts: Mapping[str, str]) -> dict[str, Any]:
    """Say as plain values what was asked for."""
    return {
        "model": "level, trend, changes of level and of slope from the first post period on; AR(1) errors",
        "clock": "0 in the first post period",
        "season": "in monthly and quarterly series an effect for each month or quarter, summing to zero",
        "inference": method,
        "prior": "1 + rho" if method == "integrated" else "",
        "conf_level": conf_level,
        "fewest_periods_before": FEWEST_BEFORE,
        "fewest_periods_after": FEWEST_AFTER,
        "censored": "every extreme arrangement of the bounds; worst case and best case, no midpoints",
        "near_one": f"flagged where over {NEAR_ONE_SHARE:.0%} of the weight lies on rho above {NEAR_ONE}",
        "interruption": dict(starts),
    }


def glance_row(series: IndicatorSeries, window: Window, start: int | None, fit: ArrayFit | None) -> Row:
    """Sum up one fit; a refused one has its labels and NaN."""
    indicator = series.indicator
    split = len(window.periods) if start is None else min(max(start, 0), len(window.periods))
    known_start = start is not None and 0 <= start < len(window.periods)
    return {
        **series_identity(series),
        "label": indicator.label,
        "short_label": indicator.short_label,
        "unit": indicator.unit,
        "difference_unit": indicator.difference_unit,
        "favourable": indicator.favourable,
        "frequency": series.frequency,
        "interruption": from_period(window.periods[split]) if known_start else "",
        "inference": fit.method if fit else "",
        "conf_level": fit.conf_level if fit else np.nan,
        "n_before": float(window.observed[:split].sum()),
        "n_after": float(window.observed[split:].sum()),
        "n_hidden": float((window.shown() & ~window.observed).sum()),
        "n_censored": float(window.censored.sum()),
        "seasonal": window.season is not None,
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


def augment_frame(
    series: IndicatorSeries, window: Window, start: int | None, fit: ArrayFit | None
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


def _asked(design: Design, window: Window) -> Contrasts:
    """Ask for the terms, for the fitted line, and for the counterfactual after the start."""
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    rows = {
        "pre_trend": unit["trend"],
        "level_change": unit["level_change"],
        "slope_change": unit["slope_change"],
        "post_trend": unit["trend"] + unit["slope_change"],
        **effects(design, window.observed),
    }
    for position in np.flatnonzero(window.shown()):
        rows[f"fitted_{position}"] = design.matrix[position]
        if position >= design.start:
            rows[f"counterfactual_{position}"] = design.without_interruption[position]
    return means(tuple(rows), np.stack(list(rows.values())))


def _arrangements(window: Window, design: Design, asked: Contrasts) -> Floats:
    if not window.censored.any():
        return window.low[None]
    terms = [row for term, row in zip(asked.terms, asked.weights, strict=True) if term in TERMS]
    return extreme_arrangements(window.low, window.high, design.matrix, np.stack(terms))


def _term_rows(
    indicator: Indicator, window: Window, design: Design, values: Floats, fit: ArrayFit
) -> list[Row]:
    last = window.last
    relative = ratio_interval(
        values,
        design,
        top=design.matrix[last],
        bottom=design.without_interruption[last],
        method=fit.method,
        conf_level=fit.conf_level,
    )
    last_term = fit.terms.index(f"counterfactual_{last}")
    impossible = _leaves_the_possible(indicator, fit.estimate[:, last_term])
    rows: list[Row] = []
    for term in TERMS:
        if term == RELATIVE:
            numbers = {"estimate": relative[0], "conf_low": relative[1], "conf_high": relative[2]}
        else:
            place = fit.terms.index(term)
            numbers = {
                name: getattr(fit, name)[:, place]
                for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
            }
        note = impossible if term in {"effect_last", RELATIVE} else ""
        if term == RELATIVE and np.isnan(relative[0]).all():
            note = "the earlier trend is not clearly above zero, so a ratio to it says nothing"
        position = {"level_change": design.start, "effect_last": last, RELATIVE: last}.get(term)
        common = {
            "period": "" if position is None else from_period(window.periods[position]),
            "unit": term_unit(indicator, term),
            "n": float(window.observed.sum()),
        }
        if len(values) == 1:
            picked = {name: float(found[0]) for name, found in numbers.items()}
            rows.append({"term": term, **common, **picked, "note": note})
        else:
            rows.append({"term": term, **common, "note": BOUNDED})
            rows += _cases(indicator, term, common, numbers, note)
    return rows


def _cases(
    indicator: Indicator, term: str, common: Row, numbers: Mapping[str, Floats], note: str
) -> list[Row]:
    """Pick the least and the most favourable arrangement for a term."""
    estimate = numbers["estimate"]
    if np.isnan(estimate).all():
        ends = {"worst_case": 0, "best_case": 0}
    else:
        least, most = int(np.nanargmin(estimate)), int(np.nanargmax(estimate))
        worst, best = (least, most) if indicator.favourable == "higher" else (most, least)
        ends = {"worst_case": worst, "best_case": best}
    return [
        {
            "term": f"{term}_{case}",
            **common,
            **{name: float(found[place]) for name, found in numbers.items()},
            "note": note,
        }
        for case, place in ends.items()
    ]


def _leaves_the_possible(indicator: Indicator, counterfactual: Floats) -> str:
    """Say so where the earlier trend, carried on, is not a possible rate."""
    if indicator.kind != "rate":
        return ""
    if counterfactual.min() < 0:
        return "the earlier trend carried on falls below zero, which no rate can"
    if counterfactual.max() > indicator.scale and not indicator.may_exceed_one:
        return (
            f"the earlier trend carried on runs past {indicator.scale:g} {indicator.unit}, which no rate can"
        )
    return ""
