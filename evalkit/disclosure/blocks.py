"""What an attacker can work out: the range of each hidden count over all tables that fit what is shown.

The attacker knows the rule, what the marks mean, and every way in which cells add up. Blocks (one
indicator, site, population and period) are independent of one another, so the questions of many go into
one linear program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from evalkit.disclosure.links import CellName, Link
from evalkit.errors import DataError

Floats = NDArray[np.float64]

LARGEST_PROGRAM = 4_000  # variables in one linear program; above it the solver slows more than in proportion
NO_END = 1e6  # persons; stands for an upper end that nothing shown gives


class State(IntEnum):
    """How a cell is shown; persons, and persons counted, in that order."""

    SHOWN = 0
    RANGE = 1  # number of persons shown, count as a range
    COUNT_HIDDEN = 2  # number of persons shown, count (small or not) hidden to protect it or another cell
    HIDDEN = 3  # both hidden: a small group, or to protect another cell


@dataclass
class Block:
    """The cells of one indicator, site, population and period, and how each is shown.

    Attributes
    ----------
    n, x : persons and persons counted (NaN: a mean has none, or the source does not say), one for each cell
    least, most : bounds of x that the shown range gives
    state : `State` of each cell; changes while cells to hide are chosen
    may_be_empty : for all that the marks tell, the hidden group may have nobody in it
    exact_n, exact_x, short_n, short_x : sums that hold, and sums whose parts leave some persons out
    has_complement : whether n − x counts persons (not so where x counts events)
    counts_matter : whether there are counts at all (a mean has only n)
    """

    names: tuple[CellName, ...]
    n: Floats
    x: Floats
    least: Floats
    most: Floats
    state: NDArray[np.int64]
    may_be_empty: NDArray[np.bool_]
    exact_n: Sequence[Link]
    exact_x: Sequence[Link]
    short_n: Sequence[Link]
    short_x: Sequence[Link]
    has_complement: bool
    counts_matter: bool

    @property
    def n_unknown(self) -> NDArray[np.bool_]:
        """Cells whose number of persons is hidden."""
        return np.equal(self.state, State.HIDDEN)

    @property
    def x_unknown(self) -> NDArray[np.bool_]:
        """Cells whose count is not shown exactly."""
        return np.not_equal(self.state, State.SHOWN) & np.bool_(self.counts_matter)

    def leave_out_uncertain_sums(self) -> None:
        """Forget the sums that a source's own hidden cells may contradict."""
        self.exact_n = [link for link in self.exact_n if not np.isnan(self.n[list(link.cells)]).any()]
        self.exact_x = [link for link in self.exact_x if not np.isnan(self.x[list(link.cells)]).any()]


@dataclass(frozen=True)
class Quantity:
    """A hidden number: persons ("n"), those counted ("x") or those not counted ("rest") of one cell."""

    block: int
    cell: int
    what: str


def feasible_ranges(blocks: Sequence[Block], quantities: Sequence[Quantity]) -> tuple[Floats, Floats]:
    """Find the least and the greatest value of each quantity over all tables consistent with what is shown.

    Returns
    -------
    Two arrays, one value a quantity; one that nothing shown bounds ends at `NO_END`.

    Raises
    ------
    DataError : no table is consistent with what is shown, so the table contradicts itself.
    """
    systems = {at: _system(blocks[at]) for at in {item.block for item in quantities}}
    objectives = [systems[item.block].objective(item) for item in quantities]
    wanted = [
        (systems[item.block], sign * objective)
        for item, objective in zip(quantities, objectives, strict=True)
        for sign in (1.0, -1.0)
    ]
    answers = _optima(wanted)
    low = [objective @ answer for objective, answer in zip(objectives, answers[0::2], strict=True)]
    high = [objective @ answer for objective, answer in zip(objectives, answers[1::2], strict=True)]
    return np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)


