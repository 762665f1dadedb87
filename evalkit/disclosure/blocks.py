"""The cells of one site, population and period, with all their indicators, as numbers published together.

Two indicators that count the same number of persons in a group count, for all that a reader knows, the same
persons: that number is one, and it is hidden in both or in neither.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.disclosure.links import CellName, holding, is_grand_total, links_between
from evalkit.disclosure.ranges import any_table
from evalkit.disclosure.system import Flags, Floats, Ints, System
from evalkit.errors import DataError

PROTECTED_WIDTH = 5.0  # persons between the ends of the range an attacker is left with
RANGE_WIDTH = 4.0  # persons, for a count that is shown as a range and so is known to be small
EMPTY_LOSS = 10  # persons; to hide an empty group loses as much as to hide the smallest that may be shown
RANGE_LOSS = 0.5  # of what hiding a count loses, where only a range of it could be shown


class State(IntEnum):
    """How a cell is shown; persons, and persons counted, in that order."""

    SHOWN = 0
    RANGE = 1  # number of persons shown, count as a range
    COUNT_HIDDEN = 2  # number of persons shown, count (small or not) hidden to protect it or another cell
    HIDDEN = 3  # both hidden: a small group, or to protect another cell


@dataclass(frozen=True)
class Block:
    """The cells of one site, population and period, and how the rule by itself shows each.

    Attributes
    ----------
    indicator : of each cell
    n, x : persons and persons counted (NaN: a mean has none, or the source does not say)
    least, most : bounds of x that the shown range gives
    state : `State` of each cell by itself
    has_complement : whether n − x counts persons (not so where x counts events)
    is_rate : whether there are counts at all (a mean has only n)
    is_missing : nobody knows the cell, so that there is nothing to hide; n and x are 0
    """

    indicator: NDArray[np.object_]
    names: tuple[CellName, ...]
    n: Floats
    x: Floats
    least: Floats
    most: Floats
    state: Ints
    has_complement: Flags
    is_rate: Flags
    is_missing: Flags


@dataclass(frozen=True)
class LinkedBlock:
    """A block as a system of numbers; `persons`, `counts` are the marks of each cell's n and x (−1: none)."""

    block: Block
    system: System
    persons: Ints
    counts: Ints

    def states(self, hidden: Flags) -> Ints:
        """Say how each cell is shown once these marks are hidden."""
        count_hidden = hidden[self.counts] & (self.counts >= 0)
        state = np.where(count_hidden, State.COUNT_HIDDEN, self.block.state)
        return np.where(hidden[self.persons], State.HIDDEN, state).astype(np.int64)


def linked(block: Block) -> LinkedBlock:
    """Write a block as its numbers n, x and n − x ("rest") and the sums that hold for them."""
    places = _Places.of(block)
    try:
        sums = places.sums(block, uncertain=True)
        system = _completed(_system(block, places, *sums))
    except DataError:  # cells that a source hid contradict the sums, so these do not hold for them
        sums = places.sums(block, uncertain=False)
        system = _completed(_system(block, places, *sums))
    return LinkedBlock(block, system, places.persons, places.counts)


@dataclass(frozen=True)
class _Places:
    """Where the numbers of each cell stand (−1: it has none): persons first, then counts, then rests."""

    persons: Ints
    counts: Ints
    rest: Ints
    size: int

    @classmethod
    def of(cls, block: Block) -> "_Places":
        same: dict[Hashable, int] = {}
        keys = [
            (name, float(n)) if n > 0 else cell
            for cell, (name, n) in enumerate(zip(block.names, block.n, strict=True))
        ]
        persons = np.array([same.setdefault(key, len(same)) for key in keys], dtype=np.int64)
        counts, rest = np.full(persons.size, -1), np.full(persons.size, -1)
        both = block.is_rate & block.has_complement
        counts[block.is_rate] = len(same) + np.arange(block.is_rate.sum())
        rest[both] = len(same) + block.is_rate.sum() + np.arange(both.sum())
        return cls(persons, counts, rest, len(same) + int(block.is_rate.sum() + both.sum()))

    def laid_out(self, persons: Floats, counts: Floats, rest: Floats) -> Floats:
        """Put a value of each cell where its number stands."""
        values = np.zeros(self.size)
        for place, own in ((self.persons, persons), (self.counts, counts), (self.rest, rest)):
            values[place[place >= 0]] = own[place >= 0]
        return values

    def marked(self, persons: Floats | Flags, counts: Floats | Flags) -> Floats:
        """Add up over each mark what its cells give; a rest has the mark of its count."""
        has_count = self.counts >= 0
        marks = np.concatenate([self.persons, self.counts[has_count]])
        size = int(marks.max(initial=-1)) + 1
        weights = np.concatenate([persons, counts[has_count]]).astype(np.float64)
        return np.bincount(marks, weights=weights, minlength=size).astype(np.float64)

    def sums(self, block: Block, *, uncertain: bool) -> tuple[Floats, Floats]:
        """Write every sum as a row over the numbers: those that hold, and those whose parts leave some out.

        Parameters
        ----------
        uncertain : also those with a cell whose number the source does not say
        """
        exact: list[tuple[Ints, list[int]]] = []
        short: list[tuple[Ints, list[int]]] = []
        for indicator in dict.fromkeys(block.indicator):
            cells = np.flatnonzero(block.indicator == indicator)
            n, x = block.n[cells], block.x[cells]
            links = links_between(tuple(block.names[cell] for cell in cells))
            exact_n, short_n = holding(links, n)
            exact_x, short_x = holding(links, x) if block.is_rate[cells[0]] else ([], [])
            has_rest = block.is_rate[cells[0]] and block.has_complement[cells[0]]
            exact_rest = [link for link in exact_x if link in exact_n] if has_rest else []
            for place, found, into in (
                (self.persons, exact_n, exact),
                (self.counts, exact_x, exact),
                (self.rest, exact_rest, exact),
                (self.persons, short_n, short),
                (self.counts, short_x, short),
            ):
                values = n if place is self.persons else x
                into += [
                    (place, [int(cells[at]) for at in link.cells])
                    for link in found
                    if uncertain or not np.isnan(values[list(link.cells)]).any()
                ]
        return self._rows(exact), self._rows(short)

    def _rows(self, sums: Iterable[tuple[Ints, list[int]]]) -> Floats:
        rows: dict[bytes, Floats] = {}
        for place, (total, *parts) in sums:
            row = np.zeros(self.size)
            row[place[total]] -= 1
            np.add.at(row, place[parts], 1)
            rows[row.tobytes()] = row  # the same persons may add up in two indicators
        return np.array(list(rows.values())).reshape(len(rows), self.size)


