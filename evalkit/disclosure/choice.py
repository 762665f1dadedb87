"""What else must be hidden, so that no hidden number follows from what is shown.

The exact choice is a mixed-integer program over the marks alone. It is solved again and again: every range
that an attack then finds too narrow adds one condition, the limit that made it so, until the attack finds
none (Fischetti and Salazar, 2001, Management Science 47:1008-1027). Where that takes too long, marks are
added greedily by the same conditions. Either way nothing is returned that has not passed the attack.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import optimize, sparse

from evalkit.disclosure.ranges import (
    GIVE,
    ROUNDING,
    Limits,
    diagonal,
    doubtful_ranges,
    limits_of_many,
    limits_of_sums,
    ranges_of_many,
)
from evalkit.disclosure.system import Flags, Floats, Ints, System

# What the exact choice may cost is counted in steps, so that it ends at the same point on every machine.
EXACT_ROUNDS = 14  # of attack and exact choice; a table of 6 by 4 takes 2 to 5
NODES = 200  # branches of one mixed-integer program; 300 cells have taken 9
LONGEST = 60.0  # seconds of one such program, far more than any has needed
MARKS_TOGETHER = 600  # in one mixed-integer program
NODES_TOGETHER = 50  # of one program for many blocks, which mostly needs none
ROUNDS = 200  # of attack and choice, far more than any table has needed; then everything is hidden
LIMITS_A_ROUND = 20  # of the narrowest ranges of a block; the others mostly widen with them
RESTARTS = 6  # times that a heuristic begins again with what it has learned, before it only adds
TRIMS = 3  # times that a heuristic's choice is looked through for marks it can do without
SMALLEST_LOSS = 0.1  # so that no mark is free to hide


@dataclass(frozen=True)
class Choice:
    """Which marks are hidden, and how that was found.

    Attributes
    ----------
    hidden : for each mark
    wanted : width that every range had to have: the one asked for, or as much as the totals allow
    way : "exact" where no choice loses less, else "heuristic"
    """

    hidden: Flags
    wanted: Floats
    way: Literal["exact", "heuristic"]


@dataclass
class _Search:
    """A system on its way: conditions `gain` · hidden ≥ `least` found so far, and the marks hidden now."""

    system: System
    hidden: Flags
    exact: bool
    wanted: Floats = field(init=False)
    wanted_shown: Floats = field(init=False)
    about: Ints = field(init=False)
    least: Floats = field(init=False)
    gain: Floats = field(init=False)
    best: Flags = field(init=False)
    sums: tuple[Ints, Limits] = field(init=False)
    attainable: bool = False
    trims: int = 0
    rounds: int = 0
    restarts: int = 0

    def __post_init__(self) -> None:
        self.wanted, self.wanted_shown = self.system.wanted.copy(), self.system.wanted_shown.copy()
        self.about = np.zeros(0, dtype=np.int64)
        self.least, self.gain = np.zeros(0), np.zeros((0, self.system.first.size))
        self.best = self.system.first.copy()
        self.sums = limits_of_sums(self.system)

    @property
    def needed(self) -> Floats:
        """The width that each number needs with the marks hidden now."""
        return np.where(self.hidden[self.system.asked_by], self.wanted, self.wanted_shown)

    def lower(self, numbers: Ints, attainable: Floats) -> None:
        """Want no wider ranges than can be had, and forget conditions that asked for more."""
        lowered = numbers[attainable < self.wanted[numbers]]
        kept = ~np.isin(self.about, lowered)
        self.about, self.least, self.gain = self.about[kept], self.least[kept], self.gain[kept]
        self.wanted[numbers] = np.minimum(self.wanted[numbers], attainable)
        self.wanted_shown[numbers] = np.minimum(self.wanted_shown[numbers], attainable)

    def settle(self, hidden: Flags) -> None:
        """Keep a choice that passed the attack, where none that loses less has."""
        if not self.trims or self.system.loss @ hidden < self.system.loss @ self.best:
            self.best = hidden.copy()

    def add(self, limits: Limits, numbers: Ints) -> bool:
        """Keep the limits that the marks hidden now break as conditions; say whether there are any."""
        asked_by = self.system.asked_by[numbers]
        least = self.wanted[numbers] - limits.constant
        gain = np.minimum(limits.gain, np.maximum(least, 0)[:, None])
        more = np.where(self.system.first[asked_by], 0, (self.wanted - self.wanted_shown)[numbers])
        gain[np.arange(numbers.size), asked_by] -= more
        least -= more
        broken = gain @ self.hidden < least - ROUNDING
        self.about = np.concatenate([self.about, numbers[broken]])
        self.gain = np.vstack([self.gain, gain[broken]])
        self.least = np.concatenate([self.least, least[broken]])
        return bool(broken.any())

    def breaks_a_sum(self) -> bool:
        """Say whether a single sum already shows that the marks hidden now do not do; keep that it does."""
        numbers, limits = self.sums
        return self.add(limits, numbers)


def choose(systems: Sequence[System], *, largest: int | None = None) -> list[Choice]:
    """Choose for each system which marks to hide, losing as little as can be.

    Parameters
    ----------
    largest : the most marks of a system that is solved to the optimum; by default any
    """
    searches = [
        _Search(
            system=system,
            hidden=system.first.copy(),
            exact=largest is None or system.first.size <= largest,
        )
        for system in systems
    ]
    open_ones = [search for search in searches if search.needed.any()]
    _choose_again([search for search in open_ones if search.breaks_a_sum()])
    for _ in range(ROUNDS):
        if not open_ones:
            break
        failing = _attack(open_ones)
        passed = [search for search, fails in zip(open_ones, failing, strict=True) if not fails]
        failed = [search for search, fails in zip(open_ones, failing, strict=True) if fails]
        failed = [search for search in failed if search.exact or search.trims < TRIMS]
        _choose_again(failed)
        open_ones = [*failed, *(search for search in passed if _improve(search))]
    for search in open_ones:
        search.settle(search.system.may_hide)
    return [
        Choice(search.best, search.wanted, "exact" if search.exact else "heuristic") for search in searches
    ]


def _attack(searches: Sequence[_Search]) -> list[bool]:
    """Attack the choices; keep what makes a range too narrow as conditions, and say which choices fail."""
    doubtful = doubtful_ranges([(search.system, search.hidden, search.needed) for search in searches])
    questions = [
        (search.system, search.hidden, some) for search, some in zip(searches, doubtful, strict=True)
    ]
    width = [high - low for low, high in ranges_of_many(questions)]
    narrow = [_narrow(*item) for item in zip(searches, doubtful, width, strict=True)]
    _lower_to_attainable([search for search, numbers in zip(searches, narrow, strict=True) if numbers.size])
    narrow = [_narrow(*item) for item in zip(searches, doubtful, width, strict=True)]
    failing = [at for at, numbers in enumerate(narrow) if numbers.size]
    for give, most in ((GIVE, LIMITS_A_ROUND), (0.0, None)):
        questions = [(searches[at].system, searches[at].hidden, narrow[at][:most]) for at in failing]
        found = limits_of_many(questions, give=give)
        # where numbers that give a little hide what is wrong, they must not
        failing = [
            at
            for at, (*_, numbers), limits in zip(failing, questions, found, strict=True)
            if not searches[at].add(limits, numbers)
        ]
    return [numbers.size > 0 for numbers in narrow]


def _narrow(search: _Search, numbers: Ints, width: Floats) -> Ints:
    """List, narrowest first, the numbers whose range is not as wide as needed."""
    lacking = search.needed[numbers] - width
    order = np.argsort(-lacking, kind="stable")
    return numbers[order][lacking[order] > ROUNDING]


def _lower_to_attainable(searches: Sequence[_Search]) -> None:
    """Want no more of a range than is left when everything is hidden that may be."""
    new = [search for search in searches if not search.attainable]
    asked = [(search.system, search.system.may_hide) for search in new]
    wanted = [
        np.where(search.system.may_hide[search.system.asked_by], search.wanted, search.wanted_shown)
        for search in new
    ]
    doubtful = doubtful_ranges([(*pair, widths) for pair, widths in zip(asked, wanted, strict=True)])
    questions = [(*pair, numbers) for pair, numbers in zip(asked, doubtful, strict=True)]
    for search, numbers, (low, high) in zip(new, doubtful, ranges_of_many(questions), strict=True):
        search.lower(numbers, np.maximum(high - low - 2 * ROUNDING, 0))
        search.attainable = True


def _improve(search: _Search) -> bool:
    """Keep a choice that passed; say whether a smaller one is worth an attack."""
    search.settle(search.hidden)
    if search.exact or search.trims >= TRIMS:
        return False
    search.trims += 1
    trimmed = _trimmed(search)
    worth = bool((trimmed != search.hidden).any())
    search.hidden = trimmed
    return worth


def _choose_again(searches: Sequence[_Search]) -> None:
    """Choose by the conditions found so far, exactly where that is still wanted and can be done."""
    for search in searches:
        search.rounds += 1
        search.exact = search.exact and search.rounds <= EXACT_ROUNDS
    asked = [search for search in searches if search.exact]
    while asked:
        chosen = _optima(asked)
        _lower_to_attainable([search for search, found in zip(asked, chosen, strict=True) if found is None])
        for search, hidden in zip(asked, chosen, strict=True):
            found = _optimum([search], nodes=NODES) if hidden is None else hidden
            search.exact = found is not None
            search.hidden = search.hidden if found is None else found
        asked = [search for search in asked if search.exact and search.breaks_a_sum()]
    for search in (search for search in searches if not search.exact):
        search.restarts += 1
        start = search.system.first if search.restarts <= RESTARTS else search.hidden
        search.hidden = _grown(search, start)
        while search.breaks_a_sum() and (search.hidden != search.system.may_hide).any():
            search.hidden = _grown(search, search.hidden)
        if search.restarts <= RESTARTS:
            search.hidden = _trimmed(search)


def _optima(searches: Sequence[_Search]) -> list[Flags | None]:
    """Choose for many at once, and where that is not done within a few branches for each alone."""
    chosen: list[Flags | None] = []
    for batch in _batches(searches):
        together = _optimum(batch, nodes=NODES if len(batch) == 1 else NODES_TOGETHER)
        if together is not None:
            ends = np.cumsum([search.system.first.size for search in batch])
            chosen += np.split(together, ends[:-1])
        elif len(batch) == 1:
            chosen.append(None)
        else:
            chosen += [_optimum([search], nodes=NODES) for search in batch]
    return chosen


def _batches(searches: Sequence[_Search]) -> Iterator[list[_Search]]:
    """Put neighbours together as long as they have no more than `MARKS_TOGETHER` marks."""
    batch: list[_Search] = []
    for search in searches:
        if batch and sum(item.system.first.size for item in [*batch, search]) > MARKS_TOGETHER:
            yield batch
            batch = []
        batch.append(search)
    if batch:
        yield batch


def _optimum(searches: Sequence[_Search], *, nodes: int) -> Flags | None:
    """Hide the marks that meet every condition with the least loss; None where that takes too long."""
    systems = [search.system for search in searches]
    starts = np.cumsum([0, *(system.first.size for system in systems)])
    follows = np.vstack([system.implied + start for system, start in zip(systems, starts, strict=False)])
    pairs = np.arange(len(follows))
    ends = np.stack([-np.ones(pairs.size), np.ones(pairs.size)], axis=1)
    implied = sparse.csr_array(
        (ends.ravel(), (np.repeat(pairs, 2), follows.ravel())), (pairs.size, starts[-1])
    )
    answer = optimize.milp(
        np.concatenate([system.loss for system in systems]),
        integrality=np.ones(starts[-1]),
        bounds=optimize.Bounds(
            np.concatenate([system.first for system in systems]).astype(float),
            np.concatenate([system.may_hide for system in systems]).astype(float),
        ),
        constraints=optimize.LinearConstraint(
            sparse.vstack([diagonal([(search.gain, 1) for search in searches]), implied], format="csr"),
            np.concatenate([*(search.least for search in searches), np.zeros(pairs.size)]),
            np.inf,
        ),
        options={"time_limit": LONGEST, "node_limit": nodes, "mip_rel_gap": 0.0},
    )
    if answer.status != 0 or answer.x is None:
        return None
    return np.asarray(np.round(answer.x), dtype=np.int64) > 0


def _grown(search: _Search, start: Flags) -> Flags:
    """Hide, beside what is hidden at the start, the marks that help most for what they lose."""
    system = search.system
    may = system.may_hide
    loss = np.maximum(system.loss, SMALLEST_LOSS)
    hidden = start.copy()
    while True:
        short = search.least - search.gain @ hidden
        lacking = short > ROUNDING
        if not lacking.any():
            return hidden
        help_ = np.minimum(np.maximum(search.gain[lacking], 0), short[lacking][:, None]).sum(axis=0)
        help_[hidden | ~may] = 0
        if help_.max(initial=0.0) <= ROUNDING:
            return may
        best = int(np.argmax(help_ / loss))
        hidden[best] = True
        hidden[system.implied[system.implied[:, 0] == best, 1]] = True


def _trimmed(search: _Search) -> Flags:
    """Show again, the greatest loss first, what no condition found so far needs."""
    system = search.system
    hidden = search.hidden.copy()
    for mark in np.argsort(-system.loss, kind="stable"):
        needed = hidden[system.implied[system.implied[:, 1] == mark, 0]].any()
        if system.first[mark] or not hidden[mark] or needed:
            continue
        hidden[mark] = False
        if (search.gain @ hidden < search.least - ROUNDING).any():
            hidden[mark] = True
    return hidden
