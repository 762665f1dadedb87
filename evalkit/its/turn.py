"""Turn the curve: history, where it was heading, what came instead, and how far the target is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from evalkit.dictionary import Indicator
from evalkit.errors import DataError, DesignError
from evalkit.indicators import ALL_UNITS, IndicatorSeries, IndicatorTable
from evalkit.its.chance import chance_rows
from evalkit.its.change import CASES, baseline_position, change_rows, target_rows
from evalkit.its.collection import chosen_indicators, stacked
from evalkit.its.forecast import Forecast, baseline_forecast, post_trend
from evalkit.its.frames import glance_row, series_identity, seriesless_glance_row
from evalkit.its.timing import first_post_period
from evalkit.its.turn_story import endpoint_sentence, turn_paragraph
from evalkit.its.verdict import CANNOT, VERDICTS, Reading, judge_both
from evalkit.its.window import FEWEST_BEFORE, Window
from evalkit.periods import from_period, reader_label, to_period
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site, Target

Row = dict[str, Any]

METHOD = "turn_the_curve"
FORECAST_TERMS = ("baseline_forecast", "baseline_forecast_difference", "post_trend")


@dataclass(eq=False)
class _Parts:
    """What is gathered for one indicator before it becomes frames."""

    rows: list[Row] = field(default_factory=list)
    glance: Row = field(default_factory=dict)
    augment: pd.DataFrame = field(default_factory=pd.DataFrame)
    paragraph: str = ""


def turn_the_curve(
    table: IndicatorTable, site: Site, *, indicators: Sequence[str] | None = None, conf_level: float = 0.95
) -> Result:
    """Hold each indicator against where its own history was heading.

    Terms, a row each (rates in percent, differences in percentage points):

    * `verdict`: "turned", "beat the baseline", "not yet" or "cannot be told" in `note`, as the module
      `verdict` defines them;
    * `baseline_forecast`: the value expected in the last observed period had the earlier trend gone on, with
      the interval for a new value; `baseline_forecast_difference`: actual less forecast;
    * `post_trend`: change per period since the start;
    * `change_from_baseline`: each later period less the baseline period (Newcombe's interval; of the
      same month or quarter in seasonal series); bounded cells give `change_worst_case` and
      `change_best_case`;
    * `distance_to_target`: last value less the target;
    * `chance_of_target`, `chance_of_target_earlier_trend`: the probability that the value in the target's
      period reaches it, with the course since the start and with the trend before the start carried on.

    Without a declared start, or with fewer than four values before it, there is no forecast and the verdict
    cannot be told; the changes from the baseline still come. Where a value is known only within bounds every
    term comes as `_worst_case` (the least favourable possible values) and `_best_case`.

    Parameters
    ----------
    table : total rows (unit "all", subgroup "All") are used
    site : its `start`, `baselines` and `targets`; without a declared baseline it is the last observed period
        before the start, or the first observed period where there is no start
    indicators : ids in the order wanted; by default the site's headline indicators, then all others it has
    conf_level : coverage of the intervals, in (0, 1)

    References
    ----------
    Friedman (2005), Trying Hard Is Not Good Enough. Newcombe (1998), Statistics in Medicine 17:873-890.
    """
    parts = [_one(table, site, name, conf_level) for name in chosen_indicators(table, site, indicators)]
    return Result(
        method=METHOD,
        title=f"Turning the curve: {site.name}",
        design={
            "forecast": "level and trend of the pre-period, AR(1) errors; rho integrated, prior 1 + rho",
            "fewest_periods_before": FEWEST_BEFORE,
            "verdicts": list(VERDICTS),
            "conf_level": conf_level,
            "start": site.start or "",
            "baselines": {item.indicator: item.period for item in site.baselines},
            "targets": {item.indicator: [item.period, item.value] for item in site.targets},
        },
        tidy=tidy_frame([row for part in parts for row in part.rows]),
        glance=pd.DataFrame([part.glance for part in parts]),
        augment=stacked([part.augment for part in parts]),
        narrative=tuple(part.paragraph for part in parts),
    )


def _one(table: IndicatorTable, site: Site, indicator: str, conf_level: float) -> _Parts:
    declared = table.dictionary.indicator(indicator)
    try:
        series = table.series(indicator, site_id=site.site_id)
        window = Window.of(series)
        if not window.observed.any():
            raise DesignError(f"{window.name}: every period is hidden or missing; there is nothing to show")
    except (DataError, DesignError) as error:
        return _nothing(declared, site.site_id, error.problems[0])
    parts = _Parts()
    start = (
        window.position(first_post_period(site.start, series.frequency)) if site.start is not None else None
    )
    target = site.target(indicator)
    until = max(len(window.periods) - 1, _position_of(window, target.period) if target else 0)
    forecast, trend, refused = _forecast(series, window, start, until, conf_level)
    verdict, because = CANNOT, refused
    if forecast is not None and start is not None:
        verdict, because = _verdict(series, window, forecast, trend)
    last = from_period(window.periods[window.last])
    parts.rows.append({"term": "verdict", "period": last, "note": verdict, "n": float(window.observed.sum())})
    parts.rows += _forecast_rows(series, window, forecast, trend, refused)
    baseline = baseline_position(window, _declared_baseline(site, window, indicator), start)
    if baseline is None:
        parts.rows.append(
            {
                "term": "change_from_baseline",
                "unit": declared.difference_unit,
                "note": "the baseline period is hidden, missing or outside the data",
            }
        )
        changes: list[Row] = []
    else:
        changes = change_rows(series, window, baseline, conf_level)
        parts.rows += changes
    target_label = reader_label(target.period, series.frequency) if target else ""
    aims = target_rows(series, window, target.value, target_label, conf_level) if target else []
    parts.rows += aims
    if target:
        at = _position_of(window, target.period)
        parts.rows += chance_rows(series, window, start=start, target=target, position=at)
    identity = {"method": METHOD, **series_identity(series)}
    parts.rows = [identity | row for row in parts.rows]
    endpoint = endpoint_sentence(series, changes, conf_level)
    parts.glance = glance_row(series, window, start, None) | {
        "verdict": verdict,
        "verdict_because": because,
        "baseline": "" if baseline is None else from_period(window.periods[baseline]),
        "target": target.value if target else np.nan,
        "target_period": target.period if target else "",
        "last_period": last,
        "conf_level": conf_level,
        "endpoint": endpoint,
        "refused": refused,
    }
    parts.augment = _augment(series, window, start, until, forecast, baseline, target)
    parts.paragraph = turn_paragraph(series, window, parts.glance, parts.rows, conf_level)
    return parts


def _nothing(declared: Indicator, site_id: str, reason: str) -> _Parts:
    label, indicator = declared.label, declared.id
    identity = {"indicator": indicator, "site_id": site_id, "unit_id": ALL_UNITS}
    row = {"method": METHOD, **identity, "dimension": "all", "subgroup": "All"}
    plain = reason.removeprefix(f"{site_id}, {indicator}: ").removeprefix(f"{site_id}, {indicator}, All: ")
    return _Parts(
        rows=[
            row | {"term": "verdict", "note": CANNOT},
            row | {"term": "change_from_baseline", "note": reason},
        ],
        glance=seriesless_glance_row(declared, site_id)
        | dict.fromkeys(("baseline", "target_period", "last_period", "endpoint"), "")
        | {"verdict": CANNOT, "verdict_because": reason, "target": np.nan, "refused": reason},
        paragraph=f"{label}. Verdict: {CANNOT}, because of this: {plain}.",
    )


def _forecast(
    series: IndicatorSeries, window: Window, start: int | None, until: int, conf_level: float
) -> tuple[Forecast | None, Row | None, str]:
    """Make the forecast and the post-period's trend, or say why there is none."""
    if start is None:
        return None, None, "the site declares no start, so there is no pre-period to forecast from"
    try:
        forecast = baseline_forecast(series, window, start=start, until=until, conf_level=conf_level)
        trend = post_trend(window, start=start, conf_level=conf_level)
    except DesignError as error:
        return None, None, error.problems[0].removeprefix(f"{window.name}: ")
    return forecast, trend, ""


