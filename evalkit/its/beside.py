"""A series against a comparison series: the difference between the two, or both in one model."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DesignError, ParameterError
from evalkit.indicators import IndicatorSeries
from evalkit.its.case import Case, Plan, prepare
from evalkit.its.design import Design, coefficients, effects, means, segmented_design, two_group_design
from evalkit.its.engine import ArrayFit, fit_design
from evalkit.its.frames import series_identity
from evalkit.its.story import PERIOD_WORDS, named, with_interval
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE, Window
from evalkit.periods import from_period
from evalkit.results import Result, tidy_frame

Floats = NDArray[np.float64]
Row = dict[str, Any]

METHOD = "its_comparison"
MODELS = ("difference", "two_group")
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
SAME = ("population", "frequency")  # what two series must share to be compared


def fit_beside(
    series: IndicatorSeries,
    comparison: IndicatorSeries,
    *,
    interruption: pd.Period,
    model: str = "difference",
    method: str = "integrated",
    conf_level: float = 0.95,
) -> Result:
    """Ask how much more a series changed at its interruption than a comparison series did.

    Model "difference" fits the series less the comparison, period by period: shocks that both share cancel,
    and only periods with both values count. Model "two_group" fits both at once with the same
    autocorrelation and error variance and unrelated errors: it uses every value, and is too sure where the
    two share shocks that it cannot see, or too unsure where those shocks would cancel. The signs are fixed:
    series less comparison. `pre_trend_difference` tells whether the two ran in parallel before.

    Parameters
    ----------
    series, comparison : the same indicator of the same kind of people
    interruption : the first post period of the series
    model : "difference" or "two_group"
    method, conf_level : as in `fit_arrays`

    Returns
    -------
    Result "its_comparison" with terms `pre_trend_difference`, `level_change_difference`,
    `slope_change_difference`, `effect_last_difference`, `effect_average_difference`; model "two_group" adds
    `level_change_comparison` and `slope_change_comparison`.

    Raises
    ------
    DesignError : other indicators or populations, values known only within bounds, fewer than 4 common
        periods before or 2 after, or a design that cannot answer for either series.

    References
    ----------
    Linden (2015), The Stata Journal 15:480-500, on the two-group model.
    """
    if model not in MODELS:
        raise ParameterError(f"no model {model!r}; use {' or '.join(MODELS)}")
    _refuse_unlike(series, comparison)
    own, other = (prepare(one, Plan(interruption=interruption)) for one in (series, comparison))
    window, low, beside = _aligned(own, other)
    start = window.position(interruption)
    fitted = window.observed
    window.refuse_interruption(start, interruption, fitted)
    design = segmented_design(len(window.periods), start=start, season=window.season)
    window.refuse_too_few(fitted, design)
    if model == "difference":
        fit = _difference(low - beside, design, fitted, method, conf_level)
    else:
        fit = _two_group(low, beside, design, method, conf_level)
    window.refuse_no_error(bool(fit.exact.any()))
    identity = {"method": METHOD, **series_identity(series)}
    last = int(np.flatnonzero(fitted)[-1])
    rows: list[Row] = [
        {
            "term": term,
            "period": _period(window, term, start, last),
            "unit": f"{series.indicator.difference_unit}{' per period' if _is_slope(term) else ''}",
            "n": float(fit.n[0]),
            "note": f"{series.site_id} less {comparison.site_id}" if term.endswith("difference") else "",
            **{name: float(getattr(fit, name)[0, place]) for name in NUMBERS},
        }
        for place, term in enumerate(fit.terms)
    ]
    design_made = {
        "model": model,
        "comparison": comparison.site_id,
        "inference": method,
        "conf_level": conf_level,
        "interruption": {series.indicator.id: from_period(window.periods[start])},
        "fewest_periods_before": FEWEST_BEFORE,
        "fewest_periods_after": FEWEST_AFTER,
    }
    return Result(
        method=METHOD,
        title=f"{series.indicator.label}: {series.site_id} beside {comparison.site_id}",
        design=design_made,
        tidy=tidy_frame([identity | row for row in rows]),
        glance=pd.DataFrame([{**series_identity(series), "rho": float(fit.rho[0]), "df": float(fit.df[0])}]),
        augment=pd.DataFrame(
            {
                "indicator": series.indicator.id,
                "period": [from_period(period) for period in window.periods],
                "observed": low,
                "comparison": beside,
                "difference": low - beside,
                "is_post": np.arange(len(low)) >= start,
            }
        ),
        narrative=(_told(series, comparison, window, {str(row["term"]): row for row in rows}, conf_level),),
    )


def _refuse_unlike(series: IndicatorSeries, comparison: IndicatorSeries) -> None:
    name = f"{series.site_id}, {series.indicator.id}"
    if series.indicator.id != comparison.indicator.id:
        raise DesignError(f"{name}: the comparison is {comparison.indicator.id}; compare the same indicator")
    for what in SAME:
        mine, theirs = getattr(series, what), getattr(comparison, what)
        if mine != theirs:
            raise DesignError(f"{name}: {what} is {mine}, of the comparison {theirs}; compare like with like")
    for one in (series, comparison):
        if one.is_censored:
            raise DesignError(f"{one.site_id}, {one.indicator.id}: known only within bounds; no difference")


def _aligned(own: Case, other: Case) -> tuple[Window, Floats, Floats]:
    """Cut both series to the periods they share."""
    both = own.window.periods.intersection(other.window.periods)
    cut = []
    for case in (own, other):
        place = case.window.periods.get_indexer(both)
        cut.append(case.window.low[place])
    low, beside = cut
    place = own.window.periods.get_indexer(both)
    observed = np.isfinite(low) & np.isfinite(beside)
    season = None if own.window.season is None else [own.window.season[int(index)] for index in place]
    window = Window(
        name=own.window.name,
        frequency=own.window.frequency,
        periods=both,
        low=np.where(observed, low - beside, np.nan),
        high=np.where(observed, low - beside, np.nan),
        observed=observed,
        censored=np.zeros(len(both), dtype=np.bool_),
        season=season,
    )
    return window, low, beside


def _difference(
    y: Floats, design: Design, fitted: NDArray[np.bool_], method: str, conf_level: float
) -> ArrayFit:
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    found = effects(design, fitted)
    rows = {
        "pre_trend_difference": unit["trend"],
        "level_change_difference": unit["level_change"],
        "slope_change_difference": unit["slope_change"],
        "effect_last_difference": found["effect_last"],
        "effect_average_difference": found["effect_average"],
    }
    asked = means(tuple(rows), np.stack(list(rows.values())))
    return fit_design(y[None], design, method=method, conf_level=conf_level, contrasts=asked)


def _two_group(low: Floats, beside: Floats, design: Design, method: str, conf_level: float) -> ArrayFit:
    both = two_group_design(design)
    unit = dict(zip(both.terms, coefficients(both).weights, strict=True))
    found = effects(design, np.isfinite(low))
    level, slope = unit["level_change_difference"], unit["slope_change_difference"]
    columns = [design.terms.index("level_change"), design.terms.index("slope_change")]
    rows = {
        "pre_trend_difference": unit["trend_difference"],
        "level_change_difference": level,
        "slope_change_difference": slope,
        "effect_last_difference": found["effect_last"][columns] @ np.stack([level, slope]),
        "effect_average_difference": found["effect_average"][columns] @ np.stack([level, slope]),
        "level_change_comparison": unit["level_change"],
        "slope_change_comparison": unit["slope_change"],
    }
    asked = means(tuple(rows), np.stack(list(rows.values())))
    y = np.concatenate([low, beside])[None]
    return fit_design(y, both, method=method, conf_level=conf_level, contrasts=asked)


def _is_slope(term: str) -> bool:
    return term.startswith(("pre_trend", "slope_change"))


def _period(window: Window, term: str, start: int, last: int) -> str:
    if term.startswith("level_change"):
        return from_period(window.periods[start])
    return from_period(window.periods[last]) if term.startswith("effect_last") else ""


def _told(
    series: IndicatorSeries,
    comparison: IndicatorSeries,
    window: Window,
    rows: dict[str, Row],
    conf_level: float,
) -> str:
    each = PERIOD_WORDS[window.frequency]
    told = {term: with_interval(row, conf_level) for term, row in rows.items()}
    before = rows["pre_trend_difference"]
    parallel = (
        "the data do not tell their earlier trends apart"
        if before["conf_low"] <= 0 <= before["conf_high"]
        else "the two did not run in parallel before, so the comparison is a weak yardstick"
    )
    return (
        f"{named(series.indicator)}, {series.site_id} beside {comparison.site_id}. Before the start the gap "
        f"between the two changed by {told['pre_trend_difference']} {each}: {parallel}. At the start the "
        f"level changed by {told['level_change_difference']} more than in the comparison, and the slope by "
        f"{told['slope_change_difference']} {each} more; on average since then the difference from the "
        f"earlier trend exceeds that of the comparison by {told['effect_average_difference']}."
    )
