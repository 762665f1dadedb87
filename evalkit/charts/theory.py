"""A theory of change as a drawn graph: kinds by shape and column, evidence by line, in inches throughout."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from evalkit.charts.boxes import BOX_WIDTH, LETTER, LINE, LOOKS, PADDING, draw_shape, look_of, wrapped
from evalkit.charts.legend import LEGEND_ROW, STROKES, draw_legend_row, legend_rows, stroke_of
from evalkit.charts.style import (
    INK,
    MUTED,
    WIDTH,
    describe,
    figure_of,
    footnote,
    house_style,
    new_axes,
)
from evalkit.wording import listed

# All lengths in inches, at the size the figure is made for; letters in points.
COLUMN_GAP = 0.31
EASY_LINKS = 6  # links between two columns that the gap holds as it is
GAP_PER_LINK = 0.025
WIDEST_GAP = 0.75
ROW_GAP = 0.15
MARGIN = 0.06
HEADING = 0.30
FOOT = 0.24
ARROW = 0.075


HEADINGS = {
    "partner": "Partners",
    "solution": "Solutions",
    "output": "Outputs",
    "outcome": "Outcomes",
    "indicator": "Indicators",
}


@dataclass(frozen=True)
class _Box:
    node: str
    look: str
    lines: tuple[str, ...]
    x: float
    y: float
    height: float

    @property
    def left(self) -> float:
        return self.x - BOX_WIDTH / 2

    @property
    def right(self) -> float:
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True)
class _Plan:
    """Where everything stands: boxes, and the steps from one column or slot to the next."""

    boxes: Mapping[str, _Box]
    first: float
    pitch: float
    top: float
    slot: float

    def x(self, column: float) -> float:
        return self.first + column * self.pitch

    def y(self, slots: float) -> float:
        return HEADING + self.slot / 2 + (slots - self.top) * self.slot

    @property
    def right(self) -> float:
        return max(box.right for box in self.boxes.values())

    @property
    def below(self) -> float:
        return max(box.y + box.height / 2 for box in self.boxes.values())


def theory_of_change(frames: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw the theory of change from left to right.

    Parameters
    ----------
    frames : `nodes` (id, label, kind, solution_type, layer, x, y in slots), `links` (src, dst, strength in
        decibels, evidenced, items), `routes` (src, dst, step, x, y: what a link passes on its way); where
        there, the length of `evidence` is the n of the footnote

    Returns
    -------
    Axes whose data unit is one inch; a figure of its own grows with the number of boxes. On axes that are
    given, everything is drawn to their scale.
    """
    nodes, links = frames["nodes"], frames["links"]
    if nodes.empty:
        return _nothing_to_draw(ax)
    plan = _planned(nodes, links)
    width = max(WIDTH, plan.right + MARGIN)
    legend = legend_rows(nodes, links, width)
    height = plan.below + LEGEND_ROW * (len(legend) + 0.9) + FOOT
    with house_style():
        axes = new_axes(ax, width=width, height=height)
        scale = _prepare(axes, width, height, own=ax is None)
        for link in links.itertuples(index=False):
            _draw_link(axes, link, plan, frames["routes"], links, scale)
        for box in plan.boxes.values():
            _draw_box(axes, box, scale)
        _draw_headings(axes, nodes, plan, scale)
        for row, entries in enumerate(legend):
            draw_legend_row(axes, entries, plan.below + LEGEND_ROW * (row + 1.3), scale)
        items = len(frames["evidence"]) if "evidence" in frames else int(links["items"].sum())
        if ax is None:
            source = "Source: the site's theory of change and evidence log"
            footnote(axes, f"{source}; n = {items} items of evidence")
        return describe(axes, _alternative(nodes, links))


def _planned(nodes: pd.DataFrame, links: pd.DataFrame) -> _Plan:
    """Fit the boxes to their labels and the columns to the page, y downward from the top."""
    lines = {str(row.id): wrapped(str(row.label)) for row in nodes.itertuples(index=False)}
    heights = {node: len(text) * LINE + 2 * PADDING for node, text in lines.items()}
    columns = int(nodes["layer"].max()) + 1
    crowd = links["src"].map(nodes.set_index("id")["layer"]).value_counts().max() if len(links) else 0
    gap = min(WIDEST_GAP, COLUMN_GAP + GAP_PER_LINK * max(0, crowd - EASY_LINKS))
    # Few columns are spread over the page's width; many make the figure wider.
    spare = WIDTH - 2 * MARGIN - columns * BOX_WIDTH - (columns - 1) * gap
    gap += min(max(0.0, spare) / max(1, columns - 1), 1.2)
    used = columns * BOX_WIDTH + (columns - 1) * gap
    left = MARGIN + max(0.0, WIDTH - 2 * MARGIN - used) / 2
    bare = _Plan(
        boxes={},
        first=left + BOX_WIDTH / 2,
        pitch=BOX_WIDTH + gap,
        top=float(nodes["y"].min()),
        slot=max(heights.values()) + ROW_GAP,
    )
    boxes = {
        str(row.id): _Box(
            node=str(row.id),
            look=look_of(str(row.kind), str(row.solution_type)),
            lines=lines[str(row.id)],
            x=bare.x(float(row.x)),
            y=bare.y(float(row.y)),
            height=heights[str(row.id)],
        )
        for row in nodes.itertuples(index=False)
    }
    return replace(bare, boxes=boxes)


