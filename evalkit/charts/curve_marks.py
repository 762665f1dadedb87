"""The marks of a curve over time: points, bars, crosses, lines, ribbons, and their labels."""

import math
from collections.abc import Sequence
from itertools import pairwise
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from evalkit.charts.style import GREEN, INK, MUTED, ORANGE, figure_of
from evalkit.charts.time_axis import end_labels, label_periods, places
from evalkit.periods import reader_label

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HIDDEN_HEIGHT = 0.025  # of the axes: where the crosses of hidden periods stand
SMALL_MARKER, MARKER = 2.5, 5.5  # points
MANY_PERIODS = 40  # from which on markers shrink
LOW_DOWN = 0.2  # of the value axis: below it a label goes above its point


def draw_values(
    axes: Axes,
    part: pd.DataFrame,
    frequency: str,
    *,
    color: str,
    marker: str,
    muted: bool = False,
    joined: bool = False,
) -> None:
    """Draw points for exact values, bars for bounds, crosses for what is hidden."""
    x = places(part["period"], frequency)
    many = len(part) >= MANY_PERIODS
    size = SMALL_MARKER if many else MARKER - (1.5 if muted else 0)
    exact = part["observed"].notna().to_numpy()
    if joined:
        _join(axes, x, part["observed"].to_numpy(), exact, color=color, width=1.0 if many else 1.6)
    axes.plot(
        x[exact],
        part["observed"].to_numpy()[exact],
        marker,
        color=color,
        markersize=size,
        alpha=0.55 if muted or many else 1,
        label="comparison" if muted else "observed",
    )
    bounded = (part["status"] == "censored").to_numpy()
    if bounded.any():
        axes.errorbar(
            x[bounded],
            (part["low"] + part["high"]).to_numpy()[bounded] / 2,
            yerr=(part["high"] - part["low"]).to_numpy()[bounded] / 2,
            fmt="none",
            ecolor=color,
            elinewidth=2.5 if not muted else 1.5,
            capsize=4,
            alpha=0.6 if muted else 1,
        )
    hidden = part["status"].isin(["suppressed", "missing"]).to_numpy()
    if hidden.any() and not muted:
        axes.plot(
            x[hidden],
            np.full(int(hidden.sum()), HIDDEN_HEIGHT),
            "x",
            color=MUTED,
            markersize=4.5,
            transform=axes.get_xaxis_transform(),
            label="hidden or missing",
            clip_on=False,
        )


def _join(axes: Axes, x: Floats, value: Floats, exact: Flags, *, color: str, width: float) -> None:
    """Join neighbouring points; across hidden or bounded periods by a dotted line."""
    seen = np.flatnonzero(exact)
    axes.plot(x, np.where(exact, value, np.nan), color=color, linewidth=width, label="joined")
    for before, after in pairwise(seen):
        if after > before + 1:
            ends = [before, after]
            axes.plot(x[ends], value[ends], color=color, linewidth=width * 0.7, linestyle=":", label="gap")


def draw_dashed(axes: Axes, post: pd.DataFrame, column: str, frequency: str, label: str) -> None:
    """Draw an expected line with its interval as a ribbon."""
    x = places(post["period"], frequency)
    axes.fill_between(
        x,
        post[f"{column}_low"],
        post[f"{column}_high"],
        color=ORANGE,
        alpha=0.16,
        linewidth=0,
        label="interval",
    )
    axes.plot(x, post[column], color=ORANGE, linewidth=1.6, linestyle=(0, (5, 2)), label=label)


def limit_values(
    axes: Axes, first: pd.Series, augment: pd.DataFrame, post: pd.DataFrame, column: str
) -> None:
    """Choose the value axis: all values and lines, ribbons as far as a rate can go."""
    shown = [augment["low"], augment["high"], augment.get("fitted", pd.Series(dtype=float)), post[column]]
    shown += [augment["target"]] if "target" in augment else []
    ends = np.concatenate([part.to_numpy(dtype=float) for part in shown])
    ribbon = post[[f"{column}_low", f"{column}_high"]].to_numpy(dtype=float).reshape(-1)
    everything = np.concatenate([ends, ribbon])
    everything = everything[np.isfinite(everything)]
    if not everything.size:
        return
    low, high = float(everything.min()), float(everything.max())
    margin = max(0.06 * (high - low), 0.5)
    low, high = low - margin, high + 2 * margin
    if first["unit"] == "percent":
        low, possible = max(low, 0.0), np.nanmax(ends)
        high = min(high, 100.0 if possible <= 100 else np.inf)
        # room above a rate near 100 for the label of the start
        high = high + (2.0 if high == 100.0 and possible > 96 else 0.0)
    axes.set_ylim(low, high)


