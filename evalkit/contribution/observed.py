"""The change that a claim is about, taken from the other methods' result frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from evalkit.dictionary import TOTAL_DIMENSION
from evalkit.results import Result

# Where the change against the projected baseline is looked for, best first: (method, term).
SOURCES = (
    ("interrupted_time_series", "effect_average"),
    ("interrupted_time_series", "average_effect"),
    ("interrupted_time_series", "level_change"),
    ("turn_the_curve", "baseline_forecast_difference"),
)
# Columns of a result's `augment` that hold the path without the intervention.
PROJECTED = ("counterfactual", "baseline_forecast", "forecast", "baseline")


@dataclass(frozen=True)
class ObservedChange:
    """Change of one indicator against its projected baseline, in its own direction and unit.

    Attributes
    ----------
    reason : why there is no estimate; "" where there is one
    method, term : which estimate it is
    first_period, last_period : of the series it rests on; "" where unknown
    projected : mean of the projected baseline over the post periods; NaN where unknown
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    reason: str = ""
    method: str = ""
    term: str = ""
    first_period: str = ""
    last_period: str = ""
    projected: float = math.nan

    @property
    def covers_zero(self) -> bool:
        """Whether the interval holds 0, so that there may be no change at all."""
        return not (self.conf_low > 0 or self.conf_high < 0)


def observed_change(
    results: Mapping[str, Result], indicator: str, *, site_id: str, start: str | None, conf_level: float
) -> ObservedChange:
    """Find the change of one indicator against its projected baseline.

    The average effect of the interrupted time series comes first, then its level change, then the difference
    from the forecast of turn-the-curve; only rows for the whole population of the site are used.

    Parameters
    ----------
    start : first post period, ISO text
    conf_level : of the interval that a missing standard error is worked out from
    """
    reasons = []
    for method, term in SOURCES:
        if method not in results:
            continue
        rows = whole_population(results[method].tidy, indicator, site_id)
        found = rows[rows["term"] == term]
        known = found[found["estimate"].notna() & found["conf_low"].notna() & found["conf_high"].notna()]
        if known.empty:
            notes = (found if len(found) else rows)["note"]
            reasons += [note.removeprefix(f"{site_id}, {indicator}: ") for note in notes if note]
            continue
        row = known.iloc[0]
        first, last, projected = _window(results[method].augment, indicator, site_id, start)
        error = float(row["std_error"])
        if math.isnan(error):
            z = float(stats.norm.ppf(0.5 + conf_level / 2))
            error = float(row["conf_high"] - row["conf_low"]) / (2 * z)
        return ObservedChange(
            estimate=float(row["estimate"]),
            std_error=error,
            conf_low=float(row["conf_low"]),
            conf_high=float(row["conf_high"]),
            method=method,
            term=term,
            first_period=first,
            last_period=last or str(row["period"]),
            projected=projected,
        )
    reason = next(iter(reasons), "no estimate of its change has been made")
    return ObservedChange(math.nan, math.nan, math.nan, math.nan, reason=reason)


def whole_population(frame: pd.DataFrame, indicator: str, site_id: str) -> pd.DataFrame:
    """Keep the rows of a tidy frame about everybody counted for an indicator at a site."""
    chosen = frame[
        (frame["indicator"] == indicator)
        & frame["site_id"].isin(["", site_id])
        & frame["dimension"].isin(["", TOTAL_DIMENSION])
    ]
    whole = chosen[chosen["unit_id"].isin(["", "all"])]
    return whole if len(whole) else chosen


def _window(augment: pd.DataFrame, indicator: str, site_id: str, start: str | None) -> tuple[str, str, float]:
    """Return first and last period of the series, and the mean projected baseline after the start."""
    if not {"indicator", "period"} <= set(augment.columns):
        return "", "", math.nan
    rows = augment[augment["indicator"] == indicator]
    for column, wanted in (("site_id", site_id), ("dimension", TOTAL_DIMENSION), ("unit_id", "all")):
        if column in rows.columns and (rows[column] == wanted).any():
            rows = rows[rows[column] == wanted]
    if rows.empty:
        return "", "", math.nan
    periods = rows["period"].astype(str)
    path = next((name for name in PROJECTED if name in rows.columns), None)
    projected = rows.loc[periods >= (start or ""), path].mean() if path else math.nan
    return str(periods.min()), str(periods.max()), float(projected)
