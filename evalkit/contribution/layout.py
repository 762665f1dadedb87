"""A theory of change laid out in layers from left to right, with few crossings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

WAYPOINT_ROOM = 0.5  # slots; what a link that passes between two boxes needs, where a box takes 1
ORDERING_SWEEPS = 24  # passes of the barycentre method; crossings settle long before


@dataclass(frozen=True)
class Layout:
    """Where boxes stand and links run.

    Attributes
    ----------
    layers : node -> column, 0 at the left
    places : node -> y in slots; one slot is the room of one box, 0 is the middle
    routes : link (src, dst) -> the points (column, y) it passes in the columns between its ends
    """

    layers: Mapping[str, int]
    places: Mapping[str, float]
    routes: Mapping[tuple[str, str], tuple[tuple[int, float], ...]]


def lay_out(graph: "nx.DiGraph[str]") -> Layout:
    """Place the nodes of a graph without cycles in columns, with few crossings.

    A node stands right of all it depends on and no further left than its kind (partner, solution, output,
    outcome, indicator); indicators that nothing follows share the last column. Links that skip columns get
    waypoints, so that they run between boxes and not behind them.

    References
    ----------
    Sugiyama, Tagawa and Toda (1981), IEEE Transactions on Systems, Man and Cybernetics 11:109-125.
    """
    layers = _layers(graph)
    proper: nx.DiGraph[str] = nx.DiGraph()
    proper.add_nodes_from((node, {"layer": layer, "room": 1.0}) for node, layer in layers.items())
    waypoints: dict[tuple[str, str], list[str]] = {}
    for src, dst in graph.edges:
        names = [f"{src} > {dst} at {layer}" for layer in range(layers[src] + 1, layers[dst])]
        proper.add_nodes_from(
            (name, {"layer": layer, "room": WAYPOINT_ROOM})
            for layer, name in enumerate(names, start=layers[src] + 1)
        )
        nx.add_path(proper, [src, *names, dst])
        waypoints[(src, dst)] = names
    order = _ordered(proper)
    places = _places(proper, order)
    return Layout(
        layers=layers,
        places={node: places[node] for node in graph},
        routes={
            link: tuple((proper.nodes[name]["layer"], places[name]) for name in names)
            for link, names in waypoints.items()
        },
    )


def _layers(graph: "nx.DiGraph[str]") -> dict[str, int]:
    present = sorted({rank for _, rank in graph.nodes(data="rank")})
    layers: dict[str, int] = {}
    for node in nx.lexicographical_topological_sort(graph):
        behind = [layers[before] + 1 for before in graph.predecessors(node)]
        layers[node] = max([present.index(graph.nodes[node]["rank"]), *behind])
    last = max(layers.values(), default=0)
    for node, kind in graph.nodes(data="kind"):
        if kind == "indicator" and graph.out_degree(node) == 0:
            layers[node] = last
    return layers


def _ordered(proper: "nx.DiGraph[str]") -> list[list[str]]:
    columns: dict[int, list[str]] = {}
    for node, layer in proper.nodes(data="layer"):
        columns.setdefault(layer, []).append(node)
    order = [columns[layer] for layer in sorted(columns)]
    best, fewest = [list(column) for column in order], _crossings(proper, order)
    for sweep in range(ORDERING_SWEEPS):
        forward = sweep % 2 == 0
        for column in order[1:] if forward else order[-2::-1]:
            _sort_by_neighbours(proper, column, order, forward=forward)
        count = _crossings(proper, order)
        if count < fewest:
            best, fewest = [list(column) for column in order], count
    return best


def _sort_by_neighbours(
    proper: "nx.DiGraph[str]", column: list[str], order: list[list[str]], *, forward: bool
) -> None:
    rank = {node: index / max(1, len(others) - 1) for others in order for index, node in enumerate(others)}

    def centre(node: str) -> float:
        neighbours = list(proper.predecessors(node) if forward else proper.successors(node))
        return sum(rank[other] for other in neighbours) / len(neighbours) if neighbours else rank[node]

    column.sort(key=centre)


def _crossings(proper: "nx.DiGraph[str]", order: list[list[str]]) -> int:
    rank = {node: index for column in order for index, node in enumerate(column)}
    total = 0
    for column in order:
        ends = [
            rank[after] for node in column for after in sorted(proper.successors(node), key=rank.__getitem__)
        ]
        total += sum(later < earlier for i, earlier in enumerate(ends) for later in ends[i + 1 :])
    return total


def _places(proper: "nx.DiGraph[str]", order: list[list[str]]) -> dict[str, float]:
    """Give every node its y: near its neighbours, with the room that it and the next in its column need."""
    room: dict[str, float] = dict(proper.nodes(data="room"))
    places = {node: y for column in order for node, y in zip(column, _stacked(column, room), strict=True)}
    for sweep in range(ORDERING_SWEEPS):
        for column in order if sweep % 2 == 0 else reversed(order):
            wanted = [_mean_place(proper, node, places) for node in column]
            places.update(zip(column, _spread(wanted, [room[node] for node in column]), strict=True))
    middle = (max(places.values(), default=0.0) + min(places.values(), default=0.0)) / 2
    return {node: y - middle for node, y in places.items()}


def _stacked(column: Sequence[str], room: Mapping[str, float]) -> Iterator[float]:
    at = -sum(room[node] for node in column) / 2
    for node in column:
        yield at + room[node] / 2
        at += room[node]


def _mean_place(proper: "nx.DiGraph[str]", node: str, places: Mapping[str, float]) -> float:
    neighbours = [*proper.predecessors(node), *proper.successors(node)]
    return sum(places[other] for other in neighbours) / len(neighbours) if neighbours else places[node]


def _spread(wanted: Sequence[float], room: Sequence[float]) -> list[float]:
    """Move values apart, in their order and as little as possible in squares, until each has its room."""
    offsets = [0.0]
    for before, after in pairwise(room):
        offsets.append(offsets[-1] + (before + after) / 2)
    # With the rooms taken off, "in this order and not too close" is "never falling": isotonic regression.
    blocks: list[tuple[float, int]] = []
    for value in (place - offset for place, offset in zip(wanted, offsets, strict=True)):
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before_total, before_count = blocks.pop()
            total, count = total + before_total, count + before_count
        blocks.append((total, count))
    levels = [total / count for total, count in blocks for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]
