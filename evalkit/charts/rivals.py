"""Rival explanations in numbers: the improvement each comes to, beside the one that was observed."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from evalkit.charts.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    describe,
    footnote,
    house_style,
    new_axes,
)
from evalkit.wording import interval, number

ROW_HEIGHT = 0.34  # inches for one rival
CLAIM_HEIGHT = 0.55  # inches for the heading of a claim and the room below it
FRAME_HEIGHT = 1.35  # inches for axis, legend and footnote
MEASURED_APART = ("chance", "definition_or_roster")  # no size that could be laid beside a change
# reading -> marker and colour; it is also written beside the row
LOOKS = {
    "could explain it": ("X", ORANGE),
    "explains a part": ("s", ORANGE),
    "cannot be told": ("D", MUTED),
    "too small to explain it": ("o", BLUE),
}


def rivals_chart(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw the size of every rival with its interval, a block per claim.

    Parameters
    ----------
    frames : `rival_tests` (a row per claim and rival: estimate, interval, change, reading) and `ceilings` or
        `glance` for the names of the indicators

    Returns
    -------
    Axes in the unit of the change, improvement to the right. The shaded part begins at half of the observed
    change, from which on a rival could stand for most of it. Rivals without a size are left to the words.
    """
    tests = frames["rival_tests"]
    sized = tests[tests["estimate"].notna() & ~tests["rival_type"].isin(MEASURED_APART)]
    sized = sized[~sized["unit"].eq("score points")]
    with house_style():
        if sized.empty:
            axes = new_axes(ax, height=1.2)
            axes.set_axis_off()
            words = "No saved result measures the size of a rival explanation."
            axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED, transform=axes.transAxes)
            return describe(axes, words)
        claims = list(sized.groupby(["indicator", "hypothesis"], sort=False))
        height = ROW_HEIGHT * len(sized) + CLAIM_HEIGHT * len(claims) + FRAME_HEIGHT
        axes = new_axes(ax, height=height)
        ends = [*sized["conf_low"], *sized["conf_high"], *sized["change"], *sized["estimate"], 0.0]
        known = [end for end in ends if not math.isnan(end)]
        low, high = min(known), max(known)
        left, right = low - 0.04 * (high - low), high + 0.06 * (high - low)
        names = _names(frames)
        y = 0.0
        for (indicator, hypothesis), rows in claims:
            change = float(rows["change"].iloc[0])
            top, bottom = y + 0.45, y + 0.55 + len(rows)
            if change > 0:
                axes.fill_betweenx([top, bottom], change / 2, right, color=ORANGE, alpha=0.10, linewidth=0)
                axes.plot([change, change], [top, bottom], color=INK, linewidth=1.6)
            axes.text(
                left, y, f"{names.get(str(hypothesis), str(indicator))}: improved by {number(change)}",
                va="center", fontsize=9, fontweight="bold", color=INK,
            )  # fmt: skip
            for row in rows.itertuples(index=False):
                y += 1
                _draw_rival(axes, row, y, right)
            y += 1.6
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set(xlim=(left, right), ylim=(y - 0.9, -0.7), yticks=[])
        axes.set_xlabel(f"Improvement ({' or '.join(sorted(set(sized['unit'])))})")
        axes.grid(axis="x", color=GRID)
        axes.spines["left"].set_visible(False)
        _legend(axes, set(sized["reading"]))
        if ax is None:
            footnote(axes, "Source: the site's saved results; lines are intervals of each rival's size")
        return describe(axes, _alternative(sized, names))


def _draw_rival(axes: Axes, row: Any, y: float, right: float) -> None:
    marker, colour = LOOKS[str(row.reading)]
    if not math.isnan(row.conf_low):
        axes.plot([row.conf_low, row.conf_high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
    axes.plot(row.estimate, y, marker=marker, color=colour, markersize=6.5)
    axes.annotate(
        f"{row.label}:\n{row.reading}", (right, y), xytext=(6, 0), textcoords="offset points", va="center",
        fontsize=7.5, color=INK, annotation_clip=False,
    )  # fmt: skip


def _legend(axes: Axes, readings: set[str]) -> None:
    handles: list[Any] = [
        Line2D([], [], marker=marker, color=colour, linewidth=2.2, markersize=6)
        for reading, (marker, colour) in LOOKS.items()
        if reading in readings
    ]
    words = [reading for reading in LOOKS if reading in readings]
    handles += [Line2D([], [], color=INK, linewidth=1.6), Patch(facecolor=ORANGE, alpha=0.2)]
    axes.legend(
        handles, [*words, "observed", "half of it or more"], loc="lower left", bbox_to_anchor=(0, 1.0),
        ncols=3, fontsize=8, borderaxespad=0, columnspacing=1.2, handlelength=1.8,
    )  # fmt: skip


def _names(frames: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    if "ceilings" not in frames or frames["ceilings"].empty:
        return {}
    rows = frames["ceilings"]
    return dict(zip(rows["hypothesis"].astype(str), rows["label"].astype(str), strict=True))


def _alternative(sized: pd.DataFrame, names: Mapping[str, str]) -> str:
    told = []
    for row in sized.itertuples(index=False):
        width = "" if math.isnan(row.conf_low) else f" ({interval(row.conf_low, row.conf_high)})"
        told.append(
            f"{names.get(row.hypothesis, row.indicator)}, {str(row.label).lower()}: "
            f"{number(row.estimate)}{width} beside {number(row.change)} observed, {row.reading}"
        )
    return "Size of each rival explanation, as improvement. " + "; ".join(told) + "."
