"""One series made ready to be fitted: its window, its design, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DesignError, ParameterError
from evalkit.indicators import IndicatorSeries
from evalkit.its.bounds import extreme_arrangements
from evalkit.its.design import (
    Contrasts,
    Design,
    Extras,
    effects,
    means,
    relative_effects,
    segmented_design,
)
from evalkit.its.engine import Member
from evalkit.its.timing import SEASONAL_FREQUENCIES, extended_season
from evalkit.its.window import FEWEST_AFTER, Window
from evalkit.periods import from_period

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """How a series is to be read.

    Attributes
    ----------
    interruption : the first post period, at the frequency of the series
    later : the first periods of further interruptions
    phase_in : periods from the interruption on in which the work was being set up
    ramp : whether the level rises in equal steps over them; otherwise they are left out of the fit
    step_only : whether the slope is taken to stay as it was
    harmonics : sine and cosine pairs for the season, instead of an effect for each month or quarter; 0 for
        the latter
    covariates : columns of numbers, the index holding every observed period
    weighted : whether a value counts by its denominator: the error's variance is then in proportion to one
        over it
    horizon : a period to give the effect for besides the last one; it may lie after the data
    """

    interruption: pd.Period
    later: Sequence[pd.Period] = ()
    phase_in: int = 0
    ramp: bool = False
    step_only: bool = False
    harmonics: int = 0
    covariates: pd.DataFrame | None = None
    weighted: bool = False
    horizon: pd.Period | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A series ready for the engine.

    Attributes
    ----------
    start : position of the first post period
    horizon : position of the further period asked for, or None
    design : over the n periods of the window; whole : over those up to the horizon
    fitted : (n,) whether a period's value is in the fit
    asked : contrasts of the coefficients
    readings : (A, n), one row, or one for each extreme arrangement of the bounds of a censored series
    root_weight : (n,) square root of each value's weight
    """

    series: IndicatorSeries
    window: Window
    plan: Plan
    start: int
    horizon: int | None
    design: Design
    whole: Design
    fitted: Booleans
    asked: Contrasts
    readings: Floats
    root_weight: Floats

    @property
    def last(self) -> int:
        """Position of the last period in the fit."""
        return int(np.flatnonzero(self.fitted)[-1])

    def member(self) -> Member:
        """Hand the series to the engine; one known only within bounds does not teach a family."""
        design = Design(self.design.terms, self.design.matrix * self.root_weight[:, None], self.start)
        return Member(self.readings * self.root_weight, design, self.asked, teaches=len(self.readings) == 1)

    def sampling_variance(self) -> Floats | None:
        """Give the binomial variance (n,) of each value in the square of its unit; None where it has none."""
        indicator = self.series.indicator
        denominator = self.series.frame["denominator"].to_numpy(dtype=np.float64)
        if indicator.kind != "rate" or indicator.may_exceed_one or not np.all(denominator[self.fitted] > 0):
            return None
        # one rate for all periods: a cell at 0 or 100 percent would otherwise be known for certain
        rate = float(np.mean(self.readings[0][self.fitted])) / indicator.scale
        size = np.where(self.fitted, denominator, 1.0)
        return np.where(self.fitted, indicator.scale**2 * rate * (1 - rate) / size, 0.0)

    def relative(self) -> dict[str, tuple[Floats, Floats]]:
        """Give for each relative effect the contrasts of the fitted path and of the earlier trend."""
        return relative_effects(self.whole, self.fitted, horizon=self.horizon)


