"""Numbers that are published together: the sums that hold for them, and what a reader is told of each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class System:
    """Numbers published together, and the sums that hold for them.

    Whatever the numbers truly are, a move away from their values fits what is published only where
    `equal` · move = 0.

    Numbers are covered by marks: hiding a mark hides all its numbers (the count of a cell, and those not
    counted; the same cell in two tables).

    Attributes
    ----------
    value : the true numbers, in persons
    shown_low, shown_high : what a reader knows of a number that is shown
    hidden_low, hidden_high : what he knows of one that is hidden
    mark : the mark of each number, by position
    wanted : width of the range that must be left once the mark in `asked_by` is hidden, in persons; 0: none
    wanted_shown : width that must be left while that mark is shown (as a range); 0 where none need be
    asked_by : mostly the number's own mark
    first : marks that the rule itself hides
    never : marks that are never hidden, but for those of `last`
    last : marks that are hidden only where nothing else leaves the ranges wanted (empty cells)
    hidden_low_last : what takes the place of `hidden_low` where marks of `last` may be hidden
    loss : what hiding a mark loses; 0 for those of `first`
    implied : pairs of marks; the second must be hidden with the first
    """

    value: Floats
    shown_low: Floats
    shown_high: Floats
    hidden_low: Floats
    hidden_high: Floats
    mark: Ints
    equal: Floats
    wanted: Floats
    wanted_shown: Floats
    asked_by: Ints
    first: Flags
    never: Flags
    last: Flags
    hidden_low_last: Floats
    loss: Floats
    implied: Ints

    @property
    def room(self) -> tuple[Floats, Floats, Floats, Floats]:
        """How far each number may move down and up: while it is shown, and while it is hidden."""
        return (
            self.value - self.shown_low,
            self.shown_high - self.value,
            self.value - self.hidden_low,
            self.hidden_high - self.value,
        )

    @property
    def may_hide(self) -> Flags:
        """Marks that are hidden or may be."""
        return self.first | ~self.never

    def needed(self, hidden: Flags) -> Floats:
        """Give the width that each number needs when these marks are hidden, in persons; 0 where none."""
        return np.where(hidden[self.asked_by], self.wanted, self.wanted_shown)

    def with_last_resort(self) -> "System":
        """Let the marks of `last` be hidden too; a reader then knows less of every hidden number."""
        return replace(
            self,
            never=self.never & ~self.last,
            hidden_low=self.hidden_low_last,
            last=np.zeros_like(self.last),
        )

    def part(self, numbers: Ints, marks: Ints) -> "System":
        """Cut out a block that adds up by itself."""
        place = np.full(self.first.size, -1)
        place[marks] = np.arange(marks.size)
        inside = {
            name: getattr(self, name)[numbers]
            for name in (
                "value",
                "shown_low",
                "shown_high",
                "hidden_low",
                "hidden_high",
                "hidden_low_last",
                "wanted",
                "wanted_shown",
            )
        }
        equal = self.equal[:, numbers]
        implied = place[self.implied]
        return replace(
            self,
            **inside,
            mark=place[self.mark[numbers]],
            asked_by=place[self.asked_by[numbers]],
            equal=equal[np.any(equal != 0, axis=1)],
            first=self.first[marks],
            never=self.never[marks],
            last=self.last[marks],
            loss=self.loss[marks],
            implied=implied[(implied >= 0).all(axis=1)],
        )


def blocks_of(system: System) -> Iterator[tuple[Ints, Ints]]:
    """Yield the numbers and marks of each block that adds up by itself; what cannot move joins nothing."""
    movable = ~system.never[system.mark] | (system.shown_low < system.shown_high)
    links = system.equal[:, movable] != 0
    numbers = np.flatnonzero(movable)
    nodes = len(links) + system.first.size
    link, column = np.nonzero(links)
    pairs = np.hstack(
        [np.stack([link, len(links) + system.mark[numbers[column]]]), len(links) + system.implied.T]
    )
    graph = sparse.coo_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=(nodes, nodes))
    _, component = sparse.csgraph.connected_components(graph, directed=False)
    for label in np.unique(component[len(links) + np.unique(system.mark[numbers])]):
        marks = np.flatnonzero(component[len(links) :] == label)
        own = np.isin(system.mark, marks)
        yield np.flatnonzero(own), marks
