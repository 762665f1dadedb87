"""Where the earlier trend would have led: a forecast of new values from the pre-period alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries
from evalkit.its.bounds import extreme_arrangements
from evalkit.its.design import Design, means, predictions, segmented_design, trend_design
from evalkit.its.engine import fit_design
from evalkit.its.timing import NO_PLACE, extended_season, season_problem
from evalkit.its.verdict import FEWEST_FOR_A_DIRECTION
from evalkit.its.window import FEWEST_BEFORE, Window

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forecast:
    """The baseline forecast for P periods and A arrangements of the pre-period's bounds (1 where exact).

    Attributes
    ----------
    positions : (P,) from the first post period on
    estimate, low, high : (A, P) expected new value and its prediction interval, in the indicator's unit
    std_error : (A, P)
    """

    positions: NDArray[np.intp]
    estimate: Floats
    low: Floats
    high: Floats
    std_error: Floats

    def at(self, position: int) -> int:
        """Return the column of a period."""
        return int(np.flatnonzero(self.positions == position)[0])


def baseline_forecast(
    series: IndicatorSeries, window: Window, *, start: int, until: int, conf_level: float
) -> Forecast:
    """Forecast every period from the start up to `until` from the level, trend and season before the start.

    The errors are AR(1), integrated over ρ, so the last residual is carried forward as far as it reaches;
    the interval is for a new value, with the noise to come and the uncertainty of level, trend and ρ.

    Raises
    ------
    DesignError : fewer than 4 periods before the start, none after it, a definition break inside the
        window, a season that cannot be told, or no error left to measure.
    """
    window.refuse_breaks(series)
    before, after = int(window.observed[:start].sum()), int(window.observed[start:].sum())
    if not 0 < start < len(window.periods) or before < FEWEST_BEFORE or after == 0:
        raise DesignError(
            f"{window.name}: {before} periods before the start and {after} from then on; a baseline forecast "
            f"needs at least {FEWEST_BEFORE} before and 1 after"
        )
    if window.season is not None and (why := season_problem(window.season, window.observed, start)):
        raise DesignError(f"{window.name}: {why}")
    season = extended_season(window.periods, window.season, until + 1)
    whole = trend_design(until + 1, season=season)
    design = Design(whole.terms, whole.matrix[:start], start)
    last_before = int(np.flatnonzero(window.observed[:start])[-1])
    wanted = np.arange(start, until + 1)
    if season is not None:
        wanted = wanted[np.array([season[position] != NO_PLACE for position in wanted])]
    asked = predictions(
        design, last=last_before, new_rows={int(position): whole.matrix[position] for position in wanted}
    )
    target_row = whole.matrix[window.last]
    values = _arrangements(window.low[:start], window.high[:start], design.matrix, target_row)
    fit = fit_design(values, design, conf_level=conf_level, contrasts=asked)
    window.refuse_no_error(bool(fit.exact.any()))
    return Forecast(wanted, fit.estimate, fit.conf_low, fit.conf_high, fit.std_error)


def post_trend(window: Window, *, start: int, conf_level: float) -> dict[str, Floats] | None:
    """Fit the trend of the post-period, for each extreme arrangement; None with fewer than 3 values.

    Returns
    -------
    estimate, std_error, conf_low, conf_high, p_value: (A,) each, in the indicator's unit per period.
    """
    if int(window.observed[start:].sum()) < FEWEST_FOR_A_DIRECTION:
        return None
    design = segmented_design(len(window.periods), start=start, season=window.season)
    row = np.array([1.0 if term in {"trend", "slope_change"} else 0.0 for term in design.terms])
    values = _arrangements(window.low, window.high, design.matrix, row)
    fit = fit_design(values, design, conf_level=conf_level, contrasts=means(["post_trend"], row[None]))
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    return {name: getattr(fit, name)[:, 0] for name in names}


def _arrangements(low: Floats, high: Floats, design: Floats, contrast: Floats) -> Floats:
    exact = np.array_equal(low, high, equal_nan=True)
    return low[None] if exact else extreme_arrangements(low, high, design, contrast[None])
