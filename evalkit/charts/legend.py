"""What the shapes and lines of a theory of change mean, told below the drawing."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts.boxes import LETTER, LOOKS, draw_shape, look_of, text_width
from evalkit.charts.style import INK, MUTED, ORANGE

LEGEND_ROW = 0.24  # inches
LEGEND_MARGIN = 0.06
SAMPLE = 0.26  # inches; width of a shape or line in the legend

# Decibels of the joint likelihood ratio: 10 is a ratio of 10 (strong), 5 one of about 3.
STRONG, MODERATE = 10.0, 5.0


class Stroke(NamedTuple):
    """How a link is drawn, and what the legend calls it."""

    words: str
    width: float
    dashes: tuple[float, ...]
    colour: str


STROKES = {
    "strong": Stroke("Strong evidence", 2.8, (), INK),
    "moderate": Stroke("Moderate evidence", 1.7, (), INK),
    "weak": Stroke("Weak evidence", 0.8, (), INK),
    "against": Stroke("Evidence speaks against it", 1.3, (5, 1.5, 1, 1.5), ORANGE),
    "none": Stroke("No evidence yet", 0.9, (3, 2.4), MUTED),
}
Entry = tuple[str, str]  # "box" or "line", and its name


def stroke_of(link: Any) -> str:
    """Name the stroke of a link by its `evidenced` and `strength` (decibels)."""
    if not link.evidenced:
        return "none"
    strength = float(link.strength)
    if strength <= 0:
        return "against"
    return "strong" if strength >= STRONG else "moderate" if strength >= MODERATE else "weak"


def legend_rows(nodes: pd.DataFrame, links: pd.DataFrame, width: float) -> list[list[Entry]]:
    """Lay out what is drawn, and only that, in rows no wider than the figure: (what, name)."""
    looks = {look_of(str(row.kind), str(row.solution_type)) for row in nodes.itertuples(index=False)}
    strokes = {stroke_of(link) for link in links.itertuples(index=False)}
    entries = [("box", name) for name in LOOKS if name in looks]
    lines = [("line", name) for name in STROKES if name in strokes]
    return [*_rows(entries, width), *_rows(lines, width)]


def _rows(entries: list[Entry], width: float) -> Iterator[list[Entry]]:
    row: list[Entry] = []
    used = LEGEND_MARGIN
    for entry in entries:
        needed = _entry_width(entry)
        if row and used + needed > width - LEGEND_MARGIN:
            yield row
            row, used = [], LEGEND_MARGIN
        row.append(entry)
        used += needed
    if row:
        yield row


def _entry_width(entry: Entry) -> float:
    return SAMPLE + 0.07 + text_width(_words_of(entry)) + 0.12


def _words_of(entry: Entry) -> str:
    return LOOKS[entry[1]].words if entry[0] == "box" else STROKES[entry[1]].words


def draw_legend_row(axes: Axes, entries: list[Entry], y: float, scale: float) -> None:
    """Draw one row of entries at height y, in data units of an inch."""
    x = LEGEND_MARGIN
    for entry in entries:
        if entry[0] == "box":
            draw_shape(
                axes, LOOKS[entry[1]], x + 0.02, y - 0.075, SAMPLE - 0.04, 0.15, scale=scale, name="legend"
            )
        else:
            stroke = STROKES[entry[1]]
            axes.plot(
                [x, x + SAMPLE], [y, y], color=stroke.colour, linewidth=stroke.width * scale,
                dashes=stroke.dashes or (None, None), solid_capstyle="butt", gid="legend",
            )  # fmt: skip
        axes.text(
            x + SAMPLE + 0.07, y, _words_of(entry), ha="left", va="center", fontsize=LETTER * scale, color=INK
        )
        x += _entry_width(entry)
