"""The equity gaps of one site: every indicator, split every way, as one result."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from evalkit.equity.differences import check_reference
from evalkit.equity.findings import RULE, findings
from evalkit.equity.frames import gap_frame, glance_frame, level_frame
from evalkit.equity.generations import two_generation
from evalkit.equity.inequality import measure_frame
from evalkit.equity.study import PERIOD_WORDS, Study, reason_of, study
from evalkit.errors import DesignError, EvalkitError, ParameterError
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site

METHOD = "equity_gaps"
RANGE_NOTE = "highest less lowest rate; no interval: compare it with the range that chance alone makes"
CHANCE_NOTE = "expected highest less lowest rate if all groups had the same true rate"


def equity_gaps(
    table: IndicatorTable,
    site: Site,
    *,
    references: Mapping[str, str],
    indicators: Iterable[str] | None = None,
    conf_level: float = 0.95,
) -> Result:
    """Compare subgroups with a reference in every indicator and period of a site.

    A gap is always subgroup minus (over) reference; `favourable` only decides the word "worse".

    Parameters
    ----------
    table : what may be shown to the audience (a release); rows of other sites and single units are left out
    references : dimension -> subgroup to compare with, e.g. {"race_ethnicity": "White"}; a yardstick, no goal
    indicators : which ones; by default all that the site has
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    `tidy` has the terms rate (Wilson), difference (Newcombe; p values of the latest period, score test,
    adjusted by Holm's method within indicator and dimension), ratio (Koopman), difference_worst_case and
    difference_best_case (where a cell is known only as a range; each with the interval at that end),
    additional_to_parity (latest period), difference_trend, periods_to_parity (Fieller), range and
    range_by_chance. What cannot be estimated is a row with its reason in `note`.
    `augment` has a row per period and subgroup for the charts, `glance` one per indicator and dimension;
    `frames["gaps"]` the gaps over time, `frames["two_generation"]` child and caregiver indicators of the
    latest period that both have, `frames["measures"]` the summary measures of the latest period.

    Raises
    ------
    ParameterError : a reference is unknown, or conf_level lies outside (0, 1).

    References
    ----------
    Wilson (1927); Newcombe (1998); Koopman (1984); Holm (1979); Fieller (1954).
    """
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    for dimension, reference in references.items():
        check_reference(table.dictionary, dimension, reference)
    own = table.where(site_id=site.site_id, unit_id=ALL_UNITS)
    wanted = list(indicators) if indicators is not None else own.indicators()
    studies: list[Study] = []
    rows: list[dict[str, Any]] = []
    for name in wanted:
        for dimension, reference in references.items():
            try:
                found = _studies(own, name, dimension, reference, conf_level)
            except EvalkitError as error:
                rows.append(_row(name, site, dimension, term="difference", note=str(error)))
                continue
            studies.extend(found)
            for item in found:
                rows.extend(_tidy_rows(item, site))
    both = two_generation(own, studies, conf_level=conf_level)
    return Result(
        method=METHOD,
        title=f"Equity gaps: {site.name}",
        design={
            "site_id": site.site_id,
            "references": dict(references),
            "indicators": wanted,
            "conf_level": conf_level,
            "intervals": {"rate": "wilson", "difference": "newcombe", "ratio": "koopman"},
            "p_values": "score test of the latest period, Holm within indicator and dimension",
            "rule": RULE,
        },
        tidy=tidy_frame(rows),
        glance=glance_frame(studies, site),
        augment=level_frame(studies, own.dictionary, site),
        frames={
            "gaps": gap_frame(studies, own.dictionary, site),
            "two_generation": both,
            "measures": measure_frame(studies, own.dictionary, conf_level=conf_level),
        },
        narrative=findings(studies, both, own.dictionary, site, conf_level=conf_level),
    )


def _studies(
    own: IndicatorTable, name: str, dimension: str, reference: str, conf_level: float
) -> list[Study]:
    indicator = own.dictionary.indicator(name)
    rows = own.where(indicator=name)
    if rows.empty:
        raise DesignError("no rows of this indicator")
    split = rows.where(dimension=dimension)
    if split.empty:
        raise DesignError(f"not split by {dimension} in these data")
    populations = sorted(split.frame["population"].unique())
    return [
        study(split.where(population=population), indicator, dimension, reference, conf_level=conf_level)
        for population in populations
    ]


def _row(name: str, site: Site, dimension: str, **more: Any) -> dict[str, Any]:
    return {
        "method": METHOD,
        "indicator": name,
        "site_id": site.site_id,
        "unit_id": ALL_UNITS,
        "dimension": dimension,
        **more,
    }


def _tidy_rows(item: Study, site: Site) -> list[dict[str, Any]]:
    scale, indicator = item.indicator.scale, item.indicator
    start = _row(indicator.id, site, item.dimension, population=item.population)
    rows: list[dict[str, Any]] = []
    for cell in item.cells.itertuples():
        note = reason_of(cell.status)
        if cell.status == "censored":
            note = f"{note}: {cell.rate_low * scale:.1f} to {cell.rate_high * scale:.1f}"
        rows.append(
            {
                **start,
                "subgroup": cell.subgroup,
                "period": cell.period,
                "term": "rate",
                "estimate": cell.rate * scale,
                "conf_low": cell.conf_low * scale,
                "conf_high": cell.conf_high * scale,
                "unit": indicator.unit,
                "n": cell.denominator,
                "note": note,
            }
        )
    for pair in item.compared.itertuples():
        rows.extend(_pair_rows(item, pair, start))
    for trend in item.trends:
        rows.extend(_trend_rows(item, trend, start))
    span = {**start, "period": item.latest, "unit": indicator.difference_unit, "n": item.groups_in_range}
    if not np.isnan(item.observed_range):
        rows.append({**span, "term": "range", "estimate": item.observed_range * scale, "note": RANGE_NOTE})
        chance = item.chance_range * scale
        rows.append({**span, "term": "range_by_chance", "estimate": chance, "note": CHANCE_NOTE})
    return rows


def _pair_rows(item: Study, pair: Any, start: Mapping[str, Any]) -> list[dict[str, Any]]:
    scale, unit = item.indicator.scale, item.indicator.difference_unit
    here = {**start, "subgroup": pair.subgroup, "period": pair.period, "n": pair.n + pair.reference_n}
    is_latest = pair.period == item.latest
    rows = [
        {
            **here,
            "term": "difference",
            "estimate": pair.difference * scale,
            "std_error": pair.difference_error * scale,
            "conf_low": pair.difference_low * scale,
            "conf_high": pair.difference_high * scale,
            "p_value": item.latest_p_values.get(pair.subgroup, np.nan) if is_latest else np.nan,
            "unit": unit,
            "note": pair.note,
        },
        {
            **here,
            "term": "ratio",
            "estimate": pair.ratio,
            "conf_low": pair.ratio_low,
            "conf_high": pair.ratio_high,
            "unit": "ratio",
            "note": pair.note,
        },
    ]
    if not np.isnan(pair.least):
        ends = ("least", "most") if item.indicator.favourable == "higher" else ("most", "least")
        for end, term in zip(ends, ("difference_worst_case", "difference_best_case"), strict=True):
            bound = {
                "estimate": getattr(pair, end) * scale,
                "conf_low": getattr(pair, f"{end}_low") * scale,
                "conf_high": getattr(pair, f"{end}_high") * scale,
            }
            rows.append({**here, **bound, "term": term, "unit": unit, "note": pair.note})
    if is_latest:
        rows.append(
            {
                **here,
                "term": "additional_to_parity",
                "estimate": pair.additional,
                "conf_low": pair.additional_low,
                "conf_high": pair.additional_high,
                "unit": "events" if item.indicator.may_exceed_one else "persons",
                "n": pair.n,
                "note": _persons_note(pair)
                or ("" if not np.isnan(pair.additional) else "no counts to work it out from"),
            }
        )
    return rows


def _persons_note(pair: Any) -> str:
    if np.isnan(pair.additional_most):
        return str(pair.note)
    return f"{pair.note}: {pair.additional_least:.0f} to {pair.additional_most:.0f}"


def _trend_rows(item: Study, trend: Any, start: Mapping[str, Any]) -> list[dict[str, Any]]:
    period = PERIOD_WORDS[item.indicator.frequency]
    here = {**start, "subgroup": trend.subgroup, "period": item.latest}
    fit = trend.fit
    if fit is None:
        note = "fewer than 3 periods with an exact gap"
        return [{**here, "term": term, "note": note} for term in ("difference_trend", "periods_to_parity")]
    scale = item.indicator.scale
    left_out = f"; {trend.left_out} periods hidden, missing or ranges" if trend.left_out else ""
    is_interval = fit.fieller == "interval"
    return [
        {
            **here,
            "term": "difference_trend",
            "estimate": fit.slope * scale,
            "std_error": fit.slope_error * scale,
            "conf_low": fit.conf_low * scale,
            "conf_high": fit.conf_high * scale,
            "unit": f"{item.indicator.difference_unit} per period",
            "n": fit.periods,
            "note": f"{trend.first} to {trend.last}, {fit.periods} periods{left_out}",
        },
        {
            **here,
            "term": "periods_to_parity",
            "estimate": fit.parity if is_interval else np.nan,
            "conf_low": fit.parity_low if is_interval else np.nan,
            "conf_high": fit.parity_high if is_interval else np.nan,
            "unit": f"{period}s",
            "n": fit.periods,
            "note": trend.parity,
        },
    ]
