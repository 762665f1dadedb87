"""What partners did beside what they agreed to: every measure, its interval and its target."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from evalkit.charts.boxes import wrapped
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
    words_instead,
)
from evalkit.wording import interval, number, percent

ROW_HEIGHT = 0.62  # inches for one measure
FRAME_HEIGHT = 1.5  # inches for axis, legend and footnote
WORDS_WIDTH = 5.6  # inches; a longer label is broken
QUESTIONS = {"how_much": "how much", "how_well": "how well", "better_off": "better off"}
# verdict -> marker and colour; the verdict is also written beside the row
VERDICTS = {"met": ("o", BLUE), "not met": ("X", ORANGE), "cannot be told": ("D", MUTED)}


def performance_chart(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw the latest value of every measure, a block per partner.

    Parameters
    ----------
    frames : `measures` of a performance result

    Returns
    -------
    Axes in percent. A rate has its interval and a tick at its target; a count, which is a fact and has no
    interval, is written out beside its target; a hidden value is said to be hidden.
    """
    measures = frames["measures"]
    shown = measures[measures["latest"]] if len(measures) else measures
    if shown.empty:
        return words_instead(ax, "No performance measure of a partner is on file.")
    with house_style():
        partners = shown["partner"].nunique()
        axes = new_axes(ax, height=ROW_HEIGHT * (len(shown) + 0.6 * partners) + FRAME_HEIGHT)
        y = -0.4
        for _, rows in shown.groupby("partner", sort=False):
            axes.text(
                0, y, str(rows["partner_name"].iloc[0]), va="center", fontsize=9.5, fontweight="bold",
                color=INK,
            )  # fmt: skip
            for row in rows.itertuples(index=False):
                y += 0.8
                _draw_measure(axes, row, y)
                y += 0.2
            y += 0.6
        axes.set(xlim=(0, 100), ylim=(y - 0.1, -0.9), yticks=[])
        axes.set_xlabel("Rate (percent)")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        _legend(axes)
        if ax is None:
            contracts = sorted({text for text in shown["contract"] if text})
            source = "; ".join(contracts) or "the partners' own records"
            footnote(axes, "\n".join(wrapped(f"Source: {source}; n beside each rate.", 7.0)))
        return describe(axes, _alternative(shown))


def _draw_measure(axes: Axes, row: Any, y: float) -> None:
    words = f"{row.label} ({QUESTIONS[str(row.question)]}, {row.period_label})"
    if row.unit == "percent" and not math.isnan(row.value):
        words = f"{words}: {percent(row.value)} of {number(row.of, 0)}"
    label = wrapped(words, WORDS_WIDTH)
    axes.text(
        0, y - 0.42, "\n".join(label[:2]), va="center", fontsize=8, color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip
    marker, colour = VERDICTS[str(row.verdict)]
    axes.annotate(
        _verdict_words(row), (100, y), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
        color=INK, annotation_clip=False,
    )  # fmt: skip
    if math.isnan(row.value):
        axes.text(1, y, "hidden, too few persons", va="center", fontsize=8, color=MUTED, fontstyle="italic")
        return
    if row.unit != "percent":
        words = f"{number(row.value, 0)} {row.unit}"
        axes.plot(1.2, y, marker=marker, color=colour, markersize=7, clip_on=False)
        axes.text(3.2, y, words, va="center", fontsize=8.5, color=INK)
        return
    axes.plot([0, 100], [y, y], color=GRID, linewidth=0.8, zorder=0)
    axes.plot([row.conf_low, row.conf_high], [y, y], color=colour, linewidth=2.6, solid_capstyle="butt")
    axes.plot(row.value, y, marker=marker, color=colour, markersize=7)
    if not math.isnan(row.target):
        axes.plot([row.target] * 2, [y - 0.24, y + 0.24], color=INK, linewidth=2.0)


def _verdict_words(row: Any) -> str:
    if math.isnan(row.target):
        return "no target"
    limit = "at most " if row.favourable == "lower" else ""
    agreed = percent(row.target) if row.unit == "percent" else number(row.target, 0)
    return f"{row.verdict}\n(target {limit}{agreed})"


def _legend(axes: Axes) -> None:
    handles = [
        Line2D([], [], marker=marker, color=colour, linewidth=2.6, markersize=6)
        for marker, colour in VERDICTS.values()
    ]
    target = Line2D([], [], color=INK, marker="|", markersize=11, markeredgewidth=2.0, linewidth=0)
    axes.legend(
        [*handles, target], [*VERDICTS, "target"], loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4,
        fontsize=8, borderaxespad=0, columnspacing=1.4,
    )  # fmt: skip


def _alternative(shown: pd.DataFrame) -> str:
    told = []
    for row in shown.itertuples(index=False):
        if math.isnan(row.value):
            told.append(f"{row.partner_name}, {row.label}: hidden")
            continue
        amount = (
            f"{percent(row.value)} ({interval(row.conf_low, row.conf_high, 0)})"
            if row.unit == "percent"
            else f"{number(row.value, 0)} {row.unit}"
        )
        told.append(f"{row.partner_name}, {row.label}: {amount}, {_verdict_words(row).replace(chr(10), ' ')}")
    return "Performance measures beside their targets. " + "; ".join(told) + "."
