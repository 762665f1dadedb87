"""Interrupted time series of one indicator: how its level and trend changed when the work began."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.dictionary import Indicator
from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries
from evalkit.its.case import Case, Plan, is_estimate, prepare
from evalkit.its.censored import fit_within_bounds
from evalkit.its.dense import fit_known_variance
from evalkit.its.design import means
from evalkit.its.engine import ArrayFit, Member, Prior, fit_members, learn
from evalkit.its.frames import augment_frame, design_record, glance_row, series_identity
from evalkit.its.ratio import ratio_interval
from evalkit.its.story import KNOWN_SAMPLING, its_paragraph
from evalkit.periods import from_period
from evalkit.results import Result, tidy_frame

Floats = NDArray[np.float64]
Row = dict[str, Any]

METHOD = "interrupted_time_series"
SLOPES = ("pre_trend", "slope_change", "post_trend")
CUMULATIVE = "effect_cumulative"
RELATIVE = "relative_effect"
TERMS = (
    "pre_trend",
    "level_change",
    "slope_change",
    "post_trend",
    "effect_last",
    "effect_average",
    "relative_effect_last",
    "relative_effect_average",
    CUMULATIVE,
)
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
BOUNDED = "known only within bounds: see worst case and best case"
WITHIN = "_within_bounds"
WEIGHED = "the values inside the bounds weighed by how likely they are"


def fit_series(
    series: IndicatorSeries,
    *,
    interruption: pd.Period,
    method: str = "integrated",
    conf_level: float = 0.95,
    later: Sequence[pd.Period] = (),
    phase_in: int = 0,
    ramp: bool = False,
    step_only: bool = False,
    harmonics: int = 0,
    covariates: pd.DataFrame | None = None,
    weighted: bool = False,
    horizon: pd.Period | None = None,
    known_sampling: bool = False,
) -> Result:
    """Ask how the level and the trend of one indicator changed when the work began.

    The clock is 0 in the first post period, so `level_change` is the jump in that very period; trends and
    `slope_change` are per period. `effect_last` is fitted less counterfactual at the last observed period,
    `effect_average` the mean of that over the observed post periods and `effect_cumulative` its sum,
    `relative_effect_last` fitted over counterfactual (1 is no difference), `relative_effect_average` the same
    of the two means. The counterfactual is the earlier trend carried on, with the interval of that line; it
    is not clipped to possible rates, and a note says where it leaves them.

    A monthly or quarterly series also gets an effect for each month or quarter (they sum to zero). A
    censored series is fitted at every arrangement of its bounds that is extreme for a term (`bounds`): each
    term then comes as `<term>_worst_case` and `<term>_best_case`, the least and the most favourable
    estimate, each with its own interval, and never at the midpoints; `<term>_within_bounds` weighs all values
    inside the bounds by how likely they are (`censored`), where two values more than terms are known.

    Parameters
    ----------
    series : from `IndicatorTable.series`; hidden and missing periods are gaps of their true length
    interruption : the first post period, at the frequency of the series
    method : as in `fit_arrays`
    conf_level : coverage of the intervals, in (0, 1)
    later : first periods of further interruptions, with terms `level_change_2`, `slope_change_2`, …; effects
        are then those of all of them together
    phase_in : periods from the interruption on that are left out of the fit; the clock is 0 in the first
        period of full work
    ramp : keep those periods instead, and let the level rise over them in equal steps
    step_only : the slope is taken to stay as it was
    harmonics : sine and cosine pairs in the year, instead of an effect for each month or quarter
    covariates : columns of numbers by period; their coefficients come as `covariate_<name>`
    weighted : let a value count by its denominator
    horizon : a further period, which may lie after the data: `effect_horizon`, `relative_effect_horizon`
    known_sampling : take the binomial variance of the counts as known, on top of AR(1) errors that are
        integrated over whatever `method` says; no relative effects and no p values then

    Raises
    ------
    DesignError : fewer than 4 periods before or 2 after an interruption, all hidden, all alike, an
        interruption outside the window, a definition break inside it, a season or covariate that cannot be
        told apart, or no error left to measure.

    References
    ----------
    Huitema and McKean (2000), Educational and Psychological Measurement 60:38-58.
    """
    plan = Plan(
        interruption=interruption,
        later=tuple(later),
        phase_in=phase_in,
        ramp=ramp,
        step_only=step_only,
        harmonics=harmonics,
        covariates=covariates,
        weighted=weighted,
        horizon=horizon,
    )
    case = prepare(series, plan)
    if known_sampling:
        return case_result(case, _with_known_sampling(case, conf_level), None)
    prior = learn([case.member()], method)
    (fit,) = fit_members([case.member()], prior, method=method, conf_level=conf_level)
    return case_result(case, fit, prior)


def _with_known_sampling(case: Case, conf_level: float) -> ArrayFit:
    variance = case.sampling_variance()
    if variance is None or len(case.readings) > 1 or case.plan.weighted:
        raise DesignError(
            f"{case.window.name}: a known sampling variance needs exact counts of persons with their "
            "denominators, and no weights beside it"
        )
    fit = fit_known_variance(case.readings[0], variance, case.design, case.asked, conf_level=conf_level)
    unknown = np.full(1, np.nan)
    count = np.array([float(case.fitted.sum())])
    return ArrayFit(
        method=KNOWN_SAMPLING,
        conf_level=conf_level,
        terms=fit.terms,
        estimate=fit.estimate[None],
        std_error=fit.std_error[None],
        conf_low=fit.conf_low[None],
        conf_high=fit.conf_high[None],
        p_value=np.full((1, len(fit.terms)), np.nan),
        rho=unknown,
        rho_low=unknown,
        rho_high=unknown,
        near_one=unknown,
        flagged=np.zeros(1, dtype=np.bool_),
        exact=np.zeros(1, dtype=np.bool_),
        n=count,
        df=count - len(case.design.terms),
    )


def case_result(case: Case, fit: ArrayFit, prior: Prior | None, *, taught_by: int = 0) -> Result:
    """Lay a fit out as a result.

    Parameters
    ----------
    prior : of ρ, which the ratios need once more
    taught_by : series of the family that taught the prior; 0 where the series stands alone
    """
    case.window.refuse_no_error(bool(fit.exact.any()))
    indicator, window = case.series.indicator, case.window
    rows = _term_rows(case, fit, prior)
    identity = {"method": METHOD, **series_identity(case.series)}
    story = its_paragraph(
        indicator, window, case.start, {row["term"]: row for row in rows}, fit, taught_by=taught_by
    )
    return Result(
        method=METHOD,
        title=f"{indicator.label}: before and after {window.label(case.start)}",
        design=design_record(
            fit.method, fit.conf_level, {indicator.id: from_period(window.periods[case.start])}, case.plan
        ),
        tidy=tidy_frame([identity | row for row in rows]),
        glance=pd.DataFrame([glance_row(case.series, window, case.start, fit, case.plan)]),
        augment=augment_frame(case.series, window, case.start, fit, case.plan),
        narrative=(story,),
    )


def term_unit(indicator: Indicator, term: str) -> str:
    """Give the unit of a term, or of one of its cases."""
    stem = term.split("_worst_case")[0].split("_best_case")[0].split("_within_bounds")[0]
    if stem.startswith(SLOPES):
        return f"{indicator.difference_unit} per period"
    if stem == CUMULATIVE:
        return f"{indicator.difference_unit} summed over periods"
    return "ratio" if stem.startswith(RELATIVE) else indicator.difference_unit


def _term_rows(case: Case, fit: ArrayFit, prior: Prior | None) -> list[Row]:
    indicator = case.series.indicator
    member = case.member()
    numbers = term_numbers(member, case.relative(), fit, prior)
    weighed = _within_bounds(case, fit, prior)
    impossible = _leaves_the_possible(
        indicator, fit.estimate[:, fit.terms.index(f"counterfactual_{case.last}")]
    )
    order = [*TERMS, *(term for term in numbers if term not in TERMS)]
    rows: list[Row] = []
    for term in (term for term in order if term in numbers):
        note = impossible if term in {"effect_last", "relative_effect_last"} else ""
        if term.startswith(RELATIVE) and np.isnan(numbers[term]["estimate"]).all():
            note = "the earlier trend is not clearly above zero, so a ratio to it says nothing"
        common = {"period": _period(case, term), "unit": term_unit(indicator, term), "n": float(fit.n[0])}
        if len(member.y) > 1:
            rows.append({"term": term, **common, "note": BOUNDED})
        for name, found in picked({term: numbers[term]}, indicator.favourable).items():
            rows.append({"term": name, **common, **found, "note": note})
        if term in weighed:
            rows.append({"term": f"{term}{WITHIN}", **common, **weighed[term], "note": WEIGHED})
    return rows


def _within_bounds(case: Case, fit: ArrayFit, prior: Prior | None) -> dict[str, dict[str, float]]:
    """Estimate a censored series with every value inside its bounds weighed by how likely it is."""
    if len(case.readings) == 1 or prior is None:
        return {}
    places = [place for place, term in enumerate(case.asked.terms) if is_estimate(term)]
    asked = means([case.asked.terms[place] for place in places], case.asked.weights[places])
    low, high = (np.where(case.fitted, end, np.nan) for end in (case.window.low, case.window.high))
    try:
        found = fit_within_bounds(
            low * case.root_weight, high * case.root_weight, case.member().design, asked,
            prior=prior, conf_level=fit.conf_level,
        )  # fmt: skip
    except DesignError:
        return {}
    return {
        term: {name: float(getattr(found, name)[place]) for name in NUMBERS if name != "p_value"}
        for place, term in enumerate(asked.terms)
    }


def term_numbers(
    member: Member, relative: Mapping[str, tuple[Floats, Floats]], fit: ArrayFit, prior: Prior | None
) -> dict[str, dict[str, Floats]]:
    """Gather estimate and interval (A,) of every term; A arrangements of a censored series, else one.

    Parameters
    ----------
    relative : contrasts of top and bottom for each ratio
    """
    numbers: dict[str, dict[str, Floats]] = {
        term: {name: getattr(fit, name)[:, place] for name in NUMBERS}
        for place, term in enumerate(fit.terms)
        if is_estimate(term)
    }
    for term, (top, bottom) in relative.items() if fit.method != KNOWN_SAMPLING else ():
        ratio = ratio_interval(
            member.y, member.design, top=top, bottom=bottom, method=fit.method, conf_level=fit.conf_level,
            prior=prior,
        )  # fmt: skip
        numbers[term] = dict(zip(("estimate", "conf_low", "conf_high"), ratio, strict=True))
    return numbers


def picked(numbers: Mapping[str, Mapping[str, Floats]], favourable: str) -> dict[str, dict[str, float]]:
    """Take a term's one arrangement, or as `<term>_worst_case` and `_best_case` the ends of several."""
    found: dict[str, dict[str, float]] = {}
    for term, values in numbers.items():
        estimate = values["estimate"]
        if estimate.size == 1:
            found[term] = {name: float(value[0]) for name, value in values.items()}
            continue
        least, most = (0, 0)
        if not np.isnan(estimate).all():
            least, most = int(np.nanargmin(estimate)), int(np.nanargmax(estimate))
        ends = (least, most) if favourable == "higher" else (most, least)
        for case, place in zip(("worst_case", "best_case"), ends, strict=True):
            found[f"{term}_{case}"] = {name: float(value[place]) for name, value in values.items()}
    return found


def _period(case: Case, term: str) -> str:
    """Name the period a term speaks of; "" where it speaks of several."""
    starts = (case.start + case.plan.phase_in, *(case.window.position(period) for period in case.plan.later))
    if term.startswith("level_change"):
        number = int(term.rsplit("_", 1)[1]) if term[-1].isdigit() else 1
        return from_period(case.window.periods[starts[number - 1]])
    if term.endswith("effect_last"):
        return from_period(case.window.periods[case.last])
    if term.endswith("effect_horizon") and case.horizon is not None:
        return from_period(case.window.periods[0] + case.horizon)
    return ""


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
