"""The chance that an indicator reaches its target, on its course since the start and on the earlier trend."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries
from evalkit.its.bounds import extreme_arrangements
from evalkit.its.change import CASES
from evalkit.its.design import Design, predictions, segmented_design, trend_design
from evalkit.its.engine import Member, contrast_mixture, learn, reduced, weighed
from evalkit.its.timing import NO_PLACE, extended_season, season_problem
from evalkit.its.verdict import FEWEST_FOR_A_DIRECTION
from evalkit.its.window import FEWEST_BEFORE, Window
from evalkit.sites import Target

Floats = NDArray[np.float64]
Row = dict[str, Any]

ON_COURSE, ON_EARLIER_TREND = "chance_of_target", "chance_of_target_earlier_trend"
FEWEST_FOR_A_LINE = FEWEST_BEFORE + 1  # values for one trend through all of them, where nothing interrupts


def chance_rows(
    series: IndicatorSeries, window: Window, *, start: int | None, target: Target, position: int
) -> list[Row]:
    """Give the probability that the value in the target's period is at least as good as the target.

    On its course: level and trend since the start carried on, where at least 3 values since the start tell
    one; else one trend through all values. On the earlier trend: that of the periods before the start. Both
    are for a new value, with the noise to come and the uncertainty of level, trend and autocorrelation, as in
    the baseline forecast; neither knows of plans. A line is not clipped to possible rates. A censored series
    gives the least and the most favourable probability.

    Parameters
    ----------
    position : of the target's period, counted from the first period of the window

    Returns
    -------
    Rows of terms `chance_of_target` and `chance_of_target_earlier_trend`, unit "probability"; none where the
    target's period is already observed.
    """
    if position <= window.last:
        return []
    rows: list[Row] = []
    for term, first in ((ON_COURSE, start), (ON_EARLIER_TREND, start)):
        if term == ON_EARLIER_TREND and start is None:
            continue
        common: Row = {"term": term, "period": target.period, "unit": "probability"}
        try:
            window.refuse_breaks(series)
            design, row, seen, note = (
                _course(window, first, position) if term == ON_COURSE else _earlier(window, first, position)
            )
        except DesignError as error:
            rows.append({**common, "note": error.problems[0].removeprefix(f"{window.name}: ")})
            continue
        chance = _chance(window, design, row, seen, position, target.value, series.indicator.favourable)
        common |= {"n": float(np.isfinite(window.low[:seen]).sum())}
        if chance.size == 1:
            rows.append({**common, "estimate": float(chance[0]), "note": note})
            continue
        ends = (float(chance.min()), float(chance.max()))
        rows += [
            {**common, "term": f"{term}_{case}", "estimate": end, "note": note}
            for case, end in zip(CASES, ends, strict=True)
        ]
    return rows


def _course(window: Window, start: int | None, position: int) -> tuple[Design, Floats, int, str]:
    """Lay out the course since the start, or one trend where too little is known of it."""
    season = _season(window, position)
    n = len(window.periods)
    before = int(window.observed[:start].sum()) if start is not None else 0
    after = int(window.observed[start:].sum()) if start is not None else 0
    if start is not None and 0 < start < n and before >= FEWEST_BEFORE and after >= FEWEST_FOR_A_DIRECTION:
        if season is not None and (why := season_problem(season[:n], window.observed, start)):
            raise DesignError(f"{window.name}: {why}")
        whole = segmented_design(position + 1, start=start, season=season)
        note = "level and trend since the start carried on"
    else:
        if int(window.observed.sum()) < FEWEST_FOR_A_LINE or season is not None:
            raise DesignError(f"{window.name}: too few values for a trend to carry on to the target")
        whole = trend_design(position + 1)
        note = "one trend through all values carried on: too few since the start to tell its own"
    return Design(whole.terms, whole.matrix[:n], min(whole.start, n)), whole.matrix[position], n, note


def _earlier(window: Window, start: int | None, position: int) -> tuple[Design, Floats, int, str]:
    """Lay out the trend of the periods before the start."""
    if start is None or not 0 < start < len(window.periods):
        raise DesignError(f"{window.name}: the start lies outside the window")
    if int(window.observed[:start].sum()) < FEWEST_BEFORE:
        raise DesignError(f"{window.name}: fewer than {FEWEST_BEFORE} periods before the start")
    season = _season(window, position)
    if season is not None and (why := season_problem(season[: len(window.periods)], window.observed, start)):
        raise DesignError(f"{window.name}: {why}")
    whole = trend_design(position + 1, season=season)
    design = Design(whole.terms, whole.matrix[:start], start)
    return design, whole.matrix[position], start, "the trend before the start carried on"


def _season(window: Window, position: int) -> list[int] | None:
    season = extended_season(window.periods, window.season, position + 1)
    if season is not None and season[position] == NO_PLACE:
        raise DesignError(f"{window.name}: nothing is ever observed in the season of the target's period")
    return season


def _chance(
    window: Window, design: Design, row: Floats, seen: int, position: int, value: float, favourable: str
) -> Floats:
    """Return the probability (A,) for each arrangement of the values."""
    low, high = window.low[:seen], window.high[:seen]
    exact = np.array_equal(low, high, equal_nan=True)
    y = low[None] if exact else extreme_arrangements(low, high, design.matrix, row[None])
    last = int(np.flatnonzero(window.observed[:seen])[-1])
    asked = predictions(design, last=last, new_rows={position: row})
    member = Member(y, design, asked)
    prior = learn([member], "integrated")
    chance = np.full(len(y), np.nan)
    for batch in reduced(member):
        fitted, weight = weighed(batch, prior, "integrated", member)
        mixture = contrast_mixture(batch, fitted, weight, asked)
        chance[batch.series] = mixture.below(np.full(batch.series.size, value))
    return 1 - chance if favourable == "higher" else chance
