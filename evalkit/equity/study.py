"""One indicator split one way: levels, gaps, trend, parity and the range that chance makes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.dictionary import CROSSING, DataDictionary, Indicator
from evalkit.equity.contrasts import holm, level_interval, level_of
from evalkit.equity.differences import REASONS, against_reference
from evalkit.equity.noise import expected_range
from evalkit.equity.parity import GapTrend, additional_to_parity, gap_trend, parity_words
from evalkit.indicators import IndicatorTable
from evalkit.periods import to_period

PERIOD_WORDS = {"school_year": "year", "year": "year", "quarter": "quarter", "month": "month"}


@dataclass(frozen=True)
class Trend:
    """The trend of one subgroup's gap: what was fitted, on which periods, and parity in words."""

    subgroup: str
    fit: GapTrend | None
    first: str
    last: str
    left_out: int
    parity: str


@dataclass(frozen=True)
class Study:
    """What is known of one indicator, population and dimension at one site.

    Attributes
    ----------
    cells : a row per period and subgroup, with `conf_low` and `conf_high` of the level (proportions)
    compared : see `against_reference`, with `additional`, `additional_low`, `additional_high` (persons)
    latest : the last period with a gap, exact or bounded; "" where there is none
    latest_p_values : subgroup -> p value of the latest gap, adjusted by Holm's method
    observed_range, chance_range : highest less lowest rate in the latest period, and what chance alone makes
    """

    indicator: Indicator
    population: str
    dimension: str
    reference: str
    cells: pd.DataFrame
    compared: pd.DataFrame
    latest: str
    latest_p_values: dict[str, float]
    trends: tuple[Trend, ...]
    observed_range: float
    chance_range: float
    groups_in_range: int

    @property
    def latest_gaps(self) -> pd.DataFrame:
        """The comparisons of the latest period."""
        return self.compared[self.compared["period"] == self.latest]


def study(
    table: IndicatorTable, indicator: Indicator, dimension: str, reference: str, *, conf_level: float
) -> Study:
    """Study one indicator of one site, unit and population, split by one dimension."""
    cells = table.where(dimension=dimension).rates()
    cells["conf_low"], cells["conf_high"] = level_interval(level_of(cells, indicator), conf_level=conf_level)
    compared = against_reference(table, indicator, dimension, reference, conf_level=conf_level)
    compared = _with_additional(compared, cells, indicator)
    known = compared[compared["difference"].notna() | compared["least"].notna()]
    latest = str(known["period"].max()) if not known.empty else ""
    now = compared[compared["period"] == latest]
    adjusted = holm(now["p_value"].to_numpy(dtype=float))
    trends = tuple(
        _trend(rows.sort_values("period"), indicator, str(name), latest, conf_level)
        for name, rows in compared.groupby("subgroup", sort=True)
    )
    observed, chance, groups = _range(cells[cells["period"] == latest], indicator)
    return Study(
        indicator=indicator,
        population=str(cells["population"].iloc[0]),
        dimension=dimension,
        reference=reference,
        cells=cells,
        compared=compared,
        latest=latest,
        latest_p_values=dict(zip(now["subgroup"], adjusted, strict=True)),
        trends=trends,
        observed_range=observed,
        chance_range=chance,
        groups_in_range=groups,
    )


def reason_of(status: str) -> str:
    """Say why a cell has no exact value; "" where it has one."""
    return REASONS.get(status, "")


def subgroup_label(dictionary: DataDictionary, dimension: str, subgroup: str) -> str:
    """Write a subgroup as a reader knows it; crossed groups joined by a comma."""
    names = []
    for part, name in zip(dimension.split(CROSSING), subgroup.split(CROSSING), strict=True):
        labels = {item.id: item.label for item in dictionary.dimensions[part].subgroups}
        names.append(labels.get(name, name))
    return ", ".join(names)


def dimension_label(dictionary: DataDictionary, dimension: str) -> str:
    """Write a dimension as a reader knows it; the parts of a crossed one joined by "and"."""
    known = [dictionary.dimensions[part].label for part in dimension.split(CROSSING)]
    return " and ".join([known[0], *(name.lower() for name in known[1:])])


def _with_additional(compared: pd.DataFrame, cells: pd.DataFrame, indicator: Indicator) -> pd.DataFrame:
    """Add the persons to parity, with the interval that the gap's own interval gives."""
    numerators = cells.set_index(["period", "subgroup"])["numerator"]
    keys = list(zip(compared["period"], compared["subgroup"], strict=True))
    x = numerators.reindex(keys).to_numpy(dtype=float)
    n = compared["n"].to_numpy(dtype=float)
    out = compared.copy()
    reference_rate = x / n - out["difference"].to_numpy(dtype=float)
    out["additional"] = additional_to_parity(x, n, reference_rate, favourable=indicator.favourable)
    ends = [
        additional_to_parity(
            x, n, x / n - out[f"difference_{end}"].to_numpy(float), favourable=indicator.favourable
        )
        for end in ("low", "high")
    ]
    out["additional_low"], out["additional_high"] = np.minimum(*ends), np.maximum(*ends)
    # Of a range: the fewest and the most persons that its gaps would take.
    bounds = [
        additional_to_parity(0, n, -out[end].to_numpy(dtype=float), favourable=indicator.favourable)
        for end in ("least", "most")
    ]
    out["additional_least"], out["additional_most"] = np.minimum(*bounds), np.maximum(*bounds)
    return out


def _trend(rows: pd.DataFrame, indicator: Indicator, subgroup: str, latest: str, conf_level: float) -> Trend:
    breaks = [item.period for item in indicator.breaks if item.period <= latest]
    rows = rows[rows["period"].ge(max(breaks, default="")) & rows["period"].le(latest)]
    usable = rows[rows["difference"].notna()]
    fit = None
    if not usable.empty:
        end = to_period(latest, indicator.frequency).ordinal
        clock = [period.ordinal - end for period in usable["time"]]
        fit = gap_trend(clock, usable["difference"], usable["difference_error"], conf_level=conf_level)
    words = PERIOD_WORDS[indicator.frequency]
    return Trend(
        subgroup=subgroup,
        fit=fit,
        first=str(usable["period"].min()) if fit else "",
        last=str(usable["period"].max()) if fit else "",
        left_out=len(rows) - len(usable),
        parity=parity_words(fit, period=words) if fit else "",
    )


def _range(cells: pd.DataFrame, indicator: Indicator) -> tuple[float, float, int]:
    """Give highest less lowest rate of the groups whose counts are known, and what equality would show."""
    usable = cells[cells["numerator"].notna() & cells["rate"].notna()]
    if len(usable) < 2 or indicator.may_exceed_one:
        return float("nan"), float("nan"), len(usable)
    rate = float(usable["numerator"].sum() / usable["denominator"].sum())
    observed = float(usable["rate"].max() - usable["rate"].min())
    return observed, expected_range(usable["denominator"], rate), len(usable)
