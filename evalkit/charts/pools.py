"""The site beside the rest of its district under each rule of pooling; every rate as the range it lies in."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts.style import BLUE, INK, ORANGE, PURPLE, describe, footnote, house_style, new_axes

# rule -> (words at the line, colour, line style, shift along the axis in periods)
LOOKS = {
    "site": ("the site", INK, "-", 0.0),
    "constant_cohort": ("used: a cohort every year", BLUE, "-.", 0.09),
    "constant_ids": ("listed every year", PURPLE, "--", -0.09),
    "naive": ("whoever has a cohort", ORANGE, ":", -0.18),
}
LABEL_HEIGHT = 0.055  # share of the axis: least distance between two labels
SOURCE = "EDFacts graduation rates"


def pool_chart(
    frames: Mapping[str, pd.DataFrame],
    *,
    ax: Axes | None = None,
    indicator: str | None = None,
    source: str = SOURCE,
) -> Axes:
    """Draw the pooled bounds by rule and year, in percent, from `augment` of a comparison_pool result.

    A range runs from the lowest to the highest the rate may be; thin lines join the middles for the eye
    only. A year without a school that can be weighted has no range. Nothing is a bar, so the axis need not
    start at 0.
    """
    augment = frames["augment"]
    if indicator is not None:
        augment = augment.loc[augment["indicator"].eq(indicator)]
    periods = sorted(augment["period"].unique())
    place = {period: position for position, period in enumerate(periods)}
    floor = _floor(augment)
    with house_style():
        ax = new_axes(ax)
        ends: list[tuple[float, str]] = []
        for rule, (_, colour, line, shift) in LOOKS.items():
            known = augment.loc[augment["rule"].eq(rule)].dropna(subset=["low", "high"]).sort_values("period")
            if known.empty:
                continue
            across = known["period"].map(place) + shift
            middle = (known["low"] + known["high"]) / 2
            ax.plot(across, middle, color=colour, linestyle=line, linewidth=1.0)
            ax.errorbar(
                across,
                middle,
                yerr=(known["high"] - known["low"]) / 2,
                fmt="none",
                ecolor=colour,
                elinewidth=3.2,
                capsize=3,
                label=rule,
            )
            ends.append((float(middle.iloc[-1]), rule))
        ends.sort()
        for height, (_, rule) in zip(_apart(ends, LABEL_HEIGHT * (100 - floor)), ends, strict=True):
            words, colour, _, _ = LOOKS[rule]
            ax.text(len(periods) - 1 + 0.22, height, words, color=colour, va="center")
        ax.set_xticks(range(len(periods)), periods)
        ax.set_xlim(-0.4, len(periods) + 1.0)
        ax.set_ylim(floor, 100)
        ax.set_xlabel("class of")
        ax.set_ylabel("graduated in four years, % of cohort")
        ax.set_title("The comparison hangs on which schools are pooled")
        meaning = "Bars: what blurring leaves open; lines join their middles for the eye only."
        footnote(ax, f"Source: {source}. {meaning} {_sizes(augment)}.")
        return describe(ax, _alt(augment, periods))


def _floor(augment: pd.DataFrame) -> float:
    lowest = augment["low"].min()
    return 0.0 if pd.isna(lowest) else max(0.0, 10 * ((lowest - 5) // 10))


def _apart(ends: list[tuple[float, str]], gap: float) -> list[float]:
    """Move ascending ends of lines apart so that their labels do not run into one another."""
    placed: list[float] = []
    for height, _ in ends:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    return placed


def _sizes(augment: pd.DataFrame) -> str:
    rows = augment.loc[augment["rule"].eq("constant_cohort") & augment["n"].gt(0)]
    if rows.empty:
        return "No school has a cohort in every year"
    lowest, highest = rows["n"].min(), rows["n"].max()
    return f"{rows['schools'].max()} schools used, n = {lowest:,.0f} to {highest:,.0f} students a year"


def _alt(augment: pd.DataFrame, periods: list[str]) -> str:
    if not periods:
        return "An empty chart: the site is not compared with the rest of a district."
    told = []
    for rule, (words, *_) in LOOKS.items():
        rows = augment.loc[augment["rule"].eq(rule)].dropna(subset=["low", "high"]).sort_values("period")
        if not rows.empty:
            first, last = rows.iloc[0], rows.iloc[-1]
            told.append(
                f"{words}: {first.low:.1f} to {first.high:.1f} in {first.period},"
                f" {last.low:.1f} to {last.high:.1f} in {last.period}"
            )
    return (
        f"Ranges of the graduation rate in percent, {periods[0]} to {periods[-1]}, for the site and for"
        f" the rest of its district pooled under three rules. {'; '.join(told)}."
    )
