"""An axis of periods as readers know them: school years, quarters, months."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from evalkit.charts.style import INK, MUTED
from evalkit.periods import reader_label, to_period

MOST_LABELS = 8  # that stand side by side on a text column at 9 points
PERIODS_IN_YEAR = {"month": 12, "quarter": 4}
FIRST_SCHOOL_MONTH = 9  # September: where a reader looks for the start of a school year


def places(periods: Sequence[str], frequency: str) -> NDArray[np.float64]:
    """Put ISO periods on a line on which neighbours lie 1 apart."""
    return np.array([to_period(text, frequency).ordinal for text in periods], dtype=np.float64)


def label_periods(ax: Axes, periods: Sequence[str], frequency: str, *, most: int = MOST_LABELS) -> None:
    """Write at most `most` period labels below the axis, evenly spaced and always with the last year."""
    chosen = list(dict.fromkeys(periods))
    if frequency in PERIODS_IN_YEAR:
        month = [to_period(text, frequency).start_time.month for text in chosen]
        first = FIRST_SCHOOL_MONTH if frequency == "month" and FIRST_SCHOOL_MONTH in month else month[0]
        chosen = [text for text, place in zip(chosen, month, strict=True) if place == first]
    step = max(1, int(np.ceil(len(chosen) / most)))
    chosen = chosen[::-1][::step][::-1]
    ax.set_xticks(places(chosen, frequency), [_short(text, frequency) for text in chosen])


def mark_start(ax: Axes, position: float, text: str) -> None:
    """Draw the line between the last period before and the first period after, and say what it is."""
    ax.axvline(position - 0.5, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1.5)
    ax.annotate(
        text,
        (position - 0.5, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -3),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=8,
        color=MUTED,
    )


def end_labels(
    ax: Axes, position: float, labels: Sequence[tuple[float, str, str]], *, size: float = 8
) -> None:
    """Write (value, text, colour) beside the last period, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    gap = (high - low) * size * 1.25 / max(height, 1.0)
    taken: list[float] = []
    for value, text, color in sorted(labels, key=lambda item: item[0]):
        lines = text.count("\n") + 1
        place = min(max(value, low + gap * lines / 2), high - gap * lines / 2)
        if taken:
            place = max(place, taken[-1] + gap * (lines + 1) / 2)
        taken.append(place + gap * (lines - 1) / 2)
        ax.annotate(
            text,
            (position, place),
            xytext=(7, 0),
            textcoords="offset points",
            color=color,
            fontsize=size,
            va="center",
            annotation_clip=False,
        )


def _short(text: str, frequency: str) -> str:
    if frequency == "month":
        return str(to_period(text, frequency).strftime("%b %Y"))
    return reader_label(text, frequency)