def _prepare(axes: Axes, width: float, height: float, *, own: bool) -> float:
    """Make one data unit one inch, y downward; return how far given axes fall short of that."""
    figure = figure_of(axes)
    if own:
        figure.set_layout_engine("none")
        axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.set_axis_off()
    axes.grid(False)
    extent = axes.get_window_extent()
    return min(1.0, extent.width / figure.dpi / width, extent.height / figure.dpi / height)


def _draw_box(axes: Axes, box: _Box, scale: float) -> None:
    look = LOOKS[box.look]
    draw_shape(
        axes, look, box.left, box.y - box.height / 2, BOX_WIDTH, box.height, scale=scale, name=box.node
    )
    axes.text(
        box.x,
        box.y,
        "\n".join(box.lines),
        ha="center",
        va="center",
        fontsize=LETTER * scale,
        linespacing=LINE * 72 / LETTER / 1.17,
        color=INK,
        zorder=4,
        gid=f"label {box.node}",
    )


def _draw_link(
    axes: Axes, link: Any, plan: _Plan, routes: pd.DataFrame, links: pd.DataFrame, scale: float
) -> None:
    src, dst = str(link.src), str(link.dst)
    start, end = plan.boxes[src], plan.boxes[dst]
    stops = [(start.right, start.y + _port(plan.boxes, links, src, dst, leaving=True))]
    passed = routes[(routes["src"] == src) & (routes["dst"] == dst)].sort_values("step")
    for row in passed.itertuples(index=False):
        x, y = plan.x(float(row.x)), plan.y(float(row.y))
        stops += [(x - BOX_WIDTH / 2, y), (x + BOX_WIDTH / 2, y)]
    tip = (end.left - 0.02, end.y + _port(plan.boxes, links, src, dst, leaving=False))
    stops.append((tip[0] - ARROW, tip[1]))
    kind = stroke_of(link)
    stroke = STROKES[kind]
    line = PathPatch(
        _smooth(stops),
        fill=False,
        edgecolor=stroke.colour,
        linewidth=stroke.width * scale,
        linestyle=(0, stroke.dashes) if stroke.dashes else "solid",
        capstyle="butt",
        zorder=2,
        gid=f"{src} > {dst}",
        label=f"_{kind}",
    )
    axes.add_patch(line)
    half = ARROW / 2 + 0.006 * stroke.width
    axes.add_patch(
        Polygon(
            [tip, (tip[0] - ARROW, tip[1] - half), (tip[0] - ARROW, tip[1] + half)],
            closed=True,
            facecolor=stroke.colour,
            edgecolor="none",
            zorder=2,
        )
    )


def _port(boxes: Mapping[str, _Box], links: pd.DataFrame, src: str, dst: str, *, leaving: bool) -> float:
    """Spread the links of one side of a box over its height, in the order of their other ends."""
    here, there = ("src", "dst") if leaving else ("dst", "src")
    box = boxes[src if leaving else dst]
    others = sorted(links.loc[links[here] == box.node, there], key=lambda node: boxes[node].y)
    place = others.index(dst if leaving else src)
    return (place + 1) / (len(others) + 1) * box.height * 0.8 - box.height * 0.4


def _smooth(stops: list[tuple[float, float]]) -> Path:
    """Join stops with curves that leave and arrive level; the stretch beside a box is straight."""
    vertices, codes = [stops[0]], [Path.MOVETO]
    for position, (after, before) in enumerate(zip(stops[1:], stops, strict=False)):
        if position % 2:
            vertices.append(after)
            codes.append(Path.LINETO)
            continue
        middle = (before[0] + after[0]) / 2
        vertices += [(middle, before[1]), (middle, after[1]), after]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _draw_headings(axes: Axes, nodes: pd.DataFrame, plan: _Plan, scale: float) -> None:
    for layer, column in nodes.groupby("layer"):
        kinds = [kind for kind in HEADINGS if (column["kind"] == kind).any()]
        words = listed([HEADINGS[kind] for kind in kinds])
        axes.text(
            plan.x(float(layer)), HEADING * 0.42, "\n".join(wrapped(words)), ha="center", va="center",
            fontsize=LETTER * scale, fontweight="bold", color=MUTED,
        )  # fmt: skip


def _nothing_to_draw(ax: Axes | None) -> Axes:
    with house_style():
        axes = new_axes(ax, height=1.2)
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No theory of change has been supplied.", ha="center", va="center", color=MUTED)
        return describe(axes, "No theory of change has been supplied, so none is drawn.")


def _alternative(nodes: pd.DataFrame, links: pd.DataFrame) -> str:
    kinds = [
        f"{count} {name.lower() if count > 1 else kind}"
        for kind, name in HEADINGS.items()
        if (count := int((nodes["kind"] == kind).sum()))
    ]
    strokes = [stroke_of(link) for link in links.itertuples(index=False)]
    without, against = strokes.count("none"), strokes.count("against")
    missing = (
        "every link has evidence"
        if not without
        else f"{without} of the {len(links)} links {'has' if without == 1 else 'have'} no evidence yet"
    )
    parts = [
        f"Theory of change drawn from left to right: {listed(kinds)}, joined by {len(links)} links",
        f"{strokes.count('strong')} of them with strong evidence; {missing}",
    ]
    if against:
        parts.append(f"on {against} the evidence speaks against it")
    targets = list(nodes.loc[nodes["kind"] == "indicator", "label"])
    ending = f" It ends at {listed([str(label) for label in targets[:6]])}." if targets else ""
    return "; ".join(parts) + "." + ending
