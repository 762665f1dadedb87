"""When an interruption falls in a series, and where in the year its periods lie."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.periods import to_period

# month in which a school year begins in the books of American school districts: 2018-19 runs from July 2018
SCHOOL_YEAR_FIRST_MONTH = 7

SEASONAL_FREQUENCIES = {"month": 12, "quarter": 4}  # periods in a year
FEWEST_CYCLES = 2  # times each place of the year must be seen before the interruption
NO_PLACE = 0  # mark of a period without a place in the year: nothing was observed there


def first_post_period(start: str, frequency: str) -> pd.Period:
    """Take the declared start of the work to the frequency of a series.

    A start given as a year is a school year, so a monthly series begins its post-period in July of the year
    before; a start given as a month falls into the school year, calendar year or quarter that contains it. A
    calendar year keeps its number.

    Parameters
    ----------
    start : ISO text of the first post period: "2019", "2019-Q3" or "2018-09"
    frequency : that of the indicator: school_year, year, quarter or month
    """
    if "-" in start:
        given = "quarter" if "Q" in start else "month"
        first_day = to_period(start, given).start_time
        if frequency == "school_year":
            later = int(first_day.month >= SCHOOL_YEAR_FIRST_MONTH)
            return pd.Period(year=first_day.year + later, freq="Y")
        return pd.Period(first_day, freq={"year": "Y", "quarter": "Q", "month": "M"}[frequency])
    if frequency in SEASONAL_FREQUENCIES:
        first_month = pd.Period(year=int(start) - 1, month=SCHOOL_YEAR_FIRST_MONTH, freq="M")
        return first_month if frequency == "month" else first_month.asfreq("Q")
    return to_period(start, frequency)


def season_places(periods: pd.PeriodIndex, observed: NDArray[np.bool_], frequency: str) -> list[int] | None:
    """Give each period its place in the year, `NO_PLACE` if that is never observed; None without seasons."""
    if frequency not in SEASONAL_FREQUENCIES:
        return None
    places = np.asarray(periods.month if frequency == "month" else periods.quarter)
    seen = np.unique(places[observed])
    return [int(place) if place in seen else NO_PLACE for place in places]


def extended_season(periods: pd.PeriodIndex, places: list[int] | None, count: int) -> list[int] | None:
    """Carry the places of the year on to `count` periods from the first."""
    if places is None:
        return None
    further = pd.period_range(periods[0], periods=count, freq=periods.freq)
    month_or_quarter = further.month if str(periods.freqstr).startswith("M") else further.quarter
    seen = set(places)
    return [int(place) if place in seen else NO_PLACE for place in np.asarray(month_or_quarter)]


def season_problem(places: list[int], observed: NDArray[np.bool_], start: int) -> str:
    """Say why a season cannot be told from a change, or "" where it can."""
    where = np.asarray(places)
    before = where[:start][observed[:start]]
    rare = [
        place
        for place in sorted(set(places) - {NO_PLACE})
        if np.count_nonzero(before == place) < FEWEST_CYCLES
    ]
    if not rare:
        return ""
    return (
        f"{len(rare)} of the {len(set(places) - {NO_PLACE})} places of the year are seen fewer than "
        f"{FEWEST_CYCLES} times before the interruption, so the season cannot be told from a change"
    )
