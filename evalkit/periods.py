"""Periods as ISO text in files and as pandas Periods inside: "2019", "2019-Q3", "2019-07"."""

import re
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PATTERNS = {
    "year": re.compile(r"^\d{4}$"),
    "quarter": re.compile(r"^\d{4}-Q[1-4]$"),
    "month": re.compile(r"^\d{4}-(0[1-9]|1[0-2])$"),
}
PANDAS_FREQUENCY = {"school_year": "Y", "year": "Y", "quarter": "Q", "month": "M"}


def period_text(value: Any) -> Any:
    """Take a bare year or a date that YAML has already read as such back to text; leave the rest alone."""
    if isinstance(value, int) and not isinstance(value, bool) and 1000 <= value <= 9999:
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def check_period(text: str) -> str:
    """Return the text if it is a period.

    Raises
    ------
    ValueError : it is none of a year, a quarter and a month.
    """
    if not any(pattern.match(text) for pattern in PATTERNS.values()):
        raise ValueError(
            f"{text!r} is not a period; write 2019, 2019-Q3 or 2019-07 (school year 2018-19 is 2019)"
        )
    return text


def is_period_of(text: str, frequency: str) -> bool:
    """Tell whether the text is a period of this frequency."""
    return bool(PATTERNS["year" if frequency == "school_year" else frequency].match(text))


def to_period(text: str, frequency: str) -> "pd.Period":
    """Make the pandas Period; a school year is the year in which it ends."""
    # not at the top: to read parameters, and to find that nothing is to do, takes no pandas
    import pandas as pd

    return pd.Period(text.replace("-Q", "Q"), freq=PANDAS_FREQUENCY[frequency])


def from_period(period: "pd.Period") -> str:
    """Write a pandas Period as ISO text."""
    return str(period).replace("Q", "-Q") if "Q" in str(period) else str(period)


def reader_label(text: str, frequency: str) -> str:
    """Write a period as a reader knows it: "2018-19", "Q3 2019", "July 2019", "2019"."""
    if frequency == "school_year":
        year = int(text)
        return f"{year - 1}-{year % 100:02d}"
    if frequency == "quarter":
        year_text, quarter = text.split("-")
        return f"{quarter} {year_text}"
    if frequency == "month":
        return str(to_period(text, frequency).strftime("%B %Y"))
    return text
