"""Labelled boxes of a drawn graph: shapes that differ without colour, and letters that fit them."""

from functools import lru_cache
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Patch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from evalkit.charts.style import BLUE, GREEN, MUTED, RULES, SKY, YELLOW, house_style

# Lengths in inches, at the size the figure is made for; letters in points.
LETTER = 7.5
LINE = 0.130
BOX_WIDTH = 1.17
PADDING = 0.07
CUT = 0.10  # of the corners of an octagon
INSET = 0.03  # of the inner frame of a double box
ROUNDING = {"pill": 0.45, "round": 0.18}  # share of the height


class Look(NamedTuple):
    """How a kind of box is drawn, and what the legend calls it."""

    words: str
    shape: str
    fill: str
    edge: str


LOOKS = {
    "partner": Look("Partner", "square", "#ffffff", MUTED),
    "family": Look("Family solution", "pill", "#fdf3d0", YELLOW),
    "program": Look("Program", "square", "#fdf3d0", YELLOW),
    "policy": Look("Policy", "hexagon", "#fdf3d0", YELLOW),
    "system": Look("System change", "octagon", "#fdf3d0", YELLOW),
    "solution": Look("Solution", "round", "#fdf3d0", YELLOW),
    "output": Look("Output", "square", "#e2f1fa", SKY),
    "outcome": Look("Outcome", "round", "#d9e8f3", BLUE),
    "indicator": Look("Indicator", "double", "#d8efe6", GREEN),
}


def look_of(kind: str, solution_type: str) -> str:
    """Name the look of a node: a solution takes that of its kind."""
    return solution_type if kind == "solution" and solution_type in LOOKS else kind


def draw_shape(
    axes: Axes, look: Look, x: float, y: float, width: float, height: float, *, scale: float, name: str
) -> None:
    """Draw the outline of a box whose corner nearest the origin is (x, y); lengths in data units."""
    corners = _corners(look.shape, width, height)
    if corners:
        shape: Patch = Polygon([(x + dx, y + dy) for dx, dy in corners], closed=True)
    else:
        shape = _rectangle(x, y, width, height, ROUNDING.get(look.shape, 0.0) * min(height, 0.5))
    shape.set(facecolor=look.fill, edgecolor=look.edge, linewidth=1.2 * scale, zorder=3, gid=name)
    axes.add_patch(shape)
    if look.shape == "double":
        inner = _rectangle(x + INSET, y + INSET, width - 2 * INSET, height - 2 * INSET, 0.0)
        inner.set(facecolor="none", edgecolor=look.edge, linewidth=0.8 * scale, zorder=3)
        axes.add_patch(inner)


def _corners(shape: str, width: float, height: float) -> list[tuple[float, float]]:
    cut = min(CUT, height / 3)
    if shape == "hexagon":
        point = cut * 0.6
        return [
            (-INSET, height / 2), (point, 0), (width - point, 0),
            (width + INSET, height / 2), (width - point, height), (point, height),
        ]  # fmt: skip
    if shape == "octagon":
        return [
            (0, cut), (cut, 0), (width - cut, 0), (width, cut),
            (width, height - cut), (width - cut, height), (cut, height), (0, height - cut),
        ]  # fmt: skip
    return []


def _rectangle(x: float, y: float, width: float, height: float, rounding: float) -> FancyBboxPatch:
    style = f"round,pad=0,rounding_size={rounding}" if rounding else "square,pad=0"
    return FancyBboxPatch((x, y), width, height, boxstyle=style)


def wrapped(label: str, room: float = BOX_WIDTH - 2 * PADDING) -> tuple[str, ...]:
    """Break a label into lines that fit the room, by default a box, by the real width of the letters."""
    lines: list[str] = []
    for word in label.split():
        for part in _pieces(word, room):
            if lines and text_width(f"{lines[-1]} {part}") <= room:
                lines[-1] = f"{lines[-1]} {part}"
            else:
                lines.append(part)
    return tuple(lines) or ("",)


def _pieces(word: str, room: float) -> list[str]:
    """Break a word that is wider than the room, with hyphens."""
    if text_width(word) <= room:
        return [word]
    cut = max(1, next((i for i in range(len(word), 0, -1) if text_width(word[:i] + "-") <= room), 1))
    return [word[:cut] + "-", *_pieces(word[cut:], room)]


@lru_cache(maxsize=4096)
def text_width(text: str) -> float:
    """Return the width of a text in inches at the size `LETTER`."""
    if not text.strip():
        return 0.0
    # Letters have no width of their own where two words meet, so a blank is measured between strokes.
    font = FontProperties(family=str(RULES["font.family"]))
    with house_style():
        path = TextPath((0, 0), text, size=LETTER, prop=font)
    # Outlines turn at points of their own, so these bound them; ten times as quick as following the curves.
    across = path.vertices[path.codes != Path.CLOSEPOLY, 0]
    return float(across.max() - across.min()) / 72
