"""Levels of subgroups with their intervals, and a gap over time; hidden groups are drawn as hidden."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts.gap_words import (
    change_text,
    ends_text,
    gap_in_words,
    levels_in_words,
    lowered,
    value_text,
)
from evalkit.charts.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    describe,
    footnote,
    house_style,
    new_axes,
    words_instead,
)
from evalkit.wording import interval, listed, number

ROW = 0.36  # inches a subgroup
FRAME = 1.55  # inches for title, axis and footnote
LABEL_WIDTH = 26  # characters of a subgroup's name on one line
TITLE_WIDTH = 66  # characters that fit above the axes
TARGET_PAD = 18  # points: the target's label stands between title and axes
NOT_SHOWN = "not shown, to protect small groups"
NO_VALUE = "no value for this period"
NO_SUBGROUPS = "No indicator in these data is split into subgroups with a reference, so no gap can be drawn."
NO_PAIR = "No subgroup beside the reference is in these data, so no gap can be drawn."


def gap_chart(
    frames: Mapping[str, pd.DataFrame],
    *,
    indicator: str | None = None,
    dimension: str | None = None,
    period: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw every subgroup's level with its interval, in a fixed order, with the target as the benchmark.

    Parameters
    ----------
    frames : `augment` (a row per period and subgroup) and `glance` of equity gaps
    indicator, dimension : by default those of the gap that the narrative tells first
    period : by default the last one with a gap

    Raises
    ------
    ValueError : there is no such row.
    """
    if has_no_subgroups(frames, indicator, dimension):
        return words_instead(ax, NO_SUBGROUPS)
    chosen = choose_study(frames, indicator, dimension)
    every = frames["augment"]
    every = every[every["indicator"].eq(chosen["indicator"]) & every["dimension"].eq(chosen["dimension"])]
    every = every[every["population"].eq(chosen["population"])]
    latest = str(every["latest"].iloc[0]) or str(every["period"].max())
    rows = every[every["period"].eq(period or latest)].sort_values("order", ascending=False)
    if rows.empty:
        raise ValueError(f"no row of {chosen['indicator']} by {chosen['dimension']} in {period}")
    rows = rows.reset_index(drop=True)
    with house_style():
        axes = new_axes(ax, height=FRAME + ROW * len(rows))
        axes.grid(axis="x", visible=True)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, upper_limit(rows))
        axes.set_ylim(-0.7, len(rows) - 0.3)
        for place, row in rows.iterrows():
            _level(axes, float(place), row)
        _target(axes, rows)
        axes.set_yticks(range(len(rows)), [_name(row) for _, row in rows.iterrows()])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        first = rows.iloc[0]
        axes.set_xlabel(f"{unit_text(first)} ({first['favourable']} is better)")
        by = lowered(first["dimension_label"])
        pad = TARGET_PAD if np.isfinite(first["target"]) else None
        axes.set_title(f"{first['short_label']} by {by}, {first['period_label']}", pad=pad)
        _note(axes, rows)
    return describe(axes, levels_in_words(rows))


