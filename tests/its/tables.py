"""Small indicator tables for the tests of this room."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evalkit.dictionary import DataDictionary
from evalkit.indicators import IndicatorTable
from evalkit.sites import Baseline, Site, Target

# ../shared/data/SOURCES.md: John O'Connell High, cohort and feasible graduates 2012-2017, worked by hand
OCONNELL = [
    ("2012", 108, 70, 75),
    ("2013", 99, 69, 73),
    ("2014", 127, 101, 107),
    ("2015", 96, 72, 76),
    ("2016", 88, 75, 78),
    ("2017", 71, 57, 59),
]
COHORT = 10_000  # children in a made-up year: percentages come through to two digits


def counted(
    percents: Mapping[str, float],
    dictionary: DataDictionary,
    *,
    indicator: str = "graduation_rate",
    site_id: str = "place",
    population: str = "target_school",
    denominator: int = COHORT,
    hidden: Sequence[str] = (),
) -> IndicatorTable:
    """A table of one series of exact counts."""
    rows: list[dict[str, Any]] = [
        {
            "indicator": indicator,
            "site_id": site_id,
            "population": population,
            "period": period,
            "numerator": None if period in hidden else float(round(value / 100 * denominator)),
            "denominator": None if period in hidden else float(denominator),
            "status": "suppressed" if period in hidden else "reported",
            "source": "made up",
        }
        for period, value in percents.items()
    ]
    return IndicatorTable.from_frame(pd.DataFrame(rows), dictionary=dictionary)


def bounded(
    cells: Sequence[tuple[str, int, int, int]],
    dictionary: DataDictionary,
    *,
    indicator: str = "graduation_rate",
) -> IndicatorTable:
    """A table of one series known only within bounds: (period, cohort, fewest, most)."""
    rows = [
        {
            "indicator": indicator,
            "site_id": "place",
            "population": "target_school",
            "period": period,
            "denominator": float(cohort),
            "lower": fewest / cohort,
            "upper": most / cohort,
            "status": "censored",
            "source": "EDFacts",
        }
        for period, cohort, fewest, most in cells
    ]
    return IndicatorTable.from_frame(pd.DataFrame(rows), dictionary=dictionary)


def place(start: str | None = "2019", **more: Any) -> Site:
    return Site(site_id="place", name="The Place", start=start, **more)


def aim(value: float, period: str = "2024", indicator: str = "graduation_rate") -> Target:
    return Target(indicator=indicator, period=period, value=value)


def since(period: str, indicator: str = "graduation_rate") -> Baseline:
    return Baseline(indicator=indicator, period=period)


def years(values: Sequence[float], first: int = 2013) -> dict[str, float]:
    return {str(first + place): value for place, value in enumerate(values)}