def _verdict(
    series: IndicatorSeries, window: Window, forecast: Forecast, trend: Row | None
) -> tuple[str, str]:
    """Judge the least favourable reading against the most favourable one."""
    column = forecast.at(window.last)
    lowest = Reading(
        actual=window.low[window.last],
        low=forecast.low[:, column].max(),
        high=forecast.high[:, column].max(),
        post_trend=float(trend["estimate"].min()) if trend else np.nan,
    )
    highest = Reading(
        actual=window.high[window.last],
        low=forecast.low[:, column].min(),
        high=forecast.high[:, column].min(),
        post_trend=float(trend["estimate"].max()) if trend else np.nan,
    )
    indicator = series.indicator
    possible = (0.0, np.inf if indicator.may_exceed_one else indicator.scale)
    if indicator.kind == "mean":
        possible = (-np.inf, np.inf)
    return judge_both(lowest, highest, favourable=indicator.favourable, possible=possible)


def _forecast_rows(
    series: IndicatorSeries, window: Window, forecast: Forecast | None, trend: Row | None, refused: str
) -> list[Row]:
    indicator, last = series.indicator, window.last
    units = (indicator.unit, indicator.difference_unit, f"{indicator.difference_unit} per period")
    period = from_period(window.periods[last])
    if forecast is None:
        return [
            {"term": term, "period": period, "unit": unit, "note": refused}
            for term, unit in zip(FORECAST_TERMS, units, strict=True)
        ]
    column = forecast.at(last)
    expected = {
        "estimate": forecast.estimate[:, column],
        "std_error": forecast.std_error[:, column],
        "conf_low": forecast.low[:, column],
        "conf_high": forecast.high[:, column],
    }
    common = {"period": period, "n": float(window.observed.sum())}
    rows = _cases(indicator.favourable, "baseline_forecast", common | {"unit": units[0]}, expected)
    # the difference falls as the forecast rises, so its ends change places
    differences = [
        {
            "estimate": actual - expected["estimate"],
            "std_error": expected["std_error"],
            "conf_low": actual - expected["conf_high"],
            "conf_high": actual - expected["conf_low"],
        }
        for actual in dict.fromkeys((window.low[last], window.high[last]))
    ]
    gathered = {name: np.concatenate([found[name] for found in differences]) for name in differences[0]}
    rows += _cases(
        indicator.favourable, "baseline_forecast_difference", common | {"unit": units[1]}, gathered
    )
    if trend is None:
        note = "fewer than three values since the start, so no trend"
        return [*rows, {"term": "post_trend", **common, "unit": units[2], "note": note}]
    return rows + _cases(indicator.favourable, "post_trend", common | {"unit": units[2]}, trend)


