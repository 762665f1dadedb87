"""Interrupted time series of all the indicators of a site, beside those of its comparison site."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from evalkit.errors import DataError, DesignError
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.its.case import Case, Plan, prepare
from evalkit.its.engine import fit_members
from evalkit.its.family import AUTOMATIC, Family
from evalkit.its.fit import METHOD, TERMS, case_result, term_unit
from evalkit.its.frames import augment_frame, design_record, glance_row, seriesless_glance_row
from evalkit.its.story import comparison_sentence
from evalkit.its.timing import first_post_period
from evalkit.its.window import Window
from evalkit.periods import reader_label
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site

COMPARISON_SUFFIX = "-comparison"

Key = tuple[str, str]  # indicator and site_id


def interrupted_time_series(
    table: IndicatorTable,
    site: Site,
    *,
    indicators: Sequence[str] | None = None,
    method: str = AUTOMATIC,
    conf_level: float = 0.95,
) -> Result:
    """Fit every indicator of a site, and of its comparison site where the table holds one.

    Five or more total series of one frequency and one start, the site's own and its comparison site's, are a
    family: they learn together how strongly neighbouring periods go together (method "network"). A series
    known only within bounds learns from its family and does not teach it. Subgroups stay out of the family:
    their counts are small, sampling noise hides their autocorrelation, and a total that learned from them
    would be too sure of itself (in simulations its intervals of the slope covered 86 to 94 %, not 95).

    Parameters
    ----------
    table : total rows (unit "all", subgroup "All") are used
    site : its `start` is the interruption; rows of site "<site_id>-comparison" are fitted beside it
    indicators : ids in the order wanted; by default the site's headline indicators, then all others it has.
        The family is made of all indicators of the site, whichever are asked for.
    method : "automatic" (as above; "integrated" where the family has fewer than five), or as in `fit_arrays`
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    One result. An indicator that cannot be answered keeps its rows, with NaN and the reason in `note`.
    """
    comparison = f"{site.site_id}{COMPARISON_SUFFIX}"
    compared = set(table.where(site_id=comparison).indicators())
    wanted = chosen_indicators(table, site, indicators)
    every = list(dict.fromkeys([*wanted, *chosen_indicators(table, site, None)]))
    keys = [(name, place) for name in every for place in (site.site_id, comparison)]
    keys = [key for key in keys if key[1] == site.site_id or key[0] in compared]
    prepared = {key: _prepared(table, key[1], key[0], site.start) for key in keys}
    cases = {key: case for key, case in prepared.items() if isinstance(case, Case)}
    families = {frequency: Family.of(found, method) for frequency, found in _by_frequency(cases).items()}
    done = {
        key: _fitted(table, key, prepared[key], families, conf_level) for key in keys if key[0] in set(wanted)
    }
    parts = [
        _beside(done[name, site.site_id], done[name, comparison], conf_level)
        if (name, comparison) in done
        else done[name, site.site_id]
        for name in wanted
    ]
    starts = {name: period for part in parts for name, period in part.design["interruption"].items()}
    told = {frequency: family for frequency, family in families.items() if family.members > 1}
    inference = method if method != AUTOMATIC else "network" if told else "integrated"
    return Result(
        method=METHOD,
        title=f"Interrupted time series: {site.name}",
        design=design_record(inference, conf_level, starts)
        | {"families": {frequency: family.members for frequency, family in told.items()}},
        tidy=stacked([part.tidy for part in parts]) if parts else tidy_frame([]),
        glance=stacked([part.glance for part in parts]),
        augment=stacked([part.augment for part in parts]),
        narrative=(
            *(text for part in parts for text in part.narrative),
            *(family.sentence(frequency) for frequency, family in told.items()),
        ),
    )


def _by_frequency(cases: Mapping[Key, Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases.values():
        found.setdefault(case.series.frequency, []).append(case)
    return found


def _prepared(table: IndicatorTable, site_id: str, indicator: str, start: str | None) -> Case | str:
    """Make one series ready, or say why it cannot be."""
    declared = table.dictionary.indicator(indicator)
    try:
        series = table.series(indicator, site_id=site_id)
        if start is None:
            raise DesignError(
                f"{site_id}, {indicator}: the site declares no start, so nothing interrupts the series"
            )
        return prepare(series, Plan(interruption=first_post_period(start, declared.frequency)))
    except (DataError, DesignError) as error:
        return error.problems[0]


def _fitted(
    table: IndicatorTable,
    key: Key,
    case: Case | str,
    families: Mapping[str, Family],
    conf_level: float,
) -> Result:
    if isinstance(case, str):
        return _refused(table, key[1], key[0], case)
    family = families[case.series.frequency]
    (fit,) = fit_members([case.member()], family.prior, method=family.method, conf_level=conf_level)
    try:
        return case_result(case, fit, family.prior, taught_by=family.members)
    except DesignError as error:
        return _refused(table, key[1], key[0], error.problems[0])


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
        augment, glance = pd.DataFrame(), seriesless_glance_row(declared, site_id)
    else:
        window = Window.of(series)
        identity["population"] = series.population
        augment = augment_frame(series, window, None, None)
        glance = glance_row(series, window, None, None)
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
        glance=pd.DataFrame([glance | {"refused": reason}]),
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
