"""How published cells add up: subgroups to a total, crossed groups to both margins, schools to their site."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evalkit.dictionary import CROSSING, TOTAL_DIMENSION
from evalkit.indicators import ALL_UNITS

Floats = NDArray[np.float64]
CellName = tuple[str, str, str]  # unit_id, dimension, subgroup
_Place = tuple[
    str, tuple[str, ...], tuple[str, ...]
]  # unit_id, parts of the dimension, parts of the subgroup


@dataclass(frozen=True)
class Link:
    """One cell is the sum of others, by position in the block."""

    total: int
    parts: tuple[int, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        """Total and parts together."""
        return (self.total, *self.parts)


@lru_cache(maxsize=4096)
def links_between(names: tuple[CellName, ...]) -> tuple[Link, ...]:
    """Find every way in which cells of one indicator, site, population and period add up."""
    places = {(name[0], *_parts(name[1], name[2])): place for place, name in enumerate(names)}
    sums: dict[tuple[_Place, tuple[str, ...]], list[int]] = {}
    for (unit, dimensions, subgroups), place in places.items():
        for size in range(len(dimensions)):
            for kept in combinations(range(len(dimensions)), size):
                margin = (unit, tuple(dimensions[at] for at in kept), tuple(subgroups[at] for at in kept))
                sums.setdefault((margin, dimensions), []).append(place)
        if unit != ALL_UNITS:
            sums.setdefault(((ALL_UNITS, dimensions, subgroups), ("unit_id",)), []).append(place)
    return tuple(Link(places[total], tuple(parts)) for (total, _), parts in sums.items() if total in places)


def is_grand_total(name: CellName) -> bool:
    """Tell whether a cell is the total of all, which is never hidden to protect another."""
    return name[0] == ALL_UNITS and name[1] == TOTAL_DIMENSION


def holds(link: Link, values: Floats) -> bool:
    """Tell whether a reader may take a sum as one.

    He may even where parts and total were counted at different times and do not agree to the last person, as
    the others then tell the hidden one to within as few. Only where a value is unknown (NaN) and the others
    already exceed the total it says nothing.
    """
    parts = values[list(link.parts)]
    return not (np.isnan(parts).any() and np.nansum(parts) > values[link.total])


def left_over(link: Link, values: Floats) -> float:
    """Return what the parts leave of their total; below 0 where they exceed it, NaN where one is unknown."""
    return float(values[link.total] - values[list(link.parts)].sum())


def _parts(dimension: str, subgroup: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put the parts of a crossed group in a fixed order; the total has none."""
    if dimension == TOTAL_DIMENSION:
        return (), ()
    pairs = sorted(zip(dimension.split(CROSSING), subgroup.split(CROSSING), strict=True))
    return tuple(name for name, _ in pairs), tuple(name for _, name in pairs)
