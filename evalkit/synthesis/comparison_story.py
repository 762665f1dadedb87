"""The comparison of sites in plain words: a paragraph an indicator, nobody ranked, nobody left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.dictionary import CROSSING, TOTAL_DIMENSION
from evalkit.parameters import Network
from evalkit.synthesis.findings import amount
from evalkit.wording import interval, listed, number

Row = Mapping[str, Any]

LEVEL, AVERAGE, BESIDE, CHANGE = "level_change", "effect_average", "comparison_effect_average", "change"
FICTIONAL = "The neighborhoods of this network are fictional and their data are made up."
FEWEST_FOR_A_GAP = 3  # sites: with two the interval of an average gap says next to nothing; the table has it


def comparison_story(
    sites: pd.DataFrame, pooled: pd.DataFrame, network: Network, conf_level: float
) -> Iterator[str]:
    """Tell the comparison.

    Parameters
    ----------
    sites, pooled : the frames of the comparison
    """
    if network.synthetic:
        yield FICTIONAL
    if sites.empty:
        yield "No site has an estimate that could be compared yet."
        return
    yield (
        "Sites are listed by name and never ranked: each began at its own time with its mix of solutions. "
        f"Numbers in brackets are {number(100 * conf_level, 0)}% intervals. They describe change since the "
        "work began; much else may have contributed to it."
    )
    for indicator, questions in pooled.groupby("indicator", sort=False):
        own = sites[sites["indicator"] == indicator]
        records = questions.to_dict("records")
        changes = {row["term"]: row for row in records if row["dimension"] == TOTAL_DIMENSION}
        series = {name: row for name, row in changes.items() if name != CHANGE and row["shown"]}
        name = str(records[0]["label"])
        better = "lower is better" if records[0]["favourable"] == "lower" else "higher is better"
        sentences = list(_series(series, own)) if series else list(_plain_change(changes, own))
        if sentences:
            yield f"{name} ({better}). {' '.join(sentences)}"
        gaps = _gaps([row for row in records if row["dimension"] != TOTAL_DIMENSION])
        if gaps:
            yield gaps


def bare_name(site: str) -> str:
    """Leave out "(fictional)" where the page has already said so of all sites."""
    return site.removesuffix(" (fictional)")


def _series(series: Mapping[str, Row], own: pd.DataFrame) -> Iterator[str]:
    """Tell what the time series of the sites have in common."""
    if LEVEL in series and np.isfinite(series[LEVEL]["estimate"]):
        yield f"When the work began the level changed by {_average(series[LEVEL])}."
    if AVERAGE in series:
        row = series[AVERAGE]
        part = own[(own["term"] == AVERAGE) & (own["dimension"] == TOTAL_DIMENSION)]
        if np.isfinite(row["estimate"]):
            yield f"Since then the values lay {_average(row)} from where the earlier trend pointed."
            if row["conf_low"] <= 0 <= row["conf_high"]:
                yield "That interval includes no change."
        elif row["k"] == 1:
            told = part[part["comparable"] == "yes"].iloc[0]
            yield (
                f"Only {bare_name(told['site'])} could be told, and one site is not pooled: since the work "
                f"began its values lay {amount(told['estimate'], told['unit'])} "
                f"({interval(told['conf_low'], told['conf_high'])}) from where the earlier trend pointed."
            )
        if BESIDE in series and np.isfinite(series[BESIDE]["estimate"]):
            yield f"In the comparison sites, where the work was not done, it was {_average(series[BESIDE])}."
        if np.isfinite(row["estimate"]):
            yield f"{row['in_words'][0].upper()}{row['in_words'][1:]}."
        if np.isfinite(row["predict_low"]):
            yield f"One more, similar site could expect {interval(row['predict_low'], row['predict_high'])}."
        elif row["k"] == 2:
            yield f"Mind: {row['note']}."
        yield from _others(part)


def _plain_change(changes: Mapping[str, Row], own: pd.DataFrame) -> Iterator[str]:
    """Where no site has a time series: say why, and tell each site's plain change, never averaged."""
    if AVERAGE in changes:
        yield "No site has a time series that could be pooled."
        yield from _others(own[(own["term"] == AVERAGE) & (own["dimension"] == TOTAL_DIMENSION)])
    part = own[(own["term"] == CHANGE) & own["estimate"].notna()]
    if len(part):
        told = [
            f"{bare_name(site['site'])} {amount(site['estimate'], site['unit'])} "
            f"({interval(site['conf_low'], site['conf_high'])})"
            for site in part.to_dict("records")
        ]
        yield f"Change from the baseline to the latest period, each site its own years: {listed(told)}."
    yield from _ranges(own[own["term"] == CHANGE])


def _others(part: pd.DataFrame) -> Iterator[str]:
    """Name the sites that are not in the average, those with one reason together."""
    yield from _ranges(part)
    absent = part[part["comparable"] == "no"]
    reasons = [
        f"{listed([bare_name(name) for name in same['site']])} ({reason})"
        for reason, same in absent.groupby("reason", sort=False)
    ]
    if reasons:
        yield f"Left out: {'; '.join(reasons)}."


def _ranges(part: pd.DataFrame) -> Iterator[str]:
    blurred = part[part["comparable"] == "range only"]
    if len(blurred):
        ranges = [
            f"{bare_name(site['site'])} {amount(site['low'], site['unit'])} to "
            f"{amount(site['high'], site['unit'])} (the intervals of both ends together reach from "
            f"{interval(site['conf_low'], site['conf_high'])})"
            for site in blurred.to_dict("records")
        ]
        yield f"Counts published as ranges leave a worst and a best case, never pooled: {listed(ranges)}."


def _average(row: Row) -> str:
    ends = interval(row["conf_low"], row["conf_high"])
    return f"on average {amount(row['estimate'], row['unit'])} ({ends}; {row['k']} sites)"


def _gaps(rows: Sequence[Row]) -> str:
    """Name the average gaps of an indicator; crossed groups and pairs of sites stand in the table only."""
    told = [
        row
        for row in rows
        if CROSSING not in row["dimension"] and np.isfinite(row["estimate"]) and row["k"] >= FEWEST_FOR_A_GAP
    ]
    if not told:
        return ""
    parts = [
        f"{row['subgroup']} against {row['reference'] or 'the reference group'} "
        f"{amount(row['estimate'], row['unit'])} ({interval(row['conf_low'], row['conf_high'])}; "
        f"{row['k']} sites)"
        for row in told
    ]
    return f"{told[0]['label']}, average gaps in the latest period: {'; '.join(parts)}."
