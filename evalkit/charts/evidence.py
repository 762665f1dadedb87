"""Belief before and after the evidence, and what the persons reached could account for."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from evalkit.charts.boxes import wrapped
from evalkit.charts.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    WIDTH,
    describe,
    footnote,
    house_style,
    new_axes,
    words_instead,
)
from evalkit.wording import interval, number, percent

ROW_HEIGHT = 0.66  # inches for one hypothesis: its words and its bars
LINE_SHARE = 0.21  # of a row; one line of words
WORDS_WIDTH = 5.4  # inches; a statement longer than this is broken
FRAME_HEIGHT = 1.35  # inches for axis, legend and footnote
CLAIM_HEIGHT = 1.15  # inches for one claim of the ceiling chart
HALO = [withStroke(linewidth=3.2, foreground="white")]
EVEN = 0.5  # probability; neither for nor against


class _Row(NamedTuple):
    statement: str
    is_claim: bool
    examined: bool
    prior: tuple[float, float, float]
    posterior: tuple[float, float, float]
    bracket: tuple[float, float]


def evidence_chart(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw the probability of every claim and rival before and after the evidence.

    Parameters
    ----------
    frames : `beliefs` (a row per hypothesis: prior, posterior with ranges, independent, dependent) and
        `rivals`, which also names the default rivals that nobody has examined

    Returns
    -------
    Axes in percent. A light bar is the range before, a dark bar the range after; the bracket below runs from
    the value if items of one party tell the same news to the value if each is news of its own.
    """
    rows = _rows(frames["beliefs"], frames["rivals"])
    if not rows:
        return words_instead(ax, "No hypothesis has been supplied, so there is no evidence to weigh.")
    with house_style():
        axes = new_axes(ax, height=ROW_HEIGHT * len(rows) + FRAME_HEIGHT)
        for place, row in enumerate(rows):
            _draw_belief(axes, row, float(place))
        axes.axvline(100 * EVEN, color=GRID, linewidth=1, zorder=0)
        claims = sum(row.is_claim for row in rows)
        if 0 < claims < len(rows):
            axes.axhline(claims - 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.set(xlim=(0, 100), ylim=(len(rows) - 0.45, -0.55), yticks=[])
        axes.set_xlabel("Probability that the statement holds (percent)")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        _belief_legend(axes)
        if ax is None:
            items = len(frames["evidence"]) if "evidence" in frames else int(frames["beliefs"]["items"].sum())
            footnote(axes, f"Source: the site's evidence log; n = {items} items of evidence")
        return describe(axes, _belief_alternative(rows))


def ceiling_chart(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw what the persons reached could account for beside the observed change.

    Parameters
    ----------
    frames : `ceilings` (a row per claim: observed, ceiling, headroom with intervals, all improvements)

    Returns
    -------
    Axes in the unit of the change, improvement to the right. The lower bar is the ceiling, stacked with what
    would be added if every person reached had gained the outcome.
    """
    ceilings = frames["ceilings"]
    if ceilings.empty:
        return words_instead(
            ax, "No count of the people served has been supplied, so no ceiling can be drawn."
        )
    with house_style():
        axes = new_axes(ax, height=CLAIM_HEIGHT * len(ceilings) + FRAME_HEIGHT)
        for place, row in enumerate(ceilings.itertuples(index=False)):
            _draw_ceiling(axes, row, float(place))
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set(ylim=(len(ceilings) - 0.4, -0.62), yticks=[])
        units = sorted(set(ceilings["unit"]))
        axes.set_xlabel(f"Improvement ({' or '.join(units)})")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.2)
        _ceiling_legend(axes)
        if ax is None:
            sources = sorted({source for source in ceilings["effect_source"] if source})
            cited = f" Effect: {'; '.join(sources)}." if sources else ""
            lines = wrapped(f"Source: counts of people served, and the interrupted series.{cited}", WIDTH)
            footnote(axes, "\n".join(lines))
        return describe(axes, _ceiling_alternative(ceilings))


def _rows(beliefs: pd.DataFrame, rivals: pd.DataFrame) -> list[_Row]:
    rows = []
    for row in beliefs.itertuples(index=False):
        rows.append(
            _Row(
                str(row.statement),
                row.kind == "main",
                bool(row.examined),
                _percents(row.prior_low, row.prior, row.prior_high),
                _percents(row.low, row.posterior, row.high),
                (100 * float(row.dependent), 100 * float(row.independent)),
            )
        )
    nowhere = (math.nan, math.nan, math.nan)
    undeclared = rivals[~rivals["id"].isin(beliefs["id"])].drop_duplicates("id")
    rows += [
        _Row(str(row.statement), False, False, nowhere, nowhere, (math.nan, math.nan))
        for row in undeclared.itertuples(index=False)
    ]
    return sorted(rows, key=lambda row: not row.is_claim)


def _percents(low: Any, point: Any, high: Any) -> tuple[float, float, float]:
    return 100 * float(low), 100 * float(point), 100 * float(high)


def _draw_belief(axes: Axes, row: _Row, y: float) -> None:
    words = wrapped(row.statement, WORDS_WIDTH)
    colour = BLUE if row.is_claim else ORANGE
    lines = words[:2] if len(words) <= 2 else (words[0], f"{words[1]} …")
    axes.text(
        0, y - 0.02 - LINE_SHARE * len(lines), "\n".join(lines), ha="left", va="top", fontsize=8, color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip
    bar = y + 0.16
    low, point, high = row.prior
    if not math.isnan(point):
        axes.barh(bar - 0.07, high - low, left=low, height=0.10, color="#cfcfcf", zorder=2)
        axes.plot(
            point, bar - 0.07, marker="o", markersize=4.5, color="white", markeredgecolor=MUTED, zorder=4
        )
    if not row.examined:
        axes.annotate(
            "not examined", (100, bar), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8,
            color=MUTED, fontstyle="italic", annotation_clip=False,
        )  # fmt: skip
        return
    low, point, high = row.posterior
    axes.barh(bar + 0.06, high - low, left=low, height=0.13, color=colour, alpha=0.45, zorder=2)
    marker = "D" if row.is_claim else "s"
    axes.plot(point, bar + 0.06, marker=marker, markersize=5.5, color=colour, zorder=4, clip_on=False)
    left, right = sorted(row.bracket)
    if right - left > 0.5:
        edge = bar + 0.19
        axes.plot(
            [left, left, right, right], [edge - 0.04, edge, edge, edge - 0.04], color=INK, linewidth=0.9
        )
    axes.annotate(
        f"{_chance(point)}\n({_chance(low)} to {_chance(high)})", (100, bar), xytext=(6, 0),
        textcoords="offset points", va="center", fontsize=8, color=INK, annotation_clip=False,
    )  # fmt: skip


def _belief_legend(axes: Axes) -> None:
    handles = [
        Line2D(
            [], [], color="#cfcfcf", linewidth=5, marker="o", markerfacecolor="white", markeredgecolor=MUTED
        ),
        Line2D([], [], color=BLUE, alpha=0.6, linewidth=6, marker="D", markersize=5),
        Line2D([], [], color=ORANGE, alpha=0.6, linewidth=6, marker="s", markersize=5),
        Line2D([], [], color=INK, linewidth=0.9, marker="|", markersize=6),
    ]
    words = ["before", "claim, after", "rival, after", "if sources depend on each other, fully or not at all"]
    axes.legend(
        handles, words, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8, borderaxespad=0,
        columnspacing=1.2, handlelength=1.8,
    )  # fmt: skip


def _draw_ceiling(axes: Axes, row: Any, y: float) -> None:
    share = "no share can be estimated"
    if not math.isnan(row.share):
        width = interval(100 * row.share_low, 100 * row.share_high, 0)
        share = f"about {percent(100 * row.share)} of the change ({width}%)"
    axes.annotate(
        f"{row.label}: {share}", (0, y - 0.36), xycoords=("axes fraction", "data"), ha="left", va="center",
        fontsize=9, fontweight="bold", color=INK,
    )  # fmt: skip
    above, below = y - 0.12, y + 0.17
    axes.barh(above, row.observed, height=0.2, color="#cfcfcf", edgecolor=MUTED, zorder=2)
    axes.plot(
        [row.observed_low, row.observed_high],
        [above, above],
        color=INK,
        linewidth=1.4,
        zorder=4,
        path_effects=HALO,
    )
    axes.plot(row.observed, above, marker="o", markersize=5, color=INK, zorder=5)
    _value(
        axes,
        max(row.observed_high, 0),
        above,
        f"{number(row.observed)} ({interval(row.observed_low, row.observed_high)})",
    )
    ceiling = 0.0 if math.isnan(row.ceiling) else row.ceiling
    if not math.isnan(row.ceiling):
        axes.barh(below, row.ceiling, height=0.2, color=BLUE, zorder=3)
        axes.plot(
            [row.ceiling_low, row.ceiling_high],
            [below, below],
            color=INK,
            linewidth=1.4,
            zorder=5,
            path_effects=HALO,
        )
    if not math.isnan(row.headroom) and row.headroom > ceiling:
        axes.barh(
            below, row.headroom - ceiling, left=ceiling, height=0.2, facecolor="white", edgecolor=BLUE,
            hatch="////", linewidth=0.8, zorder=2,
        )  # fmt: skip
    known = (
        "not shown: too few persons"
        if math.isnan(row.reach_high)
        else "no study of the effect"
        if math.isnan(row.ceiling)
        else f"{number(row.ceiling)} ({interval(row.ceiling_low, row.ceiling_high)})"
    )
    full = "" if math.isnan(row.headroom) else f"; at most {number(row.headroom)}"
    ends = [end for end in (row.headroom, row.ceiling_high, 0.0) if not math.isnan(end)]
    _value(axes, max(ends), below, known + full)


def _value(axes: Axes, x: float, y: float, words: str) -> None:
    axes.annotate(
        words, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8, color=INK,
        annotation_clip=False,
    )  # fmt: skip


def _ceiling_legend(axes: Axes) -> None:
    handles = [
        Patch(facecolor="#cfcfcf", edgecolor=MUTED),
        Patch(facecolor=BLUE),
        Patch(facecolor="white", edgecolor=BLUE, hatch="////"),
        Line2D([], [], color=INK, linewidth=1.4),
    ]
    words = [
        "observed change",
        "people reached could account for",
        "if all of them had gained it",
        "interval",
    ]
    axes.legend(
        handles, words, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8, borderaxespad=0,
        columnspacing=1.2, handlelength=1.6,
    )  # fmt: skip


def _chance(in_percent: float) -> str:
    if in_percent > 99.5:
        return ">99%"
    return "<1%" if in_percent < 0.5 else percent(in_percent)


def _belief_alternative(rows: list[_Row]) -> str:
    told = [
        f"{row.statement.rstrip('.')}: "
        + (
            f"from {_chance(row.prior[1])} to {_chance(row.posterior[1])} "
            f"(range {_chance(row.posterior[0])} to {_chance(row.posterior[2])})"
            if row.examined
            else "not examined"
        )
        for row in rows
    ]
    return "Probability of each statement before and after the evidence. " + "; ".join(told) + "."


def _ceiling_alternative(ceilings: pd.DataFrame) -> str:
    told = []
    for row in ceilings.itertuples(index=False):
        observed = (
            f"observed improvement {number(row.observed)} ({interval(row.observed_low, row.observed_high)})"
        )
        reached = (
            "the people reached could account for an unknown part"
            if math.isnan(row.ceiling)
            else f"the people reached could account for about {number(row.ceiling)} "
            f"({interval(row.ceiling_low, row.ceiling_high)})"
        )
        told.append(f"{row.label}: {observed} {row.unit}; {reached}")
    return ". ".join(told) + "."
