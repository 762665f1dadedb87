"""Charts of what was measured by simulation: coverage of intervals, and power of a design."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalkit.charts.style import (
    INK,
    MARKERS,
    MUTED,
    SERIES,
    WIDTH,
    describe,
    footnote,
    house_style,
    new_axes,
)
from evalkit.wording import number, percent

Frames = Mapping[str, pd.DataFrame]

PANEL_HEIGHT = 3.2  # inches
TERM_WORDS = {
    "level_change": "level change",
    "slope_change": "slope change",
    "effect_average": "average difference",
}
DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)), (0, (1, 1)))


def coverage_chart(frames: Frames, *, term: str = "slope_change", ax: Axes | None = None) -> Axes:
    """Draw how often intervals held the truth against the autocorrelation, a panel per length of series.

    Parameters
    ----------
    frames : `coverage` with columns inference, term, n_pre, n_post, rho, coverage, nominal and n_series
    term : "level_change" or "slope_change"
    ax : drawn on alone where given, with the first length of series

    Raises
    ------
    ValueError : the frame does not hold the term.
    """
    frame = frames["coverage"]
    frame = frame[frame["term"].eq(term)]
    if frame.empty:
        raise ValueError(f"the result has no term {term!r}")
    frame = frame.assign(
        design=[f"{a} + {b} periods" for a, b in zip(frame["n_pre"], frame["n_post"], strict=True)]
    )
    designs = list(dict.fromkeys(frame["design"]))
    methods = list(dict.fromkeys(frame["inference"]))
    nominal = float(frame["nominal"].iloc[0])
    with house_style():
        if ax is None:
            figure = Figure(figsize=(WIDTH, PANEL_HEIGHT))
            panels = list(figure.subplots(1, len(designs), squeeze=False, sharey=True).reshape(-1))
        else:
            panels = [ax]
        for axes, design in zip(panels, designs, strict=False):
            part = frame[frame["design"].eq(design)]
            axes.axhline(nominal, color=INK, linewidth=0.8, linestyle=":")
            for place, method in enumerate(methods):
                line = part[part["inference"].eq(method)].groupby("rho")["coverage"].mean()
                axes.plot(
                    line.index,
                    line.to_numpy(),
                    color=SERIES[place % len(SERIES)],
                    marker=MARKERS[place % len(MARKERS)],
                    linestyle=DASHES[place % len(DASHES)],
                    linewidth=1.4,
                    markersize=4,
                    label=method.replace("_", ", "),
                )
            axes.set_title(design, fontsize=9)
            axes.set_xlabel("autocorrelation of the errors")
        panels[0].set_ylabel("intervals that held the truth (percent)")
        panels[-1].legend(fontsize=7, loc="lower left")
        count = int(frame["n_series"].min())
        footnote(
            panels[0],
            f"Dotted: {nominal:g}%, what the intervals promise. Source: simulation; n = {count:,} series a "
            "point.",
        )
    ends = frame.groupby("inference", sort=False)["coverage"].agg(["min", "max"])
    told = "; ".join(
        f"{name.replace('_', ', ')} {number(row['min'], 0)} to {number(row['max'], 0)}%"
        for name, row in ends.iterrows()
    )
    return describe(
        panels[0],
        f"How often {nominal:g}% intervals of the {TERM_WORDS.get(term, term)} held the truth, over "
        f"{len(designs)} lengths of series and autocorrelations from {frame['rho'].min():g} to "
        f"{frame['rho'].max():g}: {told}.",
    )


def power_chart(frames: Frames, *, terms: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Draw how often an effect would be found against its size.

    Parameters
    ----------
    frames : `power` with columns term, effect, power, power_low, power_high, n_pre, n_post, rho and sites
    terms : which to draw; those that have an effect by default
    """
    frame = frames["power"]
    drawn = list(terms) or [
        str(name) for name, part in frame.groupby("term", sort=False) if part["effect"].ne(0).any()
    ]
    first = frame.iloc[0]
    told = []
    with house_style():
        axes = new_axes(ax)
        for (place, term), marker in zip_longest(enumerate(drawn), MARKERS[: len(drawn)]):
            line = frame[frame["term"].eq(term)].sort_values("effect")
            color = SERIES[place % len(SERIES)]
            axes.plot(
                line["effect"], line["power"], marker=marker, color=color, label=TERM_WORDS.get(term, term)
            )
            axes.fill_between(
                line["effect"], line["power_low"], line["power_high"], color=color, alpha=0.15, linewidth=0
            )
            end = line.iloc[-1]
            axes.annotate(
                TERM_WORDS.get(term, term), (end["effect"], end["power"]), textcoords="offset points",
                xytext=(-4, 6), ha="right", color=color, fontsize=8,
            )  # fmt: skip
            told.append(
                f"{TERM_WORDS.get(term, term)} of {number(end['effect'], 2)}: {percent(float(end['power']))}"
            )
        axes.axhline(80, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set_ylim(0, 104)
        axes.set_xlabel("true effect, in the unit of the error's standard deviation")
        axes.set_ylabel("studies that would find it (percent)")
        axes.set_title(f"What {first['n_pre']} periods before and {first['n_post']} after can find")
        footnote(
            axes,
            f"Dotted: 80%. Autocorrelation {first['rho']:g}; {first['sites']} series; inference "
            f"{first['inference']}. Source: simulation.",
        )
    return describe(
        axes,
        f"Power of an interrupted time series with {first['n_pre']} periods before and {first['n_post']} "
        f"after, autocorrelation {first['rho']:g}. Largest effects drawn: {'; '.join(told) or 'none'}.",
    )
