"""The cells of one site, population and period, with all their indicators, as numbers published together.

Two indicators that count the same number of persons in a group count, for all that a reader knows, the same
persons: that number is one, and it is hidden in both or in neither. Where the groups that are listed leave
some of their total out, those form a group that nobody prints and any reader can work out.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.disclosure.coding import Coding
from evalkit.disclosure.links import CellName, Link, holds, is_grand_total, left_over, links_between
from evalkit.disclosure.ranges import ROUNDING, any_table
from evalkit.disclosure.system import Flags, Floats, Ints, System
from evalkit.errors import DataError

PROTECTED_WIDTH = 5.0  # persons between the ends of the range an attacker is left with
RANGE_WIDTH = 4.0  # persons, for a count that is shown as a range and so is known to be small
EMPTY_LOSS = 10  # persons; to hide an empty group loses as much as to hide the smallest that may be shown
RANGE_LOSS = 0.5  # of what hiding a count loses, where only a range of it could be shown
UNLISTED = "not listed"


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
    is_fixed : nobody hides the cell: its publisher shows it, or nobody knows it (n and x are then 0)
    is_listed : not so for what a sum leaves over, which is never printed
    links : the sums, by position of the cells
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
    is_fixed: Flags
    is_listed: Flags
    links: tuple[Link, ...]

    @property
    def has_something_to_hide(self) -> bool:
        """Whether the rule by itself does not show everything that can be read off."""
        return bool((self.state != State.SHOWN).any())


@dataclass(frozen=True)
class LinkedBlock:
    """A block as a system of numbers; `persons`, `counts` are the marks of each cell's n and x (−1: none)."""

    block: Block
    system: System
    persons: Ints
    counts: Ints

    def states(self, hidden: Flags) -> Ints:
        """Say how each cell that is listed is shown once these marks are hidden."""
        count_hidden = hidden[self.counts] & (self.counts >= 0)
        state = np.where(count_hidden, State.COUNT_HIDDEN, self.block.state)
        state = np.where(hidden[self.persons], State.HIDDEN, state)
        return state[self.block.is_listed].astype(np.int64)


def sums_of(indicator: NDArray[np.object_], names: tuple[CellName, ...]) -> tuple[Link, ...]:
    """Find how the cells of each indicator add up."""
    found = []
    for one in dict.fromkeys(indicator):
        cells = np.flatnonzero(indicator == one)
        for link in links_between(tuple(names[cell] for cell in cells)):
            found.append(Link(int(cells[link.total]), tuple(int(cells[part]) for part in link.parts)))
    return tuple(found)


def with_unlisted(block: Block, code: Callable[[Floats, Floats, Flags], Coding]) -> Block:
    """Add a cell for whatever persons a sum leaves over, as the last of its parts.

    Parameters
    ----------
    code : how counts x of n persons are shown, given whether n − x counts persons
    """
    over = np.array([left_over(link, block.n) for link in block.links])
    short = [at for at in range(over.size) if over[at] > ROUNDING]
    if not short:
        return block
    total = np.array([block.links[at].total for at in short])
    n, x = over[short], np.array([left_over(block.links[at], block.x) for at in short])
    has_complement = block.has_complement[total]
    # counts that cannot be those of so many persons are taken as miscounted
    is_rate = block.is_rate[total] & (x >= 0) & (~has_complement | (x <= n))
    x = np.where(is_rate, x, np.nan)
    coding = code(x, n, has_complement)
    links, names = list(block.links), list(block.names)
    for at in short:
        whole, part = names[links[at].total], names[links[at].parts[0]]
        links[at] = replace(links[at], parts=(*links[at].parts, len(names)))
        names.append((part[0], part[1], f"{UNLISTED} {whole}"))
    more = {
        "indicator": block.indicator[total],
        "n": n,
        "x": x,
        "least": coding.least,
        "most": coding.most,
        "state": np.select([coding.hidden, coding.coded], [State.HIDDEN, State.RANGE], State.SHOWN),
        "has_complement": has_complement,
        "is_rate": is_rate,
        "is_fixed": np.zeros(n.size, dtype=bool),
        "is_listed": np.zeros(n.size, dtype=bool),
    }
    joined = {name: np.concatenate([getattr(block, name), values]) for name, values in more.items()}
    return Block(names=tuple(names), links=tuple(links), **joined)


def linked(block: Block) -> LinkedBlock:
    """Write a block as its numbers n, x and n − x ("rest") and the sums that hold for them."""
    places = _Places.of(block)
    try:
        system = _completed(_system(block, places, places.sums(block, uncertain=True)))
    except DataError:  # cells that a source hid contradict the sums, so these do not hold for them
        system = _completed(_system(block, places, places.sums(block, uncertain=False)))
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
            (name, float(n)) if n > 0 and not fixed else cell
            for cell, (name, n, fixed) in enumerate(zip(block.names, block.n, block.is_fixed, strict=True))
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

    def sums(self, block: Block, *, uncertain: bool) -> Floats:
        """Write every sum as a row over the numbers.

        Parameters
        ----------
        uncertain : also those with a cell whose number the source does not say
        """
        rows: dict[bytes, Floats] = {}
        for place, (total, *parts) in self._sums(block, uncertain=uncertain):
            row = np.zeros(self.size)
            row[place[total]] -= 1
            np.add.at(row, place[parts], 1)
            rows[row.tobytes()] = row  # the same persons may add up in two indicators
        return np.array(list(rows.values())).reshape(len(rows), self.size)

    def _sums(self, block: Block, *, uncertain: bool) -> Iterator[tuple[Ints, tuple[int, ...]]]:
        for link in block.links:
            for place, values in ((self.persons, block.n), (self.counts, block.x), (self.rest, block.x)):
                cells = tuple(cell for cell in link.cells if place[cell] >= 0)
                whole = len(cells) == len(link.cells)
                if place[link.total] < 0 or (place is self.rest and not whole):
                    continue
                if holds(link, values) and (uncertain or not np.isnan(values[list(cells)]).any()):
                    yield place, cells


def _system(block: Block, places: _Places, sums: Floats) -> System:
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
    unlisted = ~block.is_listed
    first = places.marked(small | unlisted, small | unlisted) > 0
    kept = total | block.is_fixed
    range_width = np.where(is_range, np.minimum(RANGE_WIDTH, most - least), 0)
    # of what is not listed a reader may know what follows from the rest, as long as none of it is small
    asked = np.where(unlisted & ~small, 0, PROTECTED_WIDTH)
    asked_of_counts = np.where(unlisted & ~small, range_width, PROTECTED_WIDTH)
    return System(
        value=places.laid_out(n, x, n - x),
        shown_low=places.laid_out(n, least, n - most),
        shown_high=places.laid_out(n, most, n - least),
        hidden_low=places.laid_out(np.where(np.isnan(n) | empty | unlisted, 0, 1), nothing, nothing),
        hidden_high=np.full(places.size, 2 * float(np.nansum(n)) + 1000),
        mark=np.concatenate([np.arange(places.size - both.size), places.counts[both]]),
        equal=np.vstack([sums, ties]),
        wanted=places.laid_out(asked, asked_of_counts, asked_of_counts),
        wanted_shown=places.laid_out(nothing, range_width, nothing),
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
    return system
