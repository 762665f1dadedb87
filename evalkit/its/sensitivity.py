"""What moves when the choices behind one interrupted time series are made otherwise."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DataError, DesignError
from evalkit.indicators import IndicatorSeries, IndicatorTable
from evalkit.its.case import Case, Plan, prepare
from evalkit.its.dense import fit_errors, fit_known_variance
from evalkit.its.design import Contrasts, Design, effects, means, segmented_design
from evalkit.its.engine import fit_design
from evalkit.its.fit import term_unit
from evalkit.its.frames import series_identity
from evalkit.its.story import amount, named
from evalkit.its.timing import first_post_period
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE
from evalkit.periods import from_period
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site
from evalkit.wording import listed, number

Floats = NDArray[np.float64]
Row = dict[str, Any]

METHOD = "its_sensitivity"
TERMS = ("level_change", "slope_change", "effect_last", "effect_average")
AS_CHOSEN = "as chosen"
ERROR_MODELS = {
    "ar2": "errors that also go with those two periods back",
    "ar1_noise": "AR(1) errors with sampling noise on top",
}
PLACEBO = "placebo"
OTHER_DATE = "another date"
ENDS = ("estimate", "conf_low", "conf_high")
MOST_NAMED = 3  # choices that a sentence lists


def its_sensitivity(
    series: IndicatorSeries, *, interruption: pd.Period, method: str = "integrated", conf_level: float = 0.95
) -> Result:
    """Fit one series under other error models and dates, without each period, without the first post period.

    A placebo date cuts the periods before the work began where nothing happened; a method that finds a change
    there finds changes too easily, or the earlier trend was not a line.

    Parameters
    ----------
    series, interruption, method, conf_level : as in `fit_series`; a censored series is refused

    Returns
    -------
    Result "its_sensitivity". `tidy` has the terms `TERMS` for each choice, the choice in `note`, "as chosen"
    first. Frame `choices` has a row per choice: `kind` ("as chosen", "error model", "known sampling
    variance", "first post period left out", "one period left out", "another date", "placebo"), `choice`, the
    estimate and interval of `effect_average`, and `agrees`, whether its interval excludes 0 on the same side
    as the chosen one (or includes it, where that does). `narrative` says in a sentence what moves.

    Raises
    ------
    DesignError : as `fit_series`; the series is known only within bounds.
    """
    case = prepare(series, Plan(interruption=interruption))
    if len(case.readings) > 1:
        raise DesignError(
            f"{case.window.name}: known only within bounds; its worst and best case tell what moves"
        )
    identity = {"method": METHOD, **series_identity(series)}
    rows: list[Row] = []
    choices: list[Row] = []
    for kind, choice, numbers in _choices(case, method, conf_level):
        for place, term in enumerate(TERMS):
            rows.append(
                {
                    **identity,
                    "term": term,
                    "unit": term_unit(series.indicator, term),
                    "note": choice,
                    "n": float(case.fitted.sum()),
                    **{name: float(found[place]) for name, found in numbers.items()},
                }
            )
        average = {name: float(found[TERMS.index("effect_average")]) for name, found in numbers.items()}
        choices.append({"kind": kind, "choice": choice, **average})
    frame = pd.DataFrame(choices)
    frame["agrees"] = _side(frame) == _side(frame)[0]
    return Result(
        method=METHOD,
        title=f"{series.indicator.label}: what moves when a choice is made otherwise",
        design={
            "interruption": {series.indicator.id: from_period(interruption)},
            "inference": method,
            "conf_level": conf_level,
            "judged_by": "effect_average",
        },
        tidy=tidy_frame(rows),
        glance=pd.DataFrame(
            [{**series_identity(series), "choices": len(frame), "agree": int(frame["agrees"].sum())}]
        ),
        frames={"choices": frame},
        narrative=(_sentence(case, frame),),
    )


def leading_sensitivity(table: IndicatorTable, site: Site, *, conf_level: float = 0.95) -> Result:
    """Ask of a site's first headline indicator with an interrupted time series what moves its answer.

    Returns
    -------
    As `its_sensitivity`; where no headline indicator can be answered, a row and a sentence for each with the
    reason, and an empty `choices`.
    """
    reasons = {}
    for name in site.headline:
        try:
            if site.start is None:
                raise DesignError(f"{site.site_id}, {name}: the site declares no start")
            series = table.series(name, site_id=site.site_id)
            period = first_post_period(site.start, series.frequency)
            return its_sensitivity(series, interruption=period, conf_level=conf_level)
        except (DataError, DesignError) as error:
            reasons[name] = error.problems[0]
    rows = [
        {"method": METHOD, "site_id": site.site_id, "indicator": name, "term": "effect_average", "note": text}
        for name, text in reasons.items()
    ]
    return Result(
        method=METHOD,
        title="What moves when a choice is made otherwise",
        design={"conf_level": conf_level, "judged_by": "effect_average"},
        tidy=tidy_frame(rows),
        frames={"choices": pd.DataFrame(columns=["kind", "choice", *ENDS, "agrees"])},
        narrative=tuple(f"No choice can be varied: {text}." for text in reasons.values()),
    )


def _choices(case: Case, method: str, conf_level: float) -> Iterator[tuple[str, str, dict[str, Floats]]]:
    """Give each choice: its kind, what it is, and estimates and interval ends (len(TERMS),)."""
    window, design, y = case.window, case.design, case.readings[0]
    asked = _asked(design, case.fitted)
    yield AS_CHOSEN, AS_CHOSEN, _batch(y, design, asked, method, conf_level)
    for model, words in ERROR_MODELS.items():
        fit = fit_errors(y, design, asked, model=model, conf_level=conf_level)
        yield (
            "error model",
            words,
            {name: getattr(fit, name) for name in ("estimate", "conf_low", "conf_high")},
        )
    variance = case.sampling_variance()
    if variance is not None:
        fit = fit_known_variance(y, variance, design, asked, conf_level=conf_level)
        found = {name: getattr(fit, name) for name in ("estimate", "conf_low", "conf_high")}
        yield "known sampling variance", "sampling variance of the counts taken as known", found
    after = np.flatnonzero(case.fitted & (np.arange(y.size) >= case.start))
    if after.size > FEWEST_AFTER:
        words = f"without the first post period, {window.label(int(after[0]))}"
        yield "first post period left out", words, _without(case, asked, [int(after[0])], method, conf_level)
    if case.fitted.sum() > len(design.terms) + 1:
        for position in np.flatnonzero(case.fitted & (np.arange(y.size) != after[0])):
            before, later = _sides(case, int(position))
            if before >= FEWEST_BEFORE and later >= FEWEST_AFTER:
                words = f"without {window.label(int(position))}"
                yield "one period left out", words, _without(case, asked, [int(position)], method, conf_level)
    for shift in (-1, 1):
        start = case.start + shift
        if case.fitted[:start].sum() >= FEWEST_BEFORE and case.fitted[start:].sum() >= FEWEST_AFTER:
            other = segmented_design(y.size, start=start, season=window.season)
            found = _batch(y, other, _asked(other, case.fitted), method, conf_level)
            yield OTHER_DATE, f"the work beginning in {window.label(start)}", found
    yield from _placebos(case, method, conf_level)


def _placebos(case: Case, method: str, conf_level: float) -> Iterator[tuple[str, str, dict[str, Floats]]]:
    y, fitted = case.readings[0][: case.start], case.fitted[: case.start]
    season = None if case.window.season is None else case.window.season[: case.start]
    if season is not None:
        return  # the season of the periods before can hardly be told apart from a placebo date
    for start in range(1, case.start):
        if fitted[:start].sum() < FEWEST_BEFORE or fitted[start:].sum() < FEWEST_AFTER:
            continue
        if fitted.sum() <= len(case.design.terms):
            return
        design = segmented_design(case.start, start=start)
        found = _batch(y, design, _asked(design, fitted), method, conf_level)
        yield PLACEBO, f"a made-up start in {case.window.label(start)}, periods before the work alone", found


def _sides(case: Case, without: int) -> tuple[int, int]:
    left = case.fitted.copy()
    left[without] = False
    return int(left[: case.start].sum()), int(left[case.start :].sum())


def _without(
    case: Case, asked: Contrasts, positions: Sequence[int], method: str, conf_level: float
) -> dict[str, Floats]:
    y = case.readings[0].copy()
    y[list(positions)] = np.nan
    return _batch(y, case.design, asked, method, conf_level)


def _batch(y: Floats, design: Design, asked: Contrasts, method: str, conf_level: float) -> dict[str, Floats]:
    fit = fit_design(y[None], design, method=method, conf_level=conf_level, contrasts=asked)
    return {name: getattr(fit, name)[0] for name in ("estimate", "conf_low", "conf_high")}


def _asked(design: Design, fitted: NDArray[np.bool_]) -> Contrasts:
    """Ask for `TERMS`, the effects over the same periods whatever is left out of the fit."""
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    rows = {name: unit[name] for name in ("level_change", "slope_change")} | effects(design, fitted)
    return means(TERMS, np.stack([rows[term] for term in TERMS]))


def _side(frame: pd.DataFrame) -> NDArray[np.int_]:
    """Tell on which side of 0 each interval lies: −1, 1, or 0 where it holds 0."""
    return np.where(frame["conf_low"] > 0, 1, np.where(frame["conf_high"] < 0, -1, 0))


def _sentence(case: Case, frame: pd.DataFrame) -> str:
    """Say what moves."""
    unit = case.series.indicator.difference_unit
    others = frame[~frame["kind"].isin([AS_CHOSEN, PLACEBO, OTHER_DATE])]
    placebo = frame[frame["kind"].eq(PLACEBO)]
    low, high = others["estimate"].min(), others["estimate"].max()
    apart = others[~others["agrees"]]
    if apart.empty:
        verdict = "none of them changes what can be concluded"
    else:
        first = list(apart["choice"].head(MOST_NAMED))
        rest = [f"{len(apart) - MOST_NAMED} more"] if len(apart) > MOST_NAMED else []
        verdict = f"{len(apart)} of them would change what can be concluded ({listed([*first, *rest])})"
    chosen = amount(float(frame["estimate"].iloc[0]), unit)
    text = (
        f"{named(case.series.indicator)}: the average difference from the earlier trend is {chosen} as "
        f"chosen, and between {amount(low, unit)} and {amount(high, unit)} under {len(others)} other "
        f"choices; {verdict}."
    )
    shifted = frame[frame["kind"].eq(OTHER_DATE)]
    if len(shifted):
        moved = listed(
            [f"{amount(row['estimate'], unit)} with {row['choice']}" for _, row in shifted.iterrows()]
        )
        text += f" It would be {moved}."
    if len(placebo):
        found = int((_side(placebo) != 0).sum())
        text += (
            f" Of {number(len(placebo), 0)} made-up starts before the work began, "
            f"{number(found, 0)} would have passed for a change."
        )
    return text