def name_axes(axes: Axes, first: pd.Series, augment: pd.DataFrame, frequency: str, *, compact: bool) -> None:
    """Name both axes, with the unit and the better direction."""
    unit = "percent" if first["unit"] == "percent" else str(first["unit"])
    better = f"{first['favourable']} is better"
    if compact:
        axes.set_ylabel(f"{unit}, {better}", fontsize=7)
        axes.tick_params(labelsize=7)
        label_periods(axes, list(augment["period"]), frequency, most=4)
        return
    axes.set_ylabel(f"{unit} ({better})")
    label_periods(axes, list(augment["period"]), frequency)
    axes.set_xlabel(
        {"school_year": "school year", "month": "month", "quarter": "quarter"}.get(frequency, "year")
    )


def label_ends(axes: Axes, end: float, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write the name of each line beside its end."""
    # the layout settles the height of the axes, which the labels are spaced by
    figure_of(axes).draw_without_rendering()
    end_labels(axes, end, labels)


def mark_phase_in(axes: Axes, x: Floats, *, compact: bool) -> None:
    """Shade the periods in which the work was being set up, and say so."""
    axes.axvspan(x.min() - 0.5, x.max() + 0.5, color=MUTED, alpha=0.12, linewidth=0, label="phase-in")
    if not compact:
        axes.annotate(
            "phase-in",
            (float(x.mean()), 0.04),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=7.5,
            color=MUTED,
        )


def mark_baseline(axes: Axes, augment: pd.DataFrame, frequency: str, *, compact: bool) -> None:
    """Ring the baseline's point and name it, below the point or, low down, above it."""
    marked = augment[augment["is_baseline"]]
    for _, row in marked.iterrows():
        x = places([row["period"]], frequency)[0]
        if row["low"] == row["high"]:
            axes.plot([x], [row["low"]], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
        if compact:
            continue
        low, high = axes.get_ylim()
        above = (row["low"] - low) / (high - low) < LOW_DOWN
        axes.annotate(
            f"baseline\n{reader_label(row['period'], frequency)}",
            (x, row["high"] if above else row["low"]),
            xytext=(0, 9 if above else -9),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )


def draw_target(
    axes: Axes, first: pd.Series, augment: pd.DataFrame, frequency: str
) -> list[tuple[float, str]]:
    """Draw the target's line up to the period it is meant for; return its value and label."""
    named = []
    for _, row in augment[augment["target"].notna()].iterrows():
        ends = [places(augment["period"], frequency).min(), places([row["period"]], frequency)[0]]
        value = float(row["target"])
        axes.plot(ends, [value, value], color=GREEN, linewidth=1, linestyle=(0, (4, 2)), label="target")
        axes.plot(ends[1:], [value], "D", color=GREEN, markersize=6)
        unit = "%" if first["unit"] == "percent" else f" {first['unit']}"
        named.append((value, f"target {value:g}{unit}"))
    return named


def write_reason(axes: Axes, text: str, *, compact: bool = False) -> None:
    """Write a reason into the upper part of the axes; instead of them where nothing is drawn."""
    empty = not axes.lines
    axes.text(
        0.5,
        0.5 if empty else 0.97,
        fill(text, 44 if compact else 84),
        transform=axes.transAxes,
        ha="center",
        va="center" if empty else "top",
        color=INK,
        fontsize=7 if compact else 8.5,
        bbox={"facecolor": "white", "edgecolor": MUTED, "linewidth": 0.6, "pad": 3},
    )
    if empty:
        axes.set_axis_off()


def end_height(post: pd.DataFrame, column: str) -> float:
    """Find the height of the label at a line's end; that of its ribbon where only the ribbon is known."""
    last = post.iloc[-1]
    return float(
        last[column] if math.isfinite(last[column]) else (last[f"{column}_low"] + last[f"{column}_high"]) / 2
    )


def last_height(part: pd.DataFrame) -> float:
    """Find the height of the last known value, or of the middle of its bar."""
    known = part[part["high"].notna()]
    return float("nan") if known.empty else float((known["low"].iloc[-1] + known["high"].iloc[-1]) / 2)