def _cases(favourable: str, term: str, common: Row, numbers: Row) -> list[Row]:
    """Give the one estimate, or the least and the most favourable of several."""
    estimate = numbers["estimate"]
    if estimate.size == 1:
        return [{"term": term, **common, **{name: float(found[0]) for name, found in numbers.items()}}]
    ends = (int(estimate.argmin()), int(estimate.argmax()))
    ordered = ends if favourable == "higher" else ends[::-1]
    return [
        {"term": f"{term}_{case}", **common, **{name: float(found[place]) for name, found in numbers.items()}}
        for case, place in zip(CASES, ordered, strict=True)
    ]


def _position_of(window: Window, period: str) -> int:
    return int(to_period(period, window.frequency).ordinal - window.periods[0].ordinal)


def _declared_baseline(site: Site, window: Window, indicator: str) -> int | None:
    declared = site.baseline(indicator)
    return None if declared is None else _position_of(window, declared)


def _augment(
    series: IndicatorSeries,
    window: Window,
    start: int | None,
    until: int,
    forecast: Forecast | None,
    baseline: int | None,
    target: Target | None,
) -> pd.DataFrame:
    """Lay out a row for each period; those after the data and up to the target have status "future"."""
    count = len(window.periods)
    shown = window.shown()
    aim = _position_of(window, target.period) if target else -1
    rows = []
    for position in range(max(count, until + 1)):
        known = position < count
        forecast_here = forecast is not None and position in forecast.positions
        if not (known and shown[position]) and not (position >= count and (forecast_here or position == aim)):
            continue
        exact = known and window.observed[position] and not window.censored[position]
        row: Row = {
            "indicator": series.indicator.id,
            "site_id": series.site_id,
            "unit_id": series.unit_id,
            "period": from_period(window.periods[0] + position),
            "status": str(series.frame["status"].iloc[position]) if known else "future",
            "observed": window.low[position] if exact else np.nan,
            "low": window.low[position] if known else np.nan,
            "high": window.high[position] if known else np.nan,
            "is_post": start is not None and position >= start,
            "is_baseline": position == baseline,
            "target": target.value if target and position == aim else np.nan,
            "forecast": np.nan,
            "forecast_low": np.nan,
            "forecast_high": np.nan,
        }
        if forecast is not None and forecast_here:
            column = forecast.at(position)
            single = len(forecast.estimate) == 1
            row["forecast"] = float(forecast.estimate[0, column]) if single else np.nan
            row["forecast_low"] = float(forecast.low[:, column].min())
            row["forecast_high"] = float(forecast.high[:, column].max())
        rows.append(row)
    return pd.DataFrame(rows)
