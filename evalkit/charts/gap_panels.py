"""Every subgroup over time: an equiplot of all on one line a period, and small multiples with intervals."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evalkit.charts.gap_words import lowered, value_text
from evalkit.charts.gaps import (
    NO_SUBGROUPS,
    NOT_SHOWN,
    choose_study,
    has_no_subgroups,
    level_source,
    unbroken,
    unit_text,
    upper_limit,
)
from evalkit.charts.style import (
    BLUE,
    GREEN,
    GRID,
    MARKERS,
    MUTED,
    ORANGE,
    SERIES,
    WIDTH,
    describe,
    figure_of,
    footnote,
    house_style,
    new_axes,
    words_instead,
)
from evalkit.wording import listed

ROW = 0.34  # inches a period
FRAME = 1.75  # inches for title, names, axis and footnote
PERIODS = 8  # rows of an equiplot: the latest ones
PANEL_HEIGHT = 1.9  # inches of a row of panels
ACROSS = 3  # panels in a row
NAME_WIDTH = 30  # characters of a subgroup's name above its panel
NOTE_WIDTH = 125  # characters of a footnote's line


def equiplot(
    frames: Mapping[str, pd.DataFrame],
    *,
    indicator: str | None = None,
    dimension: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw all subgroups of a period on one line, so that its length is the gap; the latest period on top.

    Parameters
    ----------
    frames : `augment` and `glance` of equity gaps
    indicator, dimension : by default those of the gap that the narrative tells first

    Raises
    ------
    ValueError : there is no such study.
    """
    if has_no_subgroups(frames, indicator, dimension):
        return words_instead(ax, NO_SUBGROUPS)
    rows = _rows(frames, indicator, dimension)
    periods = sorted(rows["period"].unique())[-PERIODS:]
    rows = rows[rows["period"].isin(periods)]
    looks = _looks(rows)
    with house_style():
        axes = new_axes(ax, height=FRAME + ROW * len(periods))
        axes.grid(axis="x", visible=True)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, upper_limit(rows))
        for place, period in enumerate(periods):
            _period_line(axes, place, rows[rows["period"].eq(period)], looks)
        first = rows.iloc[0]
        labels = rows.drop_duplicates("period").set_index("period")["period_label"]
        axes.set_yticks(range(len(periods)), [labels[period] for period in periods])
        axes.set_ylim(-0.6, len(periods) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{unit_text(first)} ({first['favourable']} is better)")
        axes.set_title(f"{first['short_label']} by {lowered(first['dimension_label'])}", pad=34)
        names = rows.drop_duplicates("subgroup").set_index("subgroup")["subgroup_label"]
        handles = [
            Line2D([], [], marker=marker, color=color, linestyle="none", label=names[name])
            for name, (marker, color) in looks.items()
        ]
        _target_line(axes, first, handles)
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=min(len(handles), 5),
            fontsize=8, handletextpad=0.2, columnspacing=1.2, borderaxespad=0.2,
        )  # fmt: skip
        note = "Grey line: from the lowest to the highest exact rate."
        if rows["status"].eq("censored").any():
            note += " Thick bar: a rate known only as a range."
        footnote(axes, fill(f"{level_source(rows)}{note}", NOTE_WIDTH))
    return describe(axes, _equiplot_words(rows, periods))


