"""What else must be hidden, so that no hidden number follows from what is shown.

The exact choice is a mixed-integer program over the marks alone. It is solved again and again: every range
that an attack then finds too narrow adds one condition, the limit that made it so, until the attack finds
none (Fischetti and Salazar, 2001, Management Science 47:1008-1027). Where that takes too long, marks are
added greedily by the same conditions. Either way nothing is returned that has not passed the attack.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Literal

import numpy as np
from scipy import optimize

from evalkit.disclosure.system import (
    GIVE,
    ROUNDING,
    Flags,
    Floats,
    Ints,
    Limits,
    System,
    doubtful_ranges,
    limits_of_many,
    ranges_of_many,
)

SECONDS = 1.0  # of the processor, for the exact choice of one block; a table of 6 by 4 takes about 0.03
EXACT_ROUNDS = 30  # of attack and exact choice; a table of 6 by 4 takes 2 to 5
NODES = 2_000  # branches of one mixed-integer program; ends it at the same point on every machine
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
    wanted: Floats
    exact: bool
    least: Floats = field(init=False)
    gain: Floats = field(init=False)
    attainable: Flags = field(init=False)
    best: Flags = field(init=False)
    trims: int = 0
    rounds: int = 0
    restarts: int = 0

    def __post_init__(self) -> None:
        self.least, self.gain = np.zeros(0), np.zeros((0, self.system.first.size))
        self.attainable = np.zeros(self.system.value.size, dtype=bool)
        self.best = self.system.first.copy()

    def settle(self, hidden: Flags) -> None:
        """Keep a choice that passed the attack, where none that loses less has."""
        if not self.trims or self.system.loss @ hidden < self.system.loss @ self.best:
            self.best = hidden.copy()

    def add(self, limits: Limits, numbers: Ints) -> bool:
        """Turn limits into conditions on the marks; say whether those hidden now break one."""
        width = self.wanted[numbers]
        least = width - limits.constant
        gain = np.minimum(limits.gain, np.maximum(least, 0)[:, None])
        only_if_hidden = ~self.system.always[numbers] & ~self.system.first[self.system.mark[numbers]]
        at = np.flatnonzero(only_if_hidden)
        gain[at, self.system.mark[numbers[at]]] -= width[at]
        least = np.where(only_if_hidden, least - width, least)
        broken = gain @ self.hidden < least - ROUNDING
        self.gain = np.vstack([self.gain, gain[broken]])
        self.least = np.concatenate([self.least, least[broken]])
        return bool(broken.any())


def choose(systems: Sequence[System], *, exact: bool = True, seconds: float = SECONDS) -> list[Choice]:
    """Choose for each system which marks to hide, losing as little as can be.

    Parameters
    ----------
    exact : solve to the optimum where that takes no more than `seconds`, `EXACT_ROUNDS` and `NODES`
    """
    searches = [
        _Search(system=system, hidden=system.first.copy(), wanted=system.wanted.copy(), exact=exact)
        for system in systems
    ]
    until = process_time() + seconds * len(systems)
    open_ones = [search for search in searches if search.system.at_risk(search.hidden).size]
    for _ in range(ROUNDS):
        if not open_ones:
            break
        failing = _attack(open_ones)
        open_ones = [
            search
            for search, fails in zip(open_ones, failing, strict=True)
            if (_mend(search, until=until) if fails else _improve(search))
        ]
    for search in open_ones:
        search.settle(~search.system.never | search.system.first)
    return [
        Choice(search.best, search.wanted, "exact" if search.exact else "heuristic") for search in searches
    ]


def _attack(searches: Sequence[_Search]) -> list[bool]:
    """Attack the choices; keep what makes a range too narrow as conditions, and say which choices fail."""
    doubtful = doubtful_ranges([(search.system, search.hidden, search.wanted) for search in searches])
    fails = [False] * len(searches)
    for give, most in ((GIVE, LIMITS_A_ROUND), (0.0, None)):
        asked = [at for at, numbers in enumerate(doubtful) if numbers.size and not fails[at]]
        numbers = [doubtful[at][:most] for at in asked]
        _lower_to_attainable([searches[at] for at in asked], numbers)
        questions = [
            (searches[at].system, searches[at].hidden, some) for at, some in zip(asked, numbers, strict=True)
        ]
        for at, some, limits in zip(asked, numbers, limits_of_many(questions, give=give), strict=True):
            fails[at] = searches[at].add(limits, some)
    return fails


def _lower_to_attainable(searches: Sequence[_Search], numbers: Sequence[Ints]) -> None:
    """Want no more of a range than is left when everything is hidden that may be."""
    new = [some[~search.attainable[some]] for search, some in zip(searches, numbers, strict=True)]
    asked = [
        (search.system, ~search.system.never | search.system.first, some)
        for search, some in zip(searches, new, strict=True)
    ]
    for search, some, (low, high) in zip(searches, new, ranges_of_many(asked), strict=True):
        search.wanted[some] = np.minimum(search.wanted[some], np.maximum(high - low - 2 * ROUNDING, 0))
        search.attainable[some] = True


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


def _mend(search: _Search, *, until: float) -> bool:
    """Choose again, after new conditions; say whether there is something to attack."""
    search.rounds += 1
    if search.exact and search.rounds <= EXACT_ROUNDS and process_time() < until:
        chosen = _optimum(search, seconds=until - process_time())
        if chosen is not None:
            search.hidden = chosen
            return True
    search.exact = False
    if search.trims >= TRIMS:
        return False
    search.restarts += 1
    start = search.system.first if search.restarts <= RESTARTS else search.hidden
    search.hidden = _grown(search, start)
    if search.restarts <= RESTARTS:
        search.hidden = _trimmed(search)
    return True


def _optimum(search: _Search, *, seconds: float) -> Flags | None:
    """Hide the marks that meet every condition with the least loss; None where that takes too long."""
    system = search.system
    implying = np.flatnonzero(system.implied >= 0)
    follows = np.zeros((implying.size, system.first.size))
    follows[np.arange(implying.size), system.implied[implying]] = 1
    follows[np.arange(implying.size), implying] = -1
    answer = optimize.milp(
        system.loss,
        integrality=np.ones(system.first.size),
        bounds=optimize.Bounds(system.first.astype(float), (~system.never | system.first).astype(float)),
        constraints=optimize.LinearConstraint(
            np.vstack([search.gain, follows]),
            np.concatenate([search.least, np.zeros(implying.size)]),
            np.inf,
        ),
        options={"time_limit": seconds, "node_limit": NODES, "mip_rel_gap": 0.0},
    )
    if answer.status != 0 or answer.x is None:
        return None
    return np.asarray(np.round(answer.x), dtype=np.int64) > 0


def _grown(search: _Search, start: Flags) -> Flags:
    """Hide, beside what is hidden at the start, the marks that help most for what they lose."""
    system = search.system
    may = ~system.never | system.first
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
        if system.implied[best] >= 0:
            hidden[system.implied[best]] = True


def _trimmed(search: _Search) -> Flags:
    """Show again, the greatest loss first, what no condition found so far needs."""
    system = search.system
    hidden = search.hidden.copy()
    needs = {int(system.implied[mark]): int(mark) for mark in np.flatnonzero(system.implied >= 0)}
    for mark in np.argsort(-system.loss, kind="stable"):
        needed = int(mark) in needs and hidden[needs[int(mark)]]
        if system.first[mark] or not hidden[mark] or needed:
            continue
        hidden[mark] = False
        if (search.gain @ hidden < search.least - ROUNDING).any():
            hidden[mark] = True
    return hidden
