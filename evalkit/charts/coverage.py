"""What the data hold, a row per indicator and a column per year: exact, a range, hidden, or nothing."""

from collections.abc import Mapping
from textwrap import shorten

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.path import Path as Outline

from evalkit.charts.style import INK, MUTED, ORANGE, WIDTH, describe, footnote, house_style, new_axes
from evalkit.wording import listed

# an arrow with two heads
UP_AND_DOWN = Outline(
    [
        *[(0, 1), (0.45, 0.45), (0.1, 0.45), (0.1, -0.45), (0.45, -0.45)],
        *[(0, -1), (-0.45, -0.45), (-0.1, -0.45), (-0.1, 0.45), (-0.45, 0.45), (0, 1)],
    ]
)
# status -> (words, shade of the cell, mark, size of the mark in points); from the best known to the least
LOOKS = {
    "reported": ("exact", "#9ecae1", "o", 5.0),
    "censored": ("a range", "#dcebf5", UP_AND_DOWN, 7.0),
    "suppressed": ("hidden", "#d9d9d9", "x", 5.0),
    "missing": ("no data", "#ffffff", "_", 4.5),
}
FEW_INDICATORS = 3  # with so few, the groups get rows of their own
ROW_HEIGHT, FRAME_HEIGHT = 0.27, 1.35  # inches
LABEL_WIDTH = 34  # characters


def status_matrix(
    frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None, indicator: str | None = None
) -> Axes:
    """Draw the status of every indicator and year from `augment` of a data_quality result.

    A year of months or quarters shows its least known period. With three indicators or fewer the groups have
    rows as well. A dashed line stands before a year from which the indicator is another measure.

    Parameters
    ----------
    frames : `augment` with indicator, label, population, dimension, subgroup, year, status, n, break_reason,
    source
    indicator : draw this one only
    """
    augment = frames["augment"]
    if indicator is not None:
        augment = augment.loc[augment["indicator"].eq(indicator)]
    if len(augment["indicator"].unique()) > FEW_INDICATORS:
        augment = augment.loc[augment["dimension"].eq("all")]
    years = _years(augment)
    cells = _cells(augment, years)
    rows = list(dict.fromkeys(cells["row"]))
    with house_style():
        ax = new_axes(ax, width=WIDTH, height=FRAME_HEIGHT + ROW_HEIGHT * max(len(rows), 2))
        for cell in cells.itertuples(index=False):
            _, shade, mark, size = LOOKS[cell.status]
            across, down = years.index(cell.year), rows.index(cell.row)
            ax.add_patch(
                Rectangle((across - 0.5, down - 0.5), 1, 1, facecolor=shade, edgecolor="white", linewidth=1.5)
            )
            colour = MUTED if cell.status in {"suppressed", "missing"} else INK
            ax.plot(across, down, marker=mark, markersize=size, color=colour, linestyle="none")
            if cell.is_break:
                ax.plot(
                    [across - 0.5] * 2, [down - 0.5, down + 0.5], color=ORANGE, linestyle="--", linewidth=2
                )
        ax.set_xlim(-0.5, max(len(years), 1) - 0.5)
        ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        ax.set_xticks(range(len(years)), years)
        ax.set_yticks(range(len(rows)), [shorten(row, LABEL_WIDTH, placeholder="…") for row in rows])
        ax.set_xlabel("year, or school year ending in")
        ax.grid(visible=False)
        ax.tick_params(length=0)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        _key(ax, cells)
        footnote(ax, _footnote(augment))
        return describe(ax, _alt(cells, rows, years))


def _years(augment: pd.DataFrame) -> list[str]:
    known = sorted(int(year) for year in augment["year"].unique())
    return [str(year) for year in range(known[0], known[-1] + 1)] if known else []


def _cells(augment: pd.DataFrame, years: list[str]) -> pd.DataFrame:
    """Take the least known status of each row and year; a year without any period is without data."""
    rank = {status: place for place, status in enumerate(LOOKS)}
    listing = augment.assign(
        row=_names(augment), rank=augment["status"].map(rank), is_break=augment["break_reason"].ne("")
    )
    grid = listing[["row"]].drop_duplicates().merge(pd.DataFrame({"year": years}, dtype="str"), how="cross")
    worst = listing.groupby(["row", "year"], as_index=False).agg(
        rank=("rank", "max"), is_break=("is_break", "any")
    )
    cells = grid.merge(worst, how="left", on=["row", "year"])
    return cells.assign(
        status=cells["rank"].fillna(rank["missing"]).map(dict(enumerate(LOOKS))),
        is_break=cells["is_break"].eq(True),
    )


def _names(augment: pd.DataFrame) -> pd.Series:
    """Name each row so that no two are alike."""
    name = augment["label"].copy()
    if len(augment[["indicator", "population"]].drop_duplicates()) > len(augment["indicator"].unique()):
        name = name + ", " + augment["population"].str.replace("_", " ")
    is_total = augment["dimension"].eq("all")
    if is_total.all():
        return name
    one = len(augment["indicator"].unique()) == 1
    group = augment["subgroup"] if one else name + ", " + augment["subgroup"]
    return group.where(~is_total, name + ", everyone")


def _key(ax: Axes, cells: pd.DataFrame) -> None:
    present = set(cells["status"])
    for status, (words, _, mark, size) in LOOKS.items():
        if status in present:
            ax.plot([], [], marker=mark, markersize=size + 1, color=INK, linestyle="none", label=words)
    if present:
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(LOOKS), borderaxespad=0.2, handletextpad=0.3
        )


def _footnote(augment: pd.DataFrame) -> str:
    totals = augment.loc[augment["dimension"].eq("all")]
    sources = sorted({name for text in augment["source"] for name in text.split("; ") if name})
    persons = totals["n"].dropna()
    size = f"n = {persons.min():,.0f} to {persons.max():,.0f} in a total" if len(persons) else "n not given"
    breaks = " Dashed: another definition from there on." if augment["break_reason"].ne("").any() else ""
    return f"Source: {', '.join(sources) or 'not given'}; {size}.{breaks}"


def _alt(cells: pd.DataFrame, rows: list[str], years: list[str]) -> str:
    if not rows:
        return "A table of indicators and years without a single cell: the data hold nothing."
    told = []
    for row in rows:
        counts = cells.loc[cells["row"].eq(row), "status"].value_counts()
        parts = [f"{counts[status]} {LOOKS[status][0]}" for status in LOOKS if counts.get(status, 0)]
        told.append(f"{row}: {listed(parts)}")
    return f"Years from {years[0]} to {years[-1]} by what the data hold. {'; '.join(told)}."