def witnessed_widths(blocks: Sequence[Block], quantities: Sequence[Quantity], *, tables: int = 6) -> Floats:
    """Give a width that each quantity's range has at least, from a few consistent tables of each block.

    Far quicker than `feasible_ranges`: where the witnesses already lie far enough apart, no exact answer is
    needed. The tables are the ends of the block in `tables` fixed, arbitrary directions.
    """
    systems = {at: _system(blocks[at]) for at in sorted({item.block for item in quantities})}
    wanted = [
        (system, np.random.default_rng(direction // 2).normal(size=system.size) * (-1) ** direction)
        for system in systems.values()
        for direction in range(tables)
    ]
    answers = _optima(wanted)
    witnesses = {
        at: np.array(answers[tables * place : tables * (place + 1)]) for place, at in enumerate(systems)
    }
    return np.array(
        [np.ptp(witnesses[item.block] @ systems[item.block].objective(item)) for item in quantities]
    )


@dataclass(frozen=True)
class _System:
    """A block as linear conditions on its unknowns: `equal` · v = `equal_to`, `below` · v ≤ `below_to`."""

    size: int
    n_place: NDArray[np.int64]
    x_place: NDArray[np.int64]
    n: Floats
    low: Floats
    high: Floats
    equal: Floats
    equal_to: Floats
    below: Floats
    below_to: Floats

    def objective(self, item: Quantity) -> Floats:
        weights = np.zeros(self.size)
        if item.what in {"n", "rest"}:
            weights[self.n_place[item.cell]] += 1
        if item.what == "x":
            weights[self.x_place[item.cell]] += 1
        if item.what == "rest":
            weights[self.x_place[item.cell]] -= 1
        return weights


def _system(block: Block) -> _System:
    n_unknown, x_unknown = block.n_unknown, block.x_unknown
    n_place, x_place = np.full(block.n.size, -1), np.full(block.n.size, -1)
    n_place[n_unknown] = np.arange(n_unknown.sum())
    x_place[x_unknown] = n_unknown.sum() + np.arange(x_unknown.sum())
    size = int(n_unknown.sum() + x_unknown.sum())
    low, high = np.zeros(size), np.full(size, NO_END)
    low[n_place[n_unknown]] = np.where(block.may_be_empty[n_unknown], 0, 1)
    for cell in np.flatnonzero(x_unknown):
        place = x_place[cell]
        if block.state[cell] == State.RANGE:
            low[place], high[place] = block.least[cell], block.most[cell]
        elif block.state[cell] == State.COUNT_HIDDEN:
            high[place] = block.n[cell] if block.has_complement else NO_END
    equal, equal_to = _sums(block.exact_n, n_place, block.n, size)
    below, below_to = _sums(block.short_n, n_place, block.n, size)
    if block.counts_matter:
        more, more_to = _sums(block.exact_x, x_place, block.x, size)
        equal, equal_to = np.vstack([equal, more]), np.concatenate([equal_to, more_to])
        more, more_to = _sums(block.short_x, x_place, block.x, size)
        below, below_to = np.vstack([below, more]), np.concatenate([below_to, more_to])
    if block.counts_matter and block.has_complement:
        within = np.flatnonzero(n_unknown & x_unknown)
        more = np.zeros((within.size, size))
        more[np.arange(within.size), x_place[within]] = 1
        more[np.arange(within.size), n_place[within]] = -1
        below, below_to = np.vstack([below, more]), np.concatenate([below_to, np.zeros(within.size)])
    return _System(size, n_place, x_place, block.n, low, high, equal, equal_to, below, below_to)


def _sums(
    links: Sequence[Link], place: NDArray[np.int64], values: Floats, size: int
) -> tuple[Floats, Floats]:
    """Write parts − total as a row over the unknowns and move what is shown to the right-hand side."""
    rows, ends = [], []
    for link in links:
        cells = np.array(link.cells)
        signs = np.array([-1.0] + [1.0] * len(link.parts))
        unknown = place[cells] >= 0
        shown = values[cells[~unknown]]
        if not unknown.any() or np.isnan(shown).any():
            continue
        row = np.zeros(size)
        np.add.at(row, place[cells[unknown]], signs[unknown])
        rows.append(row)
        ends.append(-float(signs[~unknown] @ shown))
    return np.array(rows).reshape(len(rows), size), np.array(ends)


def _optima(wanted: Sequence[tuple[_System, Floats]]) -> list[Floats]:
    """Minimise each objective over its own copy of its system; many copies go into one linear program."""
    answers: list[Floats] = []
    batch: list[tuple[_System, Floats]] = []
    for position, pair in enumerate(wanted):
        batch.append(pair)
        if sum(system.size for system, _ in batch) > LARGEST_PROGRAM or position == len(wanted) - 1:
            answers.extend(_solve(batch))
            batch = []
    return answers


def _solve(batch: Sequence[tuple[_System, Floats]]) -> list[Floats]:
    systems = [system for system, _ in batch]
    starts = np.cumsum([0, *(system.size for system in systems)])
    lows, highs = (np.concatenate([getattr(system, end) for system in systems]) for end in ("low", "high"))
    answer = optimize.linprog(
        np.concatenate([objective for _, objective in batch]),
        A_ub=_beside_one_another([system.below for system in systems], starts),
        b_ub=np.concatenate([system.below_to for system in systems]),
        A_eq=_beside_one_another([system.equal for system in systems], starts),
        b_eq=np.concatenate([system.equal_to for system in systems]),
        bounds=np.stack([lows, highs], axis=1),
        method="highs",
    )
    if not answer.success:
        raise DataError(f"no table agrees with what is shown of these cells ({answer.message})")
    return np.split(np.asarray(answer.x, dtype=np.float64), starts[1:-1])


def _beside_one_another(matrices: Sequence[Floats], starts: NDArray[np.int64]) -> sparse.csr_array:
    """Put matrices on the diagonal of a sparse one (scipy's own way takes a hundred times as long)."""
    found = {id(matrix): np.nonzero(matrix) for matrix in matrices}
    heights = np.cumsum([0, *(matrix.shape[0] for matrix in matrices)])
    rows = np.concatenate([found[id(m)][0] + top for m, top in zip(matrices, heights, strict=False)])
    columns = np.concatenate([found[id(m)][1] + left for m, left in zip(matrices, starts, strict=False)])
    values = np.concatenate([matrix[found[id(matrix)]] for matrix in matrices])
    return sparse.csr_array((values, (rows, columns)), shape=(heights[-1], starts[-1]))
