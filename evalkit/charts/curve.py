"""Curves over time: a series before and after the work began, and a series against its baseline forecast.

An exact value is a point. A value known only within bounds is a vertical bar from end to end, never a point.
A hidden or missing value is a cross at the foot of the chart, and a line across it is dotted.
"""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalkit.charts.curve_marks import (
    draw_dashed,
    draw_target,
    draw_values,
    end_height,
    label_ends,
    last_height,
    limit_values,
    mark_baseline,
    mark_phase_in,
    name_axes,
    write_reason,
)
from evalkit.charts.curve_words import (
    baseline_alt,
    baseline_footnote,
    last_change,
    marks_explained,
    plain_reason,
    segmented_alt,
    segmented_footnote,
    source_named,
    told,
)
from evalkit.charts.style import BLUE, GREEN, MUTED, ORANGE, WIDTH, describe, footnote, house_style, new_axes
from evalkit.charts.time_axis import mark_start, places
from evalkit.periods import reader_label

Frames = Mapping[str, pd.DataFrame]

TITLE_WIDTH = 84  # characters that fit above the axes
PANEL_WIDTH = 40  # characters that fit above a panel
PANEL_HEIGHT = 2.5  # inches of one row of panels
ROOM_FOR_REASON = 0.3  # of the value axis, above the points of a series that was not fitted


def segmented_curve(frames: Frames, *, indicator: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw an interrupted time series: points, the fit broken at the start, and the earlier trend carried on.

    Parameters
    ----------
    frames : `tidy`, `glance` and `augment` of an interrupted time series
    indicator : which one; the first by default

    Raises
    ------
    ValueError : the frames do not hold the indicator.
    """
    glance, augment, tidy = _chosen(frames, indicator)
    with house_style():
        axes = new_axes(ax)
        _segmented_panel(axes, glance, augment)
        axes.set_title(fill(str(glance.iloc[0]["label"]), TITLE_WIDTH))
        footnote(axes, segmented_footnote(glance, augment))
    return describe(axes, segmented_alt(glance, augment, tidy))


def baseline_curve(frames: Frames, *, indicator: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw an indicator against its baseline: history, forecast, what came instead, and the target.

    Parameters
    ----------
    frames : `tidy`, `glance` and `augment` of a turn-the-curve
    indicator : which one; the first by default

    Raises
    ------
    ValueError : the frames do not hold the indicator.
    """
    glance, augment, tidy = _chosen(frames, indicator)
    first = glance.iloc[0]
    with house_style():
        axes = new_axes(ax)
        _baseline_panel(axes, first, augment)
        axes.set_title(fill(f"{first['label']}: {first['verdict']}", TITLE_WIDTH))
        footnote(axes, baseline_footnote(first, augment))
    return describe(axes, baseline_alt(first, augment, tidy))


def segmented_curves(frames: Frames, *, indicators: Sequence[str] | None = None, columns: int = 2) -> Axes:
    """Draw several interrupted time series as small panels; return the first panel's axes."""
    return _panels(frames, indicators, columns, baseline=False)


def baseline_curves(frames: Frames, *, indicators: Sequence[str] | None = None, columns: int = 2) -> Axes:
    """Draw several indicators against their baselines as small panels; return the first panel's axes."""
    return _panels(frames, indicators, columns, baseline=True)


def _panels(frames: Frames, indicators: Sequence[str] | None, columns: int, *, baseline: bool) -> Axes:
    wanted = list(dict.fromkeys(frames["glance"]["indicator"])) if indicators is None else list(indicators)
    rows = math.ceil(len(wanted) / columns)
    alts: list[str] = []
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.4 + PANEL_HEIGHT * rows))
        panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        for axes, indicator in zip(panels, wanted, strict=False):
            glance, augment, tidy = _chosen(frames, indicator)
            first = glance.iloc[0]
            title = str(first.get("short_label", first["label"]))
            if baseline:
                _baseline_panel(axes, first, augment, compact=True)
                title = f"{title}: {first['verdict']}"
                alts.append(f"{title}, change since the baseline: {last_change(tidy) or 'not known'}.")
            else:
                _segmented_panel(axes, glance, augment, compact=True)
                own = tidy[tidy["site_id"] == first["site_id"]]
                effect = told(own, "effect_last") or f"no fit, {plain_reason(first)}"
                alts.append(f"{title}, last period against the earlier trend: {effect}.")
            axes.set_title(fill(title, PANEL_WIDTH), fontsize=9)
        for axes in panels[len(wanted) :]:
            axes.set_visible(False)
        line = "forecast from the years before" if baseline else "earlier trend carried on"
        sources = "; ".join(dict.fromkeys(str(text) for text in frames["glance"].get("sources", []) if text))
        marks = "Ring: baseline. Diamond: target." if baseline else "Squares: comparison."
        notes = [
            f"Dashed: {line}, with its interval. {marks}",
            marks_explained(frames["augment"]),
            source_named(sources),
        ]
        footnote(panels[0], " ".join(text for text in notes if text))
    return describe(panels[0], f"{len(wanted)} small charts. " + " ".join(alts))