def prepare(series: IndicatorSeries, plan: Plan) -> Case:
    """Check that the design can answer, and lay it out.

    Raises
    ------
    DesignError : with the reason; see `fit_series`.
    """
    window = Window.of(series)
    start = window.position(plan.interruption)
    window.refuse_breaks(series)
    n = len(window.periods)
    later = tuple(window.position(period) for period in plan.later)
    horizon = None if plan.horizon is None else window.position(plan.horizon)
    if horizon is not None and horizon < start:
        label = from_period(plan.horizon)
        raise DesignError(f"{window.name}: the horizon {label} lies before the interruption")
    if plan.phase_in < 0:
        raise ParameterError(f"phase_in is {plan.phase_in}; it counts periods, so it is 0 or more")
    count = n if horizon is None else max(n, horizon + 1)
    left_out = Extras(phase_in=plan.phase_in, ramp=plan.ramp).left_out(n, start)
    fitted = window.observed & ~left_out
    window.refuse_interruption(start, plan.interruption, fitted, by_place=plan.harmonics == 0)
    _refuse_later(window, fitted, (start + plan.phase_in, *later))
    extras = Extras(
        later=later,
        phase_in=plan.phase_in,
        ramp=plan.ramp,
        step_only=plan.step_only,
        season=extended_season(window.periods, window.season, count) if plan.harmonics == 0 else None,
        cycle=SEASONAL_FREQUENCIES.get(window.frequency, 0),
        harmonics=plan.harmonics,
        covariates=_covariates(window, plan, count),
    )
    whole = segmented_design(count, start=start, extras=extras)
    design = Design(whole.terms, whole.matrix[:n], start)
    window.refuse_too_few(fitted, design)
    asked = asked_of(design, whole, window, fitted, horizon=horizon)
    low, high = np.where(fitted, window.low, np.nan), np.where(fitted, window.high, np.nan)
    weight = _root_weight(series, window, fitted) if plan.weighted else np.ones(n)
    if (window.censored & fitted).any():
        terms = [row for term, row in zip(asked.terms, asked.weights, strict=True) if is_estimate(term)]
        values = extreme_arrangements(low, high, design.matrix, np.stack(terms))
    else:
        values = low[None]
    return Case(series, window, plan, start, horizon, design, whole, fitted, asked, values, weight)


def is_estimate(term: str) -> bool:
    """Tell an estimate from a point of a line."""
    return not term.startswith(("fitted_", "counterfactual_"))


def asked_of(
    design: Design, whole: Design, window: Window, fitted: Booleans, *, horizon: int | None = None
) -> Contrasts:
    """Ask for the terms, for the fitted line, and for the counterfactual after the start."""
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    changes = [term for term in design.terms if term.startswith(("level_change", "slope_change"))]
    slopes = [unit[term] for term in changes if term.startswith("slope_change")]
    rows = {
        "pre_trend": unit["trend"],
        **{term: unit[term] for term in changes},
        "post_trend": unit["trend"] + np.sum(slopes, axis=0) if slopes else unit["trend"],
        **effects(whole, _extended(fitted, len(whole.matrix)), horizon=horizon),
    }
    for term in design.terms:
        if term.startswith("covariate_"):
            rows[term] = unit[term]
    for position in np.flatnonzero(window.shown()):
        rows[f"fitted_{position}"] = design.matrix[position]
        if position >= design.start:
            rows[f"counterfactual_{position}"] = design.without_interruption[position]
    return means(tuple(rows), np.stack(list(rows.values())))


def _extended(fitted: Booleans, count: int) -> Booleans:
    return np.concatenate([fitted, np.zeros(count - fitted.size, dtype=np.bool_)])


def _refuse_later(window: Window, fitted: Booleans, starts: Sequence[int]) -> None:
    """Raise where too few values lie between two interruptions to tell them apart."""
    for first, then in zip(starts, (*starts[1:], fitted.size), strict=True):
        if not 0 < first < fitted.size:
            raise DesignError(
                f"{window.name}: an interruption lies outside the window, "
                f"{window.label(0)} to {window.label(fitted.size - 1)}"
            )
        between = int(fitted[first:then].sum())
        if between < FEWEST_AFTER:
            raise DesignError(
                f"{window.name}: {between} periods from {window.label(first)} to the next interruption or "
                f"the end; each interruption needs at least {FEWEST_AFTER}"
            )


def _covariates(window: Window, plan: Plan, count: int) -> Mapping[str, Floats] | None:
    """Put covariates on the periods of the window, each less its mean over the observed ones."""
    if plan.covariates is None:
        return None
    if count > len(window.periods):
        raise DesignError(f"{window.name}: a horizon after the data needs covariates that nobody knows yet")
    given = plan.covariates.reindex(window.periods)
    found = {}
    for name in given.columns:
        values = given[name].to_numpy(dtype=np.float64)
        absent = window.observed & ~np.isfinite(values)
        if absent.any():
            first = window.label(int(np.flatnonzero(absent)[0]))
            raise DesignError(f"{window.name}: the covariate {name} has no value in {first}")
        found[str(name)] = np.nan_to_num(values - values[window.observed].mean())
    return found


def _root_weight(series: IndicatorSeries, window: Window, fitted: Booleans) -> Floats:
    denominator = series.frame["denominator"].to_numpy(dtype=np.float64)
    known = denominator[fitted]
    if not np.all(np.isfinite(known) & (known > 0)):
        raise DesignError(f"{window.name}: a value without a denominator above zero cannot be weighted by it")
    return np.where(fitted, np.sqrt(np.where(fitted, denominator, 1.0) / known.mean()), 1.0)