def gap_over_time(
    frames: Mapping[str, pd.DataFrame],
    *,
    indicator: str | None = None,
    dimension: str | None = None,
    subgroup: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one subgroup's gap to its reference over time: a ribbon for its interval, a line for parity.

    Parameters
    ----------
    frames : `gaps` (a row per period and compared subgroup) and `glance` of equity gaps
    indicator, dimension, subgroup : by default those of the gap that the narrative tells first

    Raises
    ------
    ValueError : there is no such gap.
    """
    if has_no_subgroups(frames, indicator, dimension):
        return words_instead(ax, NO_SUBGROUPS)
    chosen = choose_study(frames, indicator, dimension)
    gaps = frames["gaps"]
    gaps = gaps[gaps["indicator"].eq(chosen["indicator"]) & gaps["dimension"].eq(chosen["dimension"])]
    gaps = gaps[gaps["population"].eq(chosen["population"])]
    wanted = subgroup or str(chosen["told_subgroup"]) or _most_often_shown(gaps)
    rows = gaps[gaps["subgroup"].eq(wanted)].sort_values("period").reset_index(drop=True)
    if rows.empty and not wanted:
        return words_instead(ax, NO_PAIR)
    if rows.empty:
        raise ValueError(f"no gap of {wanted!r} in {chosen['indicator']} by {chosen['dimension']}")
    with house_style():
        axes = new_axes(ax)
        axes.axhline(0, color=INK, linewidth=1)
        place = np.arange(len(rows), dtype=float)
        for start, end in unbroken(rows["difference"].notna().to_numpy()):
            part = slice(start, end)
            axes.fill_between(
                place[part],
                rows["conf_low"][part],
                rows["conf_high"][part],
                color=BLUE,
                alpha=0.18,
                linewidth=0,
            )
            axes.plot(place[part], rows["difference"][part], "o-", color=BLUE, linewidth=1.8, markersize=4.5)
            if end - start == 1:
                axes.vlines(
                    place[start], rows["conf_low"][start], rows["conf_high"][start], color=BLUE, linewidth=1.6
                )
        ranges = rows["least"].notna()
        axes.vlines(
            place[ranges], rows["least"][ranges], rows["most"][ranges], color=ORANGE, linewidth=4, alpha=0.7
        )
        _limit_and_label(axes, rows, place)
    return describe(axes, gap_in_words(rows))


def has_no_subgroups(
    frames: Mapping[str, pd.DataFrame], indicator: str | None, dimension: str | None
) -> bool:
    """Tell whether the result compares no subgroups at all, and no indicator or dimension was asked for."""
    return indicator is None and dimension is None and frames["glance"].empty


def choose_study(
    frames: Mapping[str, pd.DataFrame], indicator: str | None, dimension: str | None
) -> pd.Series:
    """Take the first study that fits, those told in the narrative before the others."""
    glance = frames["glance"]
    for column, wanted in (("indicator", indicator), ("dimension", dimension)):
        if wanted is not None and not glance.empty:
            glance = glance[glance[column].eq(wanted)]
    if glance.empty:
        asked = " by ".join(name for name in (indicator, dimension) if name) or "any indicator"
        raise ValueError(f"no gaps of {asked} in this result")
    return (
        glance.assign(_place=glance["told"].where(glance["told"] > 0, np.inf))
        .sort_values("_place", kind="stable")
        .iloc[0]
    )


def _level(axes: Axes, place: float, row: pd.Series) -> None:
    if row["status"] == "reported":
        axes.plot([row["conf_low"], row["conf_high"]], [place, place], color=BLUE, linewidth=1.6)
        filled = "white" if row["is_reference"] else BLUE
        axes.plot(
            row["rate"], place, "o", color=BLUE, markerfacecolor=filled, markersize=7.5, markeredgewidth=1.6
        )
        _beside(
            axes,
            place,
            f"{value_text(row['rate'], row)} ({ends_text(row)})  n = {number(row['denominator'], 0)}",
            INK,
        )
    elif row["status"] == "censored":
        axes.plot(
            [row["rate_low"], row["rate_high"]], [place, place], color=ORANGE, linewidth=6, alpha=0.7,
            solid_capstyle="butt",
        )  # fmt: skip
        persons = f"  n = {number(row['denominator'], 0)}" if np.isfinite(row["denominator"]) else ""
        _beside(axes, place, f"{ends_text(row, 'rate_low', 'rate_high')}: a range{persons}", MUTED)
    else:
        text = NOT_SHOWN if row["status"] == "suppressed" else NO_VALUE
        axes.annotate(
            text, (0.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, style="italic",
            color=MUTED, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
        _beside(axes, place, "–", MUTED)


def _beside(axes: Axes, place: float, text: str, color: str) -> None:
    axes.annotate(
        text, (1.015, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=color
    )


def _target(axes: Axes, rows: pd.DataFrame) -> None:
    target = rows["target"].iloc[0]
    if np.isfinite(target):
        axes.axvline(target, color=GREEN, linewidth=1.4, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f"target {value_text(target, rows.iloc[0])}", (target, 1.0), xycoords=("data", "axes fraction"),
            xytext=(3, 1), textcoords="offset points", va="bottom", ha="left", fontsize=8, color=GREEN,
        )  # fmt: skip


def _limit_and_label(axes: Axes, rows: pd.DataFrame, place: np.ndarray) -> None:
    first = rows.iloc[0]
    known = rows[["conf_low", "conf_high", "least", "most"]].to_numpy(dtype=float)
    low, high = min(np.nanmin(known, initial=0), 0), max(np.nanmax(known, initial=0), 0)
    room = 0.12 * (high - low or 1)
    axes.set_ylim(low - room, high + room)
    hidden = (rows["difference"].isna() & rows["least"].isna()).to_numpy()
    bottom = axes.get_ylim()[0]
    axes.plot(place[hidden], np.full(hidden.sum(), bottom + 0.3 * room), "x", color=MUTED, markersize=5)
    axes.annotate(
        "parity", (1.005, 0), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=INK
    )
    shown = rows[rows["difference"].notna()]
    if not shown.empty and shown.index[-1] == rows.index[-1]:
        last = shown.iloc[-1]
        axes.annotate(
            f"{change_text(last['difference'], last)}\n({interval(last['conf_low'], last['conf_high'])})",
            (float(shown.index[-1]), last["difference"]), xytext=(7, 0), textcoords="offset points",
            va="center", fontsize=8.5, color=BLUE,
        )  # fmt: skip
    axes.set_xlim(-0.4, len(rows) - 1 + 0.16 * len(rows))
    step = max(1, int(np.ceil(len(rows) / 8)))
    kept = [at for at in range(len(rows)) if (len(rows) - 1 - at) % step == 0]
    axes.set_xticks(kept, [rows["period_label"][at] for at in kept])
    axes.set_ylabel(_capital(str(first["unit"])))
    axes.set_title(
        fill(
            f"{first['short_label']}: {first['subgroup_label']} minus {first['reference_label']}", TITLE_WIDTH
        )
    )
    _gap_note(axes, rows, hidden=bool(hidden.any()))


def _note(axes: Axes, rows: pd.DataFrame) -> None:
    marks = []
    if rows["status"].eq("reported").any():
        marks.append("Line: interval of the level.")
    if rows["status"].eq("censored").any():
        marks.append("Thick bar: the range in which the rate is known to lie.")
    footnote(axes, f"{level_source(rows)}{' '.join(marks)}")


def _gap_note(axes: Axes, rows: pd.DataFrame, *, hidden: bool) -> None:
    worse = "Below" if rows["favourable"].iloc[0] == "higher" else "Above"
    text = f"{level_source(rows)}{worse} 0 the first group is worse off. Ribbon: interval of the gap."
    if rows["least"].notna().any():
        text += " Thick bar: gaps that known ranges allow, before sampling error."
    if hidden:
        text += " ×: not shown, or no value."
    counts = rows.loc[rows["n"].notna(), ["period_label", "n"]]
    if not counts.empty:
        text += f" n = {number(counts['n'].iloc[-1], 0)} in {counts['period_label'].iloc[-1]}."
    footnote(axes, fill(text, 125))


def _name(row: pd.Series) -> str:
    text = f"{row['subgroup_label']} (reference)" if row["is_reference"] else str(row["subgroup_label"])
    return fill(text, LABEL_WIDTH)


def unit_text(row: pd.Series) -> str:
    """Name the unit of a level's axis."""
    return "Percent" if row["unit"] == "percent" else _capital(str(row["unit"]))


def upper_limit(rows: pd.DataFrame) -> float:
    """Give the end of an axis that begins at 0; a percent never needs more than 100."""
    known = rows[["rate_high", "conf_high", "target"]].to_numpy(dtype=float)
    top = float(np.nanmax(known, initial=0)) or 1.0
    step = 10 ** np.floor(np.log10(top)) / 2
    end = float(np.ceil(top * 1.04 / step) * step)
    return min(end, 100.0) if rows["unit"].iloc[0] == "percent" and top <= 100 else end


def level_source(rows: pd.DataFrame) -> str:
    """Name where the rows come from, for a footnote."""
    names = sorted(set(rows["source"]) - {""})
    return f"Source: {listed(names)}. " if names else ""


def _most_often_shown(gaps: pd.DataFrame) -> str:
    shown = gaps.assign(_shown=gaps["difference"].notna()).groupby("subgroup", sort=True)["_shown"].sum()
    return str(shown.idxmax()) if len(shown) else ""


def unbroken(known: np.ndarray) -> list[tuple[int, int]]:
    """Find the stretches without a hole, as start and end; a line must not bridge a hidden period."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in zip(edges[0::2], edges[1::2], strict=True)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
