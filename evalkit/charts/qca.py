"""Qualitative comparison: cases by membership in the solution and in the outcome, and the truth table."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    describe,
    footnote,
    house_style,
    new_axes,
)
from evalkit.wording import listed, number

# place of a case -> words, marker, colour
PLACES = {
    "typical": ("in the solution, with the outcome", "o", BLUE),
    "contradicts": ("in the solution, without the outcome", "X", ORANGE),
    "not covered": ("with the outcome, not in the solution", "^", PURPLE),
    "irrelevant": ("neither", ".", MUTED),
}
NEAR = 0.045  # membership; cases closer than this share one label
ROW_HEIGHT = 0.3  # inches for one row of the truth table
HEAD_HEIGHT = 1.5  # inches for its heading and footnote
TABLE_COLUMNS = ("row", "OUT", "n", "incl", "PRI", "cases", "contradicts")
SUFFICIENT = {"1": "yes", "0": "no", "?": "open"}
MOST_LETTERS = 38  # of the names of the cases of one row


def solution_plot(
    frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None, label: str = "the outcome"
) -> Axes:
    """Draw every case by its membership in the intermediate solution and in the outcome.

    Parameters
    ----------
    frames : `memberships` and `solutions` of a qualitative comparison
    label : words for the outcome

    Returns
    -------
    Axes from 0 to 1 both ways. Above the diagonal a case speaks for sufficiency; a case in the lower right
    contradicts it. Cases that are in neither set have no label.
    """
    cases = frames["memberships"]
    best = frames["solutions"].query("solution == 'intermediate'").iloc[0]
    with house_style():
        axes = new_axes(ax, height=5.2)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9)
        for line in (axes.axhline, axes.axvline):
            line(0.5, color=GRID, linewidth=1.2, zorder=0)
        for place, (words, marker, colour) in PLACES.items():
            own = cases[cases["place"] == place]
            if len(own):
                axes.plot(
                    own["solution"], own["outcome"], marker, color=colour, markersize=7, label=words,
                    clip_on=False,
                )  # fmt: skip
        _label_cases(axes, cases[cases["place"] != "irrelevant"])
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.grid(visible=False)
        axes.set_xlabel("Membership in the solution (0 out, 1 in)")
        axes.set_ylabel(f"Membership in {label} (0 out, 1 in)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8, borderaxespad=0)
        if ax is None:
            footnote(
                axes,
                f"Solution: {best['formula']}; consistency {number(best['inclS'], 2)}, coverage "
                f"{number(best['covS'], 2)}; n = {len(cases)} cases",
            )
        return describe(axes, _plot_alternative(cases, best, label))


def truth_table_chart(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw the truth table: a filled circle where a condition is present, a ring where it is absent.

    Parameters
    ----------
    frames : `truth_table` of a qualitative comparison; sufficient rows come first, then by consistency
    """
    table = frames["truth_table"].sort_values(["OUT", "incl"], ascending=[False, False], kind="stable")
    conditions = [name for name in table.columns if name not in TABLE_COLUMNS]
    with house_style():
        axes = new_axes(ax, height=ROW_HEIGHT * len(table) + HEAD_HEIGHT)
        width = len(conditions)
        heads = [*conditions, "goes with it", "consistency", "PRI", "cases"]
        places = [*map(float, range(width)), width + 0.4, width + 2.0, width + 3.2, width + 3.9]
        for place, words in zip(places, heads, strict=True):
            is_left = words in {"cases"}
            axes.text(
                place, -0.8, words, ha="left" if is_left else "center", va="bottom", fontsize=8, color=INK,
                fontweight="bold", rotation=0 if len(conditions) <= 6 or place >= width else 45,
            )  # fmt: skip
        for y, row in enumerate(table.to_dict("records")):
            _draw_row(axes, row, conditions, places, float(y))
        axes.set(xlim=(-0.6, width + 8.0), ylim=(len(table) - 0.4, -1.4), xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if ax is None:
            footnote(
                axes,
                f"Filled: present; ring: absent. An asterisk marks a case whose own outcome differs. "
                f"n = {int(table['n'].sum())} cases",
            )
        return describe(axes, _table_alternative(table, conditions))


def _label_cases(axes: Axes, cases: pd.DataFrame) -> None:
    """Name the cases, those at nearly the same place together, on the side where there is room."""
    groups: list[list[Any]] = []
    for row in cases.sort_values(["solution", "outcome", "case"]).itertuples(index=False):
        for group in groups:
            if abs(group[0].solution - row.solution) < NEAR and abs(group[0].outcome - row.outcome) < NEAR:
                group.append(row)
                break
        else:
            groups.append([row])
    for group in groups:
        words = ", ".join(str(row.case) for row in group)
        x, y = group[0].solution, group[0].outcome
        right = x <= 0.8
        axes.annotate(
            words, (x, y), xytext=(8 if right else 0, 0 if right else -13), textcoords="offset points",
            ha="left" if right else "center", va="center", fontsize=8, color=INK, annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        )  # fmt: skip


def _draw_row(
    axes: Axes, row: Mapping[Any, Any], conditions: list[str], places: list[float], y: float
) -> None:
    enough = row["OUT"] == "1"
    colour = BLUE if enough else MUTED
    if enough:
        axes.axhspan(y - 0.46, y + 0.46, color=BLUE, alpha=0.08, linewidth=0)
    for x, name in zip(places, conditions, strict=False):
        axes.plot(
            x, y, "o", markersize=9, markeredgecolor=colour, markeredgewidth=1.3,
            markerfacecolor=colour if row[name] else "white",
        )  # fmt: skip
    against = set(str(row["contradicts"]).split(",")) - {""}
    names = ", ".join(f"{name}*" if name in against else name for name in str(row["cases"]).split(","))
    if len(names) > MOST_LETTERS:
        names = f"{row['n']} cases" + (f", {len(against)} of them *" if against else "")
    values = [SUFFICIENT[str(row["OUT"])], number(row["incl"], 2), number(row["PRI"], 2), names]
    for x, words in zip(places[len(conditions) :], values, strict=True):
        axes.text(
            x, y, words, ha="left" if words is names else "center", va="center", fontsize=8.5,
            color=INK, fontweight="bold" if words == "yes" else "normal",
        )  # fmt: skip


def _plot_alternative(cases: pd.DataFrame, best: pd.Series, label: str) -> str:
    told = [
        f"{words}: {listed(cases.loc[cases['place'] == place, 'case'].tolist())}"
        for place, (words, _, _) in PLACES.items()
        if place != "irrelevant" and (cases["place"] == place).any()
    ]
    return (
        f"{len(cases)} cases by membership in the solution {best['formula']} and in {label}. "
        f"{'; '.join(told)}. The solution is consistent to {number(best['inclS'], 2)} and covers "
        f"{number(best['covS'], 2)} of the outcome."
    )


def _table_alternative(table: pd.DataFrame, conditions: list[str]) -> str:
    told = [
        f"{' and '.join(name if row[name] else 'no ' + name for name in conditions)} "
        f"(consistency {number(row['incl'], 2)}; {str(row['cases']).replace(',', ', ')})"
        for row in table[table["OUT"] == "1"].to_dict("records")
    ]
    return f"Truth table of {len(table)} combinations of {listed(conditions)}. " + (
        f"Sufficient: {'; '.join(told)}." if told else "None is sufficient."
    )