def gap_panels(
    frames: Mapping[str, pd.DataFrame],
    *,
    indicator: str | None = None,
    dimension: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a small chart for every subgroup over time, each with its intervals and the reference in grey.

    Parameters
    ----------
    frames : `augment` and `glance` of equity gaps
    indicator, dimension : by default those of the gap that the narrative tells first
    ax : its figure is used for all panels; a new figure by default

    Returns
    -------
    The axes of the first panel; the alt text on their figure tells every panel's first and last rate.

    Raises
    ------
    ValueError : there is no such study.
    """
    if has_no_subgroups(frames, indicator, dimension):
        return words_instead(ax, NO_SUBGROUPS)
    rows = _rows(frames, indicator, dimension)
    periods = sorted(rows["period"].unique())
    latest = rows[rows["period"].eq(periods[-1])]
    order = list(rows.groupby("subgroup")["order"].min().sort_values(kind="stable").index)
    reference = rows[rows["is_reference"]].sort_values("period")
    down = -(-len(order) // ACROSS)
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.9 + PANEL_HEIGHT * down)) if ax is None else figure_of(ax)
        if ax is not None:
            ax.remove()
        panels = figure.subplots(
            down, min(ACROSS, len(order)), sharex=True, sharey=True, squeeze=False
        ).ravel()
        for axes, name in zip(panels, order, strict=False):
            own = rows[rows["subgroup"].eq(name)].set_index("period").reindex(periods)
            _panel(axes, own, reference.set_index("period").reindex(periods), name)
        for axes in panels[len(order) :]:
            axes.remove()
        first = rows.iloc[0]
        _name_panels(panels[: len(order)], rows, periods, first)
        by = lowered(first["dimension_label"])
        figure.suptitle(
            fill(f"{first['short_label']} by {by} ({first['favourable']} is better)", 84),
            x=0.01, ha="left", fontsize=11, fontweight="bold",
        )  # fmt: skip
        marks = ["Line: interval of the level. Grey: the reference."]
        if rows["status"].eq("censored").any():
            marks.append("Thick bar: a rate known only as a range.")
        if _is_hidden(rows).any():
            marks.append(f"×: {NOT_SHOWN}, or no value.")
        if np.isfinite(first["target"]):
            marks.append(f"Dashed: target {value_text(first['target'], first)}.")
        counts = latest.loc[latest["denominator"].notna(), "denominator"]
        if len(counts):
            marks.append(
                f"n = {counts.min():,.0f} to {counts.max():,.0f} in {latest['period_label'].iloc[0]}."
            )
        footnote(panels[0], fill(f"{level_source(rows)}{' '.join(marks)}", NOTE_WIDTH))
    return describe(panels[0], _panels_words(rows, order))


def _rows(frames: Mapping[str, pd.DataFrame], indicator: str | None, dimension: str | None) -> pd.DataFrame:
    chosen = choose_study(frames, indicator, dimension)
    rows = frames["augment"]
    for column in ("indicator", "dimension", "population"):
        rows = rows[rows[column].eq(chosen[column])]
    return rows.sort_values(["period", "order"]).reset_index(drop=True)


def _looks(rows: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Give every subgroup its own shape and colour, in the order in which the groups are drawn."""
    names = list(rows.groupby("subgroup")["order"].min().sort_values(kind="stable").index)
    return {name: (MARKERS[at % len(MARKERS)], SERIES[at % len(SERIES)]) for at, name in enumerate(names)}


def _is_hidden(rows: pd.DataFrame) -> pd.Series:
    return ~rows["status"].isin(["reported", "censored"])


def _period_line(axes: Axes, place: int, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    exact = rows[rows["status"].eq("reported")]
    if len(exact) > 1:
        axes.plot(
            [exact["rate"].min(), exact["rate"].max()], [place] * 2, color="#bdbdbd", linewidth=3, zorder=1
        )
    for row in rows.itertuples():
        marker, color = looks[row.subgroup]
        if row.status == "reported":
            axes.plot(row.rate, place, marker, color=color, markersize=7.5, markeredgecolor="white", zorder=3)
        elif row.status == "censored":
            axes.plot(
                [row.rate_low, row.rate_high], [place] * 2, color=color, linewidth=6, alpha=0.45,
                solid_capstyle="butt", zorder=2,
            )  # fmt: skip
    hidden = int(_is_hidden(rows).sum())
    gap = f"{exact['rate'].max() - exact['rate'].min():.0f}" if len(exact) > 1 else "–"
    text = f"gap {gap}" + (f"; {hidden} hidden" if hidden else "")
    axes.annotate(
        text, (1.015, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=MUTED
    )


def _target_line(axes: Axes, first: pd.Series, handles: list[Line2D]) -> None:
    if np.isfinite(first["target"]):
        dashes = (0, (4, 2))
        axes.axvline(first["target"], color=GREEN, linewidth=1.4, linestyle=dashes, zorder=0)
        label = f"target {value_text(first['target'], first)}"
        handles.append(Line2D([], [], color=GREEN, linewidth=1.4, linestyle=dashes, label=label))


def _panel(axes: Axes, own: pd.DataFrame, reference: pd.DataFrame, name: str) -> None:
    place = np.arange(len(own), dtype=float)
    exact = own["status"].eq("reported").to_numpy()
    is_reference = bool(own["is_reference"].eq(True).any())
    if not is_reference:
        base = reference["rate"].where(reference["status"].eq("reported")).to_numpy(dtype=float)
        axes.plot(place, base, color="#a8a8a8", linewidth=1.3, zorder=1)
    rate = own["rate"].to_numpy(dtype=float)
    axes.vlines(place[exact], own["conf_low"][exact], own["conf_high"][exact], color=BLUE, linewidth=1.4)
    for start, end in unbroken(exact):
        axes.plot(place[start:end], rate[start:end], "o-", color=BLUE, linewidth=1.2, markersize=3.6)
    ranges = own["status"].eq("censored").to_numpy()
    axes.vlines(
        place[ranges], own["rate_low"][ranges], own["rate_high"][ranges], color=ORANGE, linewidth=4, alpha=0.7
    )
    hidden = ~(exact | ranges)
    axes.plot(
        place[hidden], np.full(int(hidden.sum()), 0.05), "x", color=MUTED, markersize=4.5,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip
    target = own["target"].dropna()
    if len(target):
        axes.axhline(float(target.iloc[0]), color=GREEN, linewidth=1.2, linestyle=(0, (4, 2)), zorder=0)
    label = own["subgroup_label"].dropna()
    text = str(label.iloc[0]) if len(label) else name
    axes.set_title(fill(f"{text} (reference)" if is_reference else text, NAME_WIDTH), fontsize=9)


def _name_panels(panels: np.ndarray, rows: pd.DataFrame, periods: list[str], first: pd.Series) -> None:
    labels = rows.drop_duplicates("period").set_index("period")["period_label"]
    kept = sorted({0, (len(periods) - 1) // 2, len(periods) - 1}) if len(periods) > 4 else [len(periods) - 1]
    for at, axes in enumerate(panels):
        axes.set_xticks(kept, [labels[periods[place]] for place in kept])
        axes.set_xlim(-0.5, len(periods) - 0.5)
        axes.set_ylim(0, upper_limit(rows))
        axes.tick_params(axis="x", labelbottom=True, colors=MUTED, labelsize=8)
        axes.spines["left"].set_color(GRID)
        if at % ACROSS == 0:
            axes.set_ylabel(unit_text(first))


def _equiplot_words(rows: pd.DataFrame, periods: list[str]) -> str:
    first = rows.iloc[0]
    parts = []
    for period in (periods[0], periods[-1]) if len(periods) > 1 else periods:
        here = rows[rows["period"].eq(period)]
        exact = here[here["status"].eq("reported")].sort_values("rate")
        when = here["period_label"].iloc[0]
        if len(exact) < 2:
            parts.append(f"in {when} fewer than two subgroups may be shown exactly")
            continue
        ends = [
            f"{row['subgroup_label']} {value_text(row['rate'], row)}"
            for row in (exact.iloc[0], exact.iloc[-1])
        ]
        gap = exact["rate"].iloc[-1] - exact["rate"].iloc[0]
        parts.append(f"in {when} from {ends[0]} to {ends[1]}, {gap:.1f} apart")
    hidden = int(_is_hidden(rows).sum())
    text = (
        f"{first['label']} at {first['site_name']}, by {lowered(first['dimension_label'])}; "
        f"{first['favourable']} is better. The exact rates lie {listed(parts)}."
    )
    return text + (f" {hidden} of {len(rows)} cells are hidden or have no value." if hidden else "")


def _panels_words(rows: pd.DataFrame, order: list[str]) -> str:
    first = rows.iloc[0]
    parts = []
    for name in order:
        own = rows[rows["subgroup"].eq(name)].sort_values("period")
        exact = own[own["status"].eq("reported")]
        label = own["subgroup_label"].iloc[0]
        if exact.empty:
            parts.append(f"{label}: no exact rate may be shown")
            continue
        ends = [
            f"{value_text(row['rate'], row)} in {row['period_label']}"
            for _, row in exact.iloc[[0, -1]].drop_duplicates("period").iterrows()
        ]
        hidden = int(_is_hidden(own).sum())
        parts.append(f"{label}: {' and '.join(ends)}" + (f", {hidden} periods hidden" if hidden else ""))
    return (
        f"{len(order)} small charts of {first['label']} at {first['site_name']}; "
        f"{first['favourable']} is better. {'. '.join(parts)}."
    )