def _system(block: Block, places: _Places, exact: Floats, short: Floats) -> System:
    n, x, state = block.n, block.x, block.state
    total = np.array([is_grand_total(name) for name in block.names])
    empty, is_range, small = n == 0, state == State.RANGE, state == State.HIDDEN
    both, rates = np.flatnonzero(places.rest >= 0), places.counts >= 0
    ties = np.zeros((both.size, places.size))
    at = np.arange(both.size)
    ties[at, places.persons[both]] = 1
    ties[at, places.counts[both]] = ties[at, places.rest[both]] = -1
    least, most = np.where(is_range, block.least, x), np.where(is_range, block.most, x)
    nothing = np.zeros(n.size)
    loss = np.log1p(np.where(empty, EMPTY_LOSS, np.nan_to_num(n)))
    first = places.marked(small, small) > 0
    kept = total | block.is_missing
    return System(
        value=places.laid_out(n, x, n - x),
        shown_low=places.laid_out(n, least, n - most),
        shown_high=places.laid_out(n, most, n - least),
        hidden_low=places.laid_out(np.where(np.isnan(n) | empty, 0, 1), nothing, nothing),
        hidden_high=np.full(places.size, 2 * float(np.nansum(n)) + 1000),
        mark=np.concatenate([np.arange(places.size - both.size), places.counts[both]]),
        equal=np.vstack([exact, ties]),
        below=short,
        slack=np.zeros(len(short)),
        wanted=np.full(places.size, PROTECTED_WIDTH),
        wanted_shown=places.laid_out(
            nothing, np.where(is_range, np.minimum(RANGE_WIDTH, most - least), 0), nothing
        ),
        asked_by=np.concatenate([np.arange(places.size - both.size), places.persons[both]]),
        first=first,
        never=(places.marked(kept | empty, kept | empty) > 0) & ~first,
        last=(places.marked(empty & ~kept, empty & ~kept) > 0) & ~first,
        hidden_low_last=np.zeros(places.size),
        loss=np.where(first, 0, places.marked(loss, np.where(is_range, RANGE_LOSS, 1) * loss)),
        implied=np.stack([places.persons[rates], places.counts[rates]], axis=1),
    )


def _completed(system: System) -> System:
    """Put in the place of numbers that nobody gave some that fit; all that is asked are their ranges.

    Raises
    ------
    DataError : none fit.
    """
    unknown, hidden = np.isnan(system.value), system.first[system.mark]
    if unknown.any():
        low = np.where(hidden | np.isnan(system.shown_low), system.hidden_low, system.shown_low)
        high = np.where(hidden | np.isnan(system.shown_high), system.hidden_high, system.shown_high)
        value = any_table(system, np.where(unknown, low, system.value), np.where(unknown, high, system.value))
        value = np.where(unknown, value, system.value)
        shown_low, shown_high = np.where(hidden, value, low), np.where(hidden, value, high)
        system = replace(
            system,
            value=value,
            shown_low=np.where(unknown, shown_low, system.shown_low),
            shown_high=np.where(unknown, shown_high, system.shown_high),
        )
    return replace(system, slack=np.maximum(-(system.below @ system.value), 0.0))
