"""Site estimates under one another with their average; in the order of names, so that nobody is ranked."""

from collections.abc import Mapping
from textwrap import fill, shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from evalkit.charts.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    describe,
    figure_of,
    footnote,
    house_style,
    new_axes,
)
from evalkit.wording import interval, listed, number, signed

ROW = 0.34  # inches a site
FRAME = 1.8  # inches for title, axis, average and footnote
SMALLEST, LARGEST = 5.0, 9.0  # points: side of the square of the least and the most certain site
TITLE_WIDTH = 84  # characters that fit above the axes


def forest(
    frames: Mapping[str, pd.DataFrame],
    *,
    indicator: str | None = None,
    term: str | None = None,
    dimension: str | None = None,
    subgroup: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the estimate of every site, their average, and what a further site may expect.

    Parameters
    ----------
    frames : `augment` and `pooled` of a comparison
    indicator, term, dimension, subgroup : which question; what is left open is that of the first that fits
        and could be pooled, or of the first that fits

    Raises
    ------
    ValueError : the comparison holds no such question.
    """
    pooled, sites = frames["pooled"], frames["augment"]
    asked = {"indicator": indicator, "term": term, "dimension": dimension, "subgroup": subgroup}
    fits = _matching(pooled, asked)
    if fits.empty:
        raise ValueError(
            f"the comparison has nothing on {', '.join(value for value in asked.values() if value)}"
        )
    average = fits.assign(told=fits["estimate"].notna(), some=fits["shown"] > 0)
    average = average.sort_values(["told", "some"], ascending=False, kind="stable").iloc[0]
    part = _matching(sites, {key: average[key] for key in asked}).reset_index(drop=True)
    with house_style():
        axes = new_axes(ax, height=FRAME + ROW * (len(part) + 2))
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in part.iterrows():
            _site(axes, -float(place), row, part)
        _average(axes, -len(part) - 0.4, average)
        axes.axhline(-len(part) + 0.3, color=MUTED, linewidth=0.6)
        _label(axes, part, average)
    return describe(axes, _alt(part, average))


def _matching(frame: pd.DataFrame, asked: Mapping[str, str | None]) -> pd.DataFrame:
    for column, value in asked.items():
        frame = frame if value is None else frame[frame[column] == value]
    return frame


def _site(axes: Axes, place: float, row: pd.Series, part: pd.DataFrame) -> None:
    if row["comparable"] == "range only":
        axes.plot([row["conf_low"], row["conf_high"]], [place, place], color=MUTED, linewidth=0.8)
        axes.plot([row["low"], row["high"]], [place, place], color=ORANGE, linewidth=2.5)
        axes.plot([row["low"], row["high"]], [place, place], "|", color=ORANGE, markersize=9)
        _beside(axes, place, f"range {interval(row['low'], row['high'])}, not pooled", MUTED)
    elif np.isfinite(row["estimate"]):
        is_pooled = row["comparable"] == "yes"
        color = BLUE if is_pooled else MUTED
        style = "-" if is_pooled else (0, (2, 2))
        axes.plot(
            [row["conf_low"], row["conf_high"]], [place, place], color=color, linewidth=1.4, linestyle=style
        )
        axes.plot(
            row["estimate"],
            place,
            "s",
            color=color,
            markersize=_size(row["std_error"], part["std_error"]),
            markerfacecolor=color if is_pooled else "white",
        )
        text = f"{signed(row['estimate'])}  ({interval(row['conf_low'], row['conf_high'])})"
        _beside(axes, place, text if is_pooled else f"{text}, not pooled", INK if is_pooled else MUTED)
    else:
        axes.annotate(
            shorten(f"not told: {row['reason']}", 62, placeholder=" …"),
            (0.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
            style="italic",
            color=MUTED,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        _beside(axes, place, "–", MUTED)


def _average(axes: Axes, place: float, average: pd.Series) -> None:
    if not np.isfinite(average["estimate"]):
        _beside(axes, place, "no average", MUTED)
        return
    low, middle, high = average["conf_low"], average["estimate"], average["conf_high"]
    axes.add_patch(
        Polygon(
            [(low, place), (middle, place + 0.28), (high, place), (middle, place - 0.28)], color=INK, zorder=3
        )
    )
    axes.update_datalim([(low, place), (high, place)])
    _beside(axes, place, f"{signed(middle)}  ({interval(low, high)})", INK, weight="bold")
    if np.isfinite(average["predict_low"]):
        ends = [average["predict_low"], average["predict_high"]]
        axes.plot(ends, [place - 1, place - 1], color=INK, linewidth=1.4, linestyle=(0, (1, 1.5)))
        axes.plot(ends, [place - 1, place - 1], "|", color=INK, markersize=8)
        _beside(axes, place - 1, f"({interval(*ends)})", INK)


def _beside(axes: Axes, place: float, text: str, color: str, weight: str = "normal") -> None:
    axes.annotate(
        text,
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
        color=color,
        fontweight=weight,
        annotation_clip=False,
    )


def _size(std_error: float, all_errors: pd.Series) -> float:
    share = float(all_errors.min() / std_error) if std_error > 0 else 1.0
    return SMALLEST + (LARGEST - SMALLEST) * share


def _label(axes: Axes, part: pd.DataFrame, average: pd.Series) -> None:
    count = len(part)
    ticks, names = [-float(place) for place in range(count)], [_bare(name, average) for name in part["site"]]
    names = [
        f"{name}, from {start}" if start else name for name, start in zip(names, part["start"], strict=True)
    ]
    ticks.append(-count - 0.4)
    names.append("Average of the sites")
    bottom = -count - 1.1
    if np.isfinite(average["predict_low"]):
        ticks.append(-count - 1.4)
        names.append("One more, similar site")
        bottom -= 0.9
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(bottom, 0.7)
    axes.margins(x=0.08)
    axes.autoscale_view(scaley=False)
    axes.spines["left"].set_visible(False)
    worse, better = _sides(average)
    axes.set_xlabel(f"←  {worse}      {average['unit']}      {better}  →")
    # The names of the sites take much of the width, so the title begins at the figure's own edge.
    figure_of(axes).suptitle(
        fill(_question(average), TITLE_WIDTH), x=0.01, ha="left", fontsize=11, fontweight="bold"
    )
    source = "Source: saved results of each site, intervals in brackets. "
    source += f"{int(average['k'])} of {count} sites pooled. Sites in the order of their names, not ranked."
    if (part["comparable"] == "range only").any():
        source += "\nThick bar: worst to best case of blurred counts; thin line: the intervals of both."
    if bool(average.get("fictional", False)):
        source += "\nFictional neighborhoods, synthetic data."
    footnote(axes, source)


def _bare(site: str, average: pd.Series) -> str:
    """Leave out "(fictional)": the footnote says so of all sites."""
    return site.removesuffix(" (fictional)") if bool(average.get("fictional", False)) else site


def _sides(average: pd.Series) -> tuple[str, str]:
    if average["dimension"] != "all":
        return f"lower for {average['subgroup']}", f"higher for {average['subgroup']}"
    return ("better (lower)", "worse (higher)") if average["favourable"] == "lower" else ("worse", "better")


def _question(average: pd.Series) -> str:
    text = f"{average['short_label']}: {average['term_label']}"
    if average["dimension"] != "all":
        text += f", {average['subgroup']} less {average['reference'] or 'the reference group'}"
    return text


def _alt(part: pd.DataFrame, average: pd.Series) -> str:
    told = part[part["comparable"] == "yes"]
    sentences = [
        f"Forest plot. {_question(average)}, in {average['unit']}.",
        f"{len(part)} sites in the order of their names.",
    ]
    if np.isfinite(average["estimate"]):
        ends = interval(average["conf_low"], average["conf_high"])
        sentences.append(f"Average {signed(average['estimate'])}, interval {ends}.")
        clear = int(((told["conf_low"] > 0) | (told["conf_high"] < 0)).sum())
        sentences.append(f"The interval of {clear} of {len(told)} pooled sites leaves out zero.")
        if np.isfinite(average["predict_low"]):
            expected = interval(average["predict_low"], average["predict_high"])
            sentences.append(f"One more, similar site could expect {expected}.")
        sentences.append(f"Share of variation beyond chance {number(average['i2'], 0)} percent.")
    else:
        sentences.append(f"No average: {average['note']}.")
    others = [
        f"{row.site} ({row.reason if row.comparable == 'no' else f'range {interval(row.low, row.high)}'})"
        for row in part[part["comparable"] != "yes"].itertuples()
    ]
    if others:
        sentences.append(f"Not pooled: {listed(others)}.")
    return " ".join(sentences)
