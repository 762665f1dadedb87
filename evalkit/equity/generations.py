"""Children and their caregivers side by side: the same site, the same period."""

from collections.abc import Sequence

import pandas as pd

from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP
from evalkit.equity.contrasts import level_interval, level_of
from evalkit.equity.differences import REASONS
from evalkit.equity.study import Study, reason_of, subgroup_label
from evalkit.indicators import IndicatorTable
from evalkit.wording import interval

GENERATIONS = ("child", "caregiver")
TWO_GENERATION_COLUMNS = (
    "period", "generation", "indicator", "label", "population", "dimension", "subgroup", "subgroup_label",
    "rate", "conf_low", "conf_high", "unit", "difference", "difference_low", "difference_high", "reference",
    "n", "note",
)  # fmt: skip


def two_generation(own: IndicatorTable, studies: Sequence[Study], *, conf_level: float) -> pd.DataFrame:
    """Set child and caregiver indicators of a site side by side in the latest period that both have.

    Returns
    -------
    One row per indicator and subgroup, "All" first: the level and its gap to the reference, each with its
    interval, in the indicator's unit. Where one generation is missing the other's latest period is given.
    """
    rows = own.rates()
    rows = rows[rows["status"].isin(["reported", "censored"])]
    generation = rows["indicator"].map(lambda name: own.dictionary.indicator(name).generation)
    totals = rows[rows["dimension"].eq(TOTAL_DIMENSION)].assign(_generation=generation)
    period = _latest_common_period(totals)
    parts = [
        _total_rows(own, totals[totals["period"].eq(period)], conf_level=conf_level),
        *(_subgroup_rows(own, item, period) for item in studies),
    ]
    frame = pd.concat([part for part in parts if not part.empty] or parts[:1], ignore_index=True)
    place = {name: at for at, name in enumerate(own.dictionary.indicators)}
    frame = frame.assign(
        _generation=frame["generation"].map({name: at for at, name in enumerate(GENERATIONS)}),
        _indicator=frame["indicator"].map(place),
        _total=frame["dimension"].ne(TOTAL_DIMENSION),
    ).sort_values(["_generation", "_indicator", "_total", "dimension", "subgroup"], kind="stable")
    return frame[list(TWO_GENERATION_COLUMNS)].reset_index(drop=True)


def generations_of(frame: pd.DataFrame) -> list[str]:
    """List the generations that have a known level in the frame of `two_generation`."""
    known = shown_rows(frame)["generation"]
    return [name for name in GENERATIONS if known.eq(name).any()]


def shown_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows whose level is known, exactly or as a range."""
    return frame[frame["rate"].notna() | frame["note"].str.startswith(REASONS["censored"])]


def _notes(rows: pd.DataFrame, scale: float) -> list[str]:
    """Give the reason of each cell without an exact value, and the ends of each range."""
    return [
        f"{reason_of(row.status)}: {interval(row.rate_low * scale, row.rate_high * scale)}"
        if row.status == "censored"
        else reason_of(row.status)
        for row in rows.itertuples()
    ]


def _latest_common_period(totals: pd.DataFrame) -> str:
    periods = [set(totals.loc[totals["_generation"].eq(name), "period"]) for name in GENERATIONS]
    common = periods[0] & periods[1]
    return max(common or periods[0] | periods[1], default="")


def _total_rows(own: IndicatorTable, totals: pd.DataFrame, *, conf_level: float) -> pd.DataFrame:
    parts = []
    for name, rows in totals.groupby("indicator", sort=False):
        indicator = own.dictionary.indicator(str(name))
        if indicator.generation not in GENERATIONS:
            continue
        low, high = level_interval(level_of(rows, indicator), conf_level=conf_level)
        parts.append(
            pd.DataFrame(
                {
                    "period": rows["period"],
                    "generation": indicator.generation,
                    "indicator": indicator.id,
                    "label": indicator.label,
                    "population": rows["population"],
                    "dimension": TOTAL_DIMENSION,
                    "subgroup": TOTAL_SUBGROUP,
                    "subgroup_label": "Everyone",
                    "rate": rows["rate"] * indicator.scale,
                    "conf_low": low * indicator.scale,
                    "conf_high": high * indicator.scale,
                    "unit": indicator.unit,
                    "n": rows["denominator"],
                    "note": _notes(rows, indicator.scale),
                }
            )
        )
    empty = pd.DataFrame(columns=list(TWO_GENERATION_COLUMNS))
    return pd.concat(parts).reindex(columns=list(TWO_GENERATION_COLUMNS)) if parts else empty


def _subgroup_rows(own: IndicatorTable, item: Study, period: str) -> pd.DataFrame:
    indicator, scale = item.indicator, item.indicator.scale
    cells = item.cells[item.cells["period"].eq(period)]
    if cells.empty or indicator.generation not in GENERATIONS:
        return pd.DataFrame(columns=list(TWO_GENERATION_COLUMNS))
    gaps = item.compared[item.compared["period"].eq(period)].set_index("subgroup")
    gap = {
        name: cells["subgroup"].map(gaps[name]).to_numpy(dtype=float) * scale
        for name in ("difference", "difference_low", "difference_high")
    }
    return pd.DataFrame(
        {
            "period": cells["period"],
            "generation": indicator.generation,
            "indicator": indicator.id,
            "label": indicator.label,
            "population": cells["population"],
            "dimension": item.dimension,
            "subgroup": cells["subgroup"],
            "subgroup_label": [
                subgroup_label(own.dictionary, item.dimension, name) for name in cells["subgroup"]
            ],
            "rate": cells["rate"] * scale,
            "conf_low": cells["conf_low"] * scale,
            "conf_high": cells["conf_high"] * scale,
            "unit": indicator.unit,
            **gap,
            "reference": item.reference,
            "n": cells["denominator"],
            "note": _notes(cells, scale),
        }
    )
