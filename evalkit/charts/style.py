"""One look for every chart: palette, axes, marks, and the alt text that states the finding."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe & Ito (2008), a palette that readers with colour-vision deficiency can tell apart.
INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#e3e3e3"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PURPLE = "#8e5a9e"
YELLOW = "#c79a00"
SKY = "#56b4e9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

WIDTH = 7.2  # inches: the text column of a printed page
HEIGHT = 3.9  # inches
WORDS_HEIGHT = 1.2  # inches; of a sentence in the place of a chart
FOOTNOTE_POINTS = 7.5  # type size
FOOTNOTE_CHARACTERS = 16  # of that size on an inch

RULES: Any = {  # matplotlib's own settings, by their names
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "evalkit",
    "text.parse_math": False,  # two dollar signs in a name are money, not a formula
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw inside this block in the house style, whatever the caller's own settings are."""
    with mpl.rc_context(RULES):
        yield


def new_axes(ax: Axes | None = None, *, width: float = WIDTH, height: float = HEIGHT) -> Axes:
    """Return the caller's axes, or axes on a new figure that pyplot does not keep open.

    In the caller's axes, titles and labels that are still empty will show dollar signs as they are.
    """
    if ax is not None:
        for text in ax.findobj(Text):
            if isinstance(text, Text) and not text.get_text():
                text.set_parse_math(False)
        return ax
    with house_style():
        return Figure(figsize=(width, height)).add_subplot()


def words_instead(ax: Axes | None, words: str) -> Axes:
    """Say in one sentence why there is nothing to draw; the sentence is the alt text as well."""
    with house_style():
        axes = new_axes(ax, height=WORDS_HEIGHT)
        axes.set_axis_off()
        axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED, transform=axes.transAxes)
        return describe(axes, words)


def describe(ax: Axes, alt: str) -> Axes:
    """Attach the alt text: the finding in words, as a person who cannot see the chart needs it."""
    figure_of(ax).set_label(alt)
    return ax


def alt_text(ax: Axes) -> str:
    """Read the alt text that `describe` attached."""
    return str(figure_of(ax).get_label())


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that holds these axes."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    return figure


def footnote(ax: Axes, text: str) -> None:
    """Write source and number of persons below the axes, on as many lines as the figure's width asks for."""
    figure = figure_of(ax)
    lines = textwrap.wrap(text, int(figure.get_figwidth() * FOOTNOTE_CHARACTERS))
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=FOOTNOTE_POINTS, color=MUTED)
