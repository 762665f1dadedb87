"""Interrupted time series of all the indicators of a site, beside those of its comparison site."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from evalkit.errors import DataError, DesignError
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.its.fit import METHOD, TERMS, fit_series, term_unit
from evalkit.its.frames import augment_frame, design_record, glance_row
from evalkit.its.story import comparison_sentence
from evalkit.its.timing import first_post_period
from evalkit.its.window import Window
from evalkit.parameters import Site
from evalkit.periods import reader_label
from evalkit.results import Result, tidy_frame

COMPARISON_SUFFIX = "-comparison"


def interrupted_time_series(
    table: IndicatorTable, site: Site, *, indicators: Sequence[str] | None = None, conf_level: float = 0.95
) -> Result:
    """Fit every indicator of a site, and of its comparison site where the table holds one.

    Parameters
    ----------
    table : total rows (unit "all", subgroup "All") are used
    site : its `start` is the interruption; rows of site "<site_id>-comparison" are fitted beside it
    indicators : ids in the order wanted; by default the site's headline indicators, then all others it has
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    One result. An indicator that cannot be answered keeps its rows, with NaN and the reason in `note`.
    """
    comparison = f"{site.site_id}{COMPARISON_SUFFIX}"
    compared = set(table.where(site_id=comparison).indicators())
    parts: list[Result] = []
    for indicator in chosen_indicators(table, site, indicators):
        own = _fit_or_say_why(table, site.site_id, indicator, site.start, conf_level)
        if indicator in compared:
            beside = _fit_or_say_why(table, comparison, indicator, site.start, conf_level)
            own = _beside(own, beside, conf_level)
        parts.append(own)
    starts = {name: period for part in parts for name, period in part.design["interruption"].items()}
    return Result(
        method=METHOD,
        title=f"Interrupted time series: {site.name}",
        design=design_record("integrated", conf_level, starts),
        tidy=stacked([part.tidy for part in parts]) if parts else tidy_frame([]),
        glance=stacked([part.glance for part in parts]),
        augment=stacked([part.augment for part in parts]),
        narrative=tuple(text for part in parts for text in part.narrative),
    )


def chosen_indicators(table: IndicatorTable, site: Site, indicators: Iterable[str] | None) -> list[str]:
    """List the indicators to report: those asked for, or the headline ones first and then all with rows."""
    if indicators is not None:
        return list(indicators)
    present = table.where(site_id=site.site_id).indicators()
    first = [name for name in site.headline if name in present]
    return first + [name for name in present if name not in first]


def stacked(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put frames under one another; empty ones add nothing."""
    full = [frame for frame in frames if not frame.empty]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame()


def _fit_or_say_why(
    table: IndicatorTable, site_id: str, indicator: str, start: str | None, conf_level: float
) -> Result:
    declared = table.dictionary.indicator(indicator)
    try:
        series = table.series(indicator, site_id=site_id)
        if start is None:
            raise DesignError(
                f"{site_id}, {indicator}: the site declares no `start`, so nothing interrupts the series"
            )
        interruption = first_post_period(start, declared.frequency)
        return fit_series(series, interruption=interruption, conf_level=conf_level)
    except (DataError, DesignError) as error:
        return _refused(table, site_id, indicator, error.problems[0])


def _refused(table: IndicatorTable, site_id: str, indicator: str, reason: str) -> Result:
    """Keep the rows of an indicator that cannot be answered, and its history for the chart."""
    declared = table.dictionary.indicator(indicator)
    identity = {
        "indicator": indicator,
        "site_id": site_id,
        "unit_id": ALL_UNITS,
        "dimension": "all",
        "subgroup": "All",
    }
    try:
        series = table.series(indicator, site_id=site_id)
    except DataError:
        augment, glance = pd.DataFrame(), {**identity, "label": declared.label, "refused": reason}
    else:
        window = Window.of(series)
        identity["population"] = series.population
        augment = augment_frame(series, window, None, None)
        glance = glance_row(series, window, None, None) | {"refused": reason}
    rows = [
        {"method": METHOD, **identity, "term": term, "unit": term_unit(declared, term), "note": reason}
        for term in TERMS
    ]
    plain = reason.removeprefix(f"{site_id}, {indicator}: ").removeprefix(f"{site_id}, {indicator}, All: ")
    return Result(
        method=METHOD,
        title=declared.label,
        design={"interruption": {}},
        tidy=tidy_frame(rows),
        glance=pd.DataFrame([glance]),
        augment=augment,
        narrative=(f"{declared.label}: no interrupted time series, because of this: {plain}.",),
    )


def _beside(own: Result, comparison: Result, conf_level: float) -> Result:
    """Put the comparison site's rows under the site's own, and its difference into the paragraph."""
    text = own.narrative[0]
    if own.glance["refused"].eq("").all():
        last = comparison.tidy.loc[comparison.tidy["term"].eq("effect_last"), "period"].iloc[0]
        label = reader_label(last, str(comparison.glance["frequency"].iloc[0])) if last else ""
        text = f"{text} {comparison_sentence(comparison.tidy, label, conf_level)}"
    return replace(
        own,
        tidy=stacked([own.tidy, comparison.tidy]),
        glance=stacked([own.glance, comparison.glance]),
        augment=stacked([own.augment, comparison.augment]),
        narrative=(text,),
    )
