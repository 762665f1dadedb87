"""Numbers as a newspaper prints them; one place, so that a number reads the same everywhere."""

import math

MINUS = "−"


def number(value: float, digits: int = 1) -> str:
    """Write a number with a true minus sign; an absent one is a dash; zero never carries a sign."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "unbounded" if value > 0 else f"{MINUS}unbounded"
    text = f"{abs(value):,.{digits}f}"
    return text if value >= 0 or float(text.replace(",", "")) == 0 else MINUS + text


def signed(value: float, digits: int = 1) -> str:
    """Write a change with its sign."""
    text = number(value, digits)
    plain = text.replace(",", "").lstrip(MINUS)
    is_zero = plain.replace(".", "").isdigit() and float(plain) == 0
    return text if text.startswith((MINUS, "–")) or is_zero else f"+{text}"


def percent(value: float, digits: int = 0) -> str:
    """Write a rate that is already in percent."""
    return f"{number(value, digits)}%" if not math.isnan(value) else "–"


def points(value: float, digits: int = 1) -> str:
    """Write a difference in percentage points with its sign."""
    text = signed(value, digits)
    return f"{text} point" if text.lstrip(f"+{MINUS}") in {"1", "1.0"} else f"{text} points"


def interval(low: float, high: float, digits: int = 1) -> str:
    """Write an interval: "2.1 to 5.4"; an open end says so."""
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    return f"{number(low, digits)} to {number(high, digits)}"


def listed(items: list[str], last: str = "and") -> str:
    """Join words as in a sentence: "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
