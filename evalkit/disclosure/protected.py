"""Whole systems: hide what their blocks need, and attack them as one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evalkit.disclosure.choice import Choice, choose
from evalkit.disclosure.ranges import doubtful_ranges, ranges_of_many
from evalkit.disclosure.system import Flags, Floats, Ints, System, blocks_of
from evalkit.errors import DataError

LACKING = 1e-3  # persons; a range that is narrower by less than this is as wide as needed


@dataclass(frozen=True)
class Protected:
    """What is hidden of a system, and what the attack on all of it found.

    Attributes
    ----------
    hidden : for each mark
    left : of the width that each number needs, the part left to it, at most 1; NaN where it needs none
    exact, heuristic : blocks chosen so that no other choice loses less, and by the heuristic
    limited : blocks in which the totals, which stand, leave some number less than it needs
    with_last_resort : marks of blocks in which the marks of `last` could be hidden too
    """

    hidden: Flags
    left: Floats
    exact: int
    heuristic: int
    limited: int
    with_last_resort: Flags


@dataclass
class _Whole:
    """A system and the choices made for its blocks so far."""

    system: System
    hidden: Flags = field(init=False)
    wanted: Floats = field(init=False)
    with_last_resort: Flags = field(init=False)
    blocks: list[tuple[Ints, Ints, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hidden, self.wanted = self.system.first.copy(), self.system.wanted.copy()
        self.with_last_resort = np.zeros_like(self.hidden)

    @property
    def lacking(self) -> Flags:
        """Numbers that cannot be left the width they need."""
        needed = self.system.needed(self.hidden)
        return np.asarray(self.wanted < needed - LACKING)

    @property
    def as_known(self) -> System:
        """The system as a reader knows it, who is sure of no group in a block of the last resort."""
        last_resort = self.with_last_resort[self.system.mark]
        low = np.where(last_resort, self.system.hidden_low_last, self.system.hidden_low)
        return replace(self.system, hidden_low=low)

    def take(self, numbers: Ints, marks: Ints, choice: Choice, *, last_resort: bool) -> None:
        """Take over the choice for a block, instead of those for the blocks that it holds."""
        self.hidden[marks], self.wanted[numbers] = choice.hidden, choice.wanted
        self.with_last_resort[marks] = last_resort
        self.blocks = [block for block in self.blocks if not np.isin(block[1], marks).any()]
        self.blocks.append((numbers, marks, choice.way))


def hide(systems: Sequence[System], *, largest: int | None = None) -> list[Protected]:
    """Choose what to hide of each system, block by block, and attack the whole.

    Where a range cannot be as wide as needed while the marks of `last` are shown, these may be hidden too.

    Parameters
    ----------
    largest : as for `choose`

    Raises
    ------
    DataError : the attack on the whole found more than those on the blocks; nothing may be shown.
    """
    wholes = [_Whole(system) for system in systems]
    blocks = [(whole, whole.system, *block) for whole in wholes for block in blocks_of(whole.system)]
    for whole, numbers, marks, choice in _chosen(blocks, largest=largest):
        whole.take(numbers, marks, choice, last_resort=False)
    blocks = [
        (whole, _with_one_of_last(whole.system, numbers, marks, whole.lacking), numbers, marks)
        for whole in wholes
        if whole.lacking.any() and whole.system.last.any()
        for numbers, marks in blocks_of(whole.system.with_last_resort())
        if whole.lacking[numbers].any() and whole.system.last[marks].any()
    ]
    for whole, numbers, marks, choice in _chosen(blocks, largest=largest):
        if (choice.wanted > whole.wanted[numbers] + LACKING)[whole.lacking[numbers]].any():
            whole.take(numbers, marks, choice, last_resort=True)
    return _proved(wholes)


def _with_one_of_last(system: System, numbers: Ints, marks: Ints, lacking: Flags) -> System:
    """Let the marks of `last` be hidden, and hide one of them, near a number that lacks room.

    Were none hidden, a reader who holds that none is would be right, and know more than he is taken to.
    """
    lines = system.equal[np.any(system.equal[:, lacking] != 0, axis=1)]
    near = system.mark[np.any(lines != 0, axis=0)]
    chances = np.flatnonzero(system.last & np.isin(np.arange(system.last.size), marks))
    one = int(next((mark for mark in chances if mark in near), chances[0]))
    first = system.first.copy()
    first[[one, *system.implied[system.implied[:, 0] == one, 1]]] = True
    loose = system.with_last_resort()
    return replace(loose, first=first, loss=np.where(first, 0, loose.loss))


def _chosen(
    blocks: Sequence[tuple[_Whole, System, Ints, Ints]], *, largest: int | None
) -> list[tuple[_Whole, Ints, Ints, Choice]]:
    """Choose for the blocks in which some range is needed at all."""
    parts = [(whole, numbers, marks, system.part(numbers, marks)) for whole, system, numbers, marks in blocks]
    parts = [item for item in parts if item[-1].needed(item[-1].first).any()]
    choices = choose([part for *_, part in parts], largest=largest)
    return [(*item[:3], choice) for item, choice in zip(parts, choices, strict=True)]


def _proved(wholes: Sequence[_Whole]) -> list[Protected]:
    """Attack whole systems, not their blocks, and say what is left of every width."""
    needed = [whole.system.needed(whole.hidden) for whole in wholes]
    systems = [(whole.as_known, whole.hidden) for whole in wholes]
    doubtful = doubtful_ranges([(*pair, widths) for pair, widths in zip(systems, needed, strict=True)])
    ranges = ranges_of_many([(*pair, numbers) for pair, numbers in zip(systems, doubtful, strict=True)])
    proved = []
    for whole, widths, numbers, (low, high) in zip(wholes, needed, doubtful, ranges, strict=True):
        if (high - low < np.minimum(widths, whole.wanted)[numbers] - LACKING).any():
            raise DataError(
                "an attack on the protected cells leaves a range too narrow; nothing is shown of them"
            )
        left = np.where(widths > 0, 1.0, np.nan)
        left[numbers] = np.minimum((high - low) / widths[numbers], 1)
        proved.append(
            Protected(
                hidden=whole.hidden,
                left=left,
                exact=sum(way == "exact" for *_, way in whole.blocks),
                heuristic=sum(way == "heuristic" for *_, way in whole.blocks),
                limited=sum(bool((left[block] < 1 - LACKING).any()) for block, *_ in whole.blocks),
                with_last_resort=whole.with_last_resort,
            )
        )
    return proved