def _chosen(frames: Frames, indicator: str | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cut the rows of one indicator from each frame."""
    glance = frames["glance"]
    if glance.empty or (indicator is not None and indicator not in set(glance["indicator"])):
        raise ValueError(f"the result has no indicator {indicator!r}")
    name = glance["indicator"].iloc[0] if indicator is None else indicator
    augment = frames["augment"]
    part = augment[augment["indicator"] == name] if "indicator" in augment else augment
    tidy = frames["tidy"]
    return glance[glance["indicator"] == name], part, tidy[tidy["indicator"] == name]


def _segmented_panel(
    axes: Axes, glance: pd.DataFrame, augment: pd.DataFrame, *, compact: bool = False
) -> None:
    first = glance.iloc[0]
    if augment.empty:
        write_reason(axes, plain_reason(first))
        return
    frequency, own_site = str(first["frequency"]), first["site_id"]
    own = augment[augment["site_id"] == own_site]
    labels: list[tuple[float, str, str]] = []
    for site, part in augment.groupby("site_id", sort=False):
        is_own = site == own_site
        color = BLUE if is_own else MUTED
        draw_values(axes, part, frequency, color=color, marker="o" if is_own else "s", muted=not is_own)
        for after in (False, True):
            line = part[part["is_post"] == after]
            axes.plot(
                places(line["period"], frequency),
                line["fitted"],
                color=color,
                linewidth=1.8 if is_own else 1.1,
                label="fitted" if is_own else "comparison, fitted",
            )
        last = last_height(part)
        if math.isfinite(last):
            labels.append((last, "this place" if is_own else "comparison", color))
    post = own[own["is_post"] & own["counterfactual_high"].notna()]
    limit_values(axes, first, augment, post, "counterfactual")
    if not post.empty:
        draw_dashed(axes, post, "counterfactual", frequency, "earlier trend carried on")
        labels.append((end_height(post, "counterfactual"), "earlier trend\ncarried on", ORANGE))
    name_axes(axes, first, augment, frequency, compact=compact)
    if "is_phase_in" in own and own["is_phase_in"].any():
        mark_phase_in(axes, places(own.loc[own["is_phase_in"], "period"], frequency), compact=compact)
    if first["interruption"]:
        text = "start" if compact else f"work begins, {reader_label(first['interruption'], frequency)}"
        mark_start(axes, places([first["interruption"]], frequency)[0], text)
    if first["refused"]:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + ROOM_FOR_REASON * (high - low))
        write_reason(axes, "No fit: " + plain_reason(first), compact=compact)
    if not compact:
        label_ends(axes, places(augment["period"], frequency).max(), labels)


def _baseline_panel(axes: Axes, first: pd.Series, augment: pd.DataFrame, *, compact: bool = False) -> None:
    if augment.empty:
        write_reason(axes, plain_reason(first))
        return
    frequency = str(first["frequency"])
    known = augment[augment["status"] != "future"]
    draw_values(axes, known, frequency, color=BLUE, marker="o", joined=True)
    post = augment[augment["forecast_high"].notna()]
    labels: list[tuple[float, str, str]] = []
    if math.isfinite(last_height(known)):
        labels.append((last_height(known), "actual", BLUE))
    limit_values(axes, first, augment, post, "forecast")
    if not post.empty:
        draw_dashed(axes, post, "forecast", frequency, "baseline forecast")
        labels.append((end_height(post, "forecast"), "baseline\nforecast", ORANGE))
    end = places(augment["period"], frequency).max()
    for value, text in draw_target(axes, first, augment, frequency):
        labels.append((value, text, GREEN))
    name_axes(axes, first, augment, frequency, compact=compact)
    mark_baseline(axes, augment, frequency, compact=compact)
    starts = augment[augment["is_post"]]
    if not starts.empty:
        start = starts["period"].iloc[0]
        text = "start" if compact else f"work begins, {reader_label(start, frequency)}"
        mark_start(axes, places([start], frequency)[0], text)
    if not compact:
        label_ends(axes, end, labels)
