"""What a reader can work out of numbers that are published together.

A reader knows every way in which the numbers add up, and of each number a range: one where it is shown
(a single value, or what a rounded one stands for) and a wider one where it is hidden. The range left of a
hidden number is the least and the greatest value that it has in any table which fits all that: two linear
programs for each number, whose dual solutions say what limits it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from evalkit.disclosure.system import Flags, Floats, Ints, System
from evalkit.errors import DataError

LARGEST_PROGRAM = 4_000  # unknowns in one linear program; above it the solver slows more than in proportion
ROUNDING = 1e-6  # persons; the solver's own inaccuracy
WITNESSES = 4  # times that all doubtful numbers are moved at once before a range is worked out exactly
# Persons by which a number that is shown may move while a limit is looked for: so little that it decides
# nothing, and enough for the limit to say which numbers would help most.
GIVE = 1e-3


def left_ranges(system: System, hidden: Flags, numbers: Ints) -> tuple[Floats, Floats]:
    """Find the least and the greatest value of each number over all tables that fit what is shown."""
    return ranges_of_many([(system, hidden, numbers)])[0]


def ranges_of_many(asked: Sequence[tuple[System, Flags, Ints]]) -> list[tuple[Floats, Floats]]:
    """Do the work of `left_ranges` for many systems at once.

    Raises
    ------
    DataError : no table fits what is shown, so the numbers contradict themselves.
    """
    questions = []
    for system, hidden, numbers in asked:
        program = _program(system, hidden)
        aims = np.zeros((2 * numbers.size, program.size))
        inside = program.place[numbers] >= 0
        at = np.flatnonzero(inside)
        aims[2 * at, program.place[numbers[inside]]] = 1
        aims[2 * at + 1, program.place[numbers[inside]]] = -1
        questions.append((program, aims))
    found = []
    for (system, _, numbers), (_, aims), (answers, *_) in zip(
        asked, questions, _optima(questions), strict=True
    ):
        ends = np.einsum("kn,kn->k", np.abs(aims), answers)
        found.append((system.value[numbers] + ends[0::2], system.value[numbers] + ends[1::2]))
    return found


def doubtful_ranges(asked: Sequence[tuple[System, Flags, Floats]]) -> list[Ints]:
    """List, narrowest first, the numbers whose range a few tables do not show to be as wide as wanted.

    Far quicker than to work out every range: each table moves all doubtful numbers of a system at once, in
    fixed, arbitrary directions. The true table is one of them.

    Parameters
    ----------
    asked : systems, the marks hidden, and the width needed of every number, in persons; 0 where none
    """
    programs = [_program(system, hidden) for system, hidden, _ in asked]
    doubtful = [np.flatnonzero(needed > 0) for *_, needed in asked]
    lowest = [np.zeros(system.value.size) for system, *_ in asked]
    highest = [np.zeros(system.value.size) for system, *_ in asked]
    draws = np.random.default_rng(0)
    for _ in range(WITNESSES):
        questions = []
        for program, numbers in zip(programs, doubtful, strict=True):
            inside = program.place[numbers]
            aim = np.zeros(program.size)
            aim[inside[inside >= 0]] = draws.choice([-1.0, 1.0], size=int((inside >= 0).sum()))
            questions.append((program, np.stack([aim, -aim]) if aim.any() else np.zeros((0, program.size))))
        for at, (moves, *_) in enumerate(_optima(questions)):
            needed = asked[at][2]
            numbers, program = doubtful[at], programs[at]
            if not len(moves):
                continue
            lowest[at][program.numbers] = np.minimum(lowest[at][program.numbers], moves.min(axis=0))
            highest[at][program.numbers] = np.maximum(highest[at][program.numbers], moves.max(axis=0))
            lacking = (needed - highest[at] + lowest[at])[numbers]
            order = np.argsort(-lacking, kind="stable")
            doubtful[at] = numbers[order][lacking[order] > ROUNDING]
        if not any(numbers.size for numbers in doubtful):
            break
    return doubtful


@dataclass(frozen=True)
class Limits:
    """Proofs that ranges are too narrow: `constant` + `gain` · hidden is at least the width of each range.

    Attributes
    ----------
    gain : shape (ranges, marks)
    """

    constant: Floats
    gain: Floats


def limits_of_sums(system: System) -> tuple[Ints, Limits]:
    """Say what each single sum limits: quick, and most of what the dual solutions would find.

    A number goes up no further than the others of its sum go the opposite way, nor beyond its own end.

    Returns
    -------
    The numbers, some of them many times, and a limit for each.
    """
    down, up, hidden_down, hidden_up = system.room
    line, number = np.nonzero(system.equal)
    wanted = system.wanted[number] > 0
    line, number = line[wanted], number[wanted]
    ratio = system.equal[line] * np.sign(system.equal[line, number])[:, None]
    ratio[np.arange(number.size), number] = 0
    same, opposite = (ratio > 0).astype(float), (ratio < 0).astype(float)
    by_mark = np.zeros((system.value.size, system.first.size))
    by_mark[np.arange(system.value.size), system.mark] = 1
    more_down, more_up = (hidden_down - down)[:, None] * by_mark, (hidden_up - up)[:, None] * by_mark
    sum_up = same @ down + opposite @ up, same @ more_down + opposite @ more_up
    sum_down = same @ up + opposite @ down, same @ more_up + opposite @ more_down
    own_up, own_down = (up[number], more_up[number]), (down[number], more_down[number])
    pairs = ((sum_up, sum_down), (sum_up, own_down), (own_up, sum_down))
    limits = Limits(
        np.concatenate([above[0] + below[0] for above, below in pairs]),
        np.vstack([above[1] + below[1] for above, below in pairs]),
    )
    return np.tile(number, len(pairs)), limits


def limits_of_many(asked: Sequence[tuple[System, Flags, Ints]], *, give: float = GIVE) -> list[Limits]:
    """Say for each number what limits the width of its range, and what hiding each mark could add to it.

    The limits are the dual solutions of the linear programs that find the two ends.
    """
    questions = []
    for system, hidden, numbers in asked:
        program = _program(system, hidden, give=give)
        aims = np.zeros((2 * numbers.size, program.size))
        at = np.arange(numbers.size)
        aims[2 * at, program.place[numbers]] = 1
        aims[2 * at + 1, program.place[numbers]] = -1
        questions.append((program, aims))
    found = []
    for (system, _, numbers), (program, _), (_, downs, ups) in zip(
        asked, questions, _optima(questions), strict=True
    ):
        down, up, hidden_down, hidden_up = (side[program.numbers] for side in system.room)
        constant = downs @ down + ups @ up
        gains = downs * (hidden_down - down) + ups * (hidden_up - up)
        by_mark = np.zeros((program.size, system.first.size))
        by_mark[np.arange(program.size), system.mark[program.numbers]] = 1
        gain = np.maximum(gains, 0) @ by_mark
        shape = (numbers.size, 2)
        found.append(Limits(constant.reshape(shape).sum(1), gain.reshape(*shape, -1).sum(1)))
    return found


def any_table(system: System, low: Floats, high: Floats) -> Floats:
    """Find numbers between these ends for which every sum holds, to measure from.

    Where a sum of known numbers is off, as parts and total were counted apart, it stays off by as much.

    Raises
    ------
    DataError : there are none, so what is known contradicts itself.
    """
    is_known = low == high
    all_known = ~np.any(system.equal[:, ~is_known] != 0, axis=1)
    off = np.where(all_known, system.equal @ np.where(is_known, low, 0), 0)
    answer = optimize.linprog(
        np.zeros(low.size),
        A_eq=system.equal,
        b_eq=off,
        bounds=np.stack([low, high], axis=1),
        method="highs",
    )
    if not answer.success:
        raise DataError(f"no table agrees with what is shown of these cells ({answer.message})")
    return np.asarray(answer.x, dtype=np.float64)


@dataclass(frozen=True)
class _Program:
    """The moves of the unknown numbers away from their true values; row · move is 0."""

    numbers: Ints
    place: Ints
    low: Floats
    high: Floats
    equal: Floats

    @property
    def size(self) -> int:
        return int(self.numbers.size)


def _program(system: System, hidden: Flags, *, give: float | None = None) -> _Program:
    down, up, hidden_down, hidden_up = system.room
    is_hidden = hidden[system.mark]
    low, high = np.where(is_hidden, hidden_down, down), np.where(is_hidden, hidden_up, up)
    unknown = np.maximum(low, high) > 0
    if give is not None:
        free = ~is_hidden & ~system.never[system.mark] & (np.maximum(hidden_down, hidden_up) > 0)
        unknown |= free
        low = np.where(free, np.maximum(low, np.minimum(hidden_down, give)), low)
        high = np.where(free, np.maximum(high, np.minimum(hidden_up, give)), high)
    numbers = np.flatnonzero(unknown)
    place = np.full(system.value.size, -1)
    place[numbers] = np.arange(numbers.size)
    equal = system.equal[:, numbers]
    return _Program(
        numbers=numbers,
        place=place,
        low=-low[numbers],
        high=high[numbers],
        equal=equal[np.any(equal != 0, axis=1)],
    )


_Answer = tuple[Floats, Floats, Floats]


def _optima(questions: Sequence[tuple[_Program, Floats]]) -> list[_Answer]:
    """Minimise each aim over its own copy of its program; many copies go into one linear program.

    Returns
    -------
    For each question: the moves, and what the lower and the upper ends hold back (all 0 or above).
    """
    pieces: list[list[_Answer]] = [[] for _ in questions]
    batch: list[tuple[int, _Program, Floats]] = []
    size = 0
    for at, (program, aims) in enumerate(questions):
        step = max(1, LARGEST_PROGRAM // max(program.size, 1))
        for start in range(0, len(aims), step):
            some = aims[start : start + step]
            if size and size + some.size > LARGEST_PROGRAM:
                _collect(batch, pieces)
                batch, size = [], 0
            batch.append((at, program, some))
            size += some.size
    _collect(batch, pieces)
    together = []
    for (program, aims), own in zip(questions, pieces, strict=True):
        if not own:
            nothing = np.zeros((len(aims), program.size))
            own.append((nothing, nothing, nothing))
        together.append(tuple(np.vstack(column) for column in zip(*own, strict=True)))
    return together  # type: ignore[return-value]


def _collect(batch: Sequence[tuple[int, _Program, Floats]], pieces: list[list[_Answer]]) -> None:
    batch = [item for item in batch if item[2].size]
    if not batch:
        return
    answer = optimize.linprog(
        np.concatenate([aims.ravel() for _, _, aims in batch]),
        A_eq=diagonal([(program.equal, len(aims)) for _, program, aims in batch]),
        b_eq=np.zeros(sum(len(program.equal) * len(aims) for _, program, aims in batch)),
        bounds=np.stack(
            [
                np.concatenate([np.tile(program.low, len(aims)) for _, program, aims in batch]),
                np.concatenate([np.tile(program.high, len(aims)) for _, program, aims in batch]),
            ],
            axis=1,
        ),
        method="highs",
        options={"presolve": False},  # to simplify programs as small as these takes longer than to solve them
    )
    if not answer.success:
        raise DataError(f"no table agrees with what is shown of these cells ({answer.message})")
    starts = iter(np.cumsum([0, *(aims.size for _, _, aims in batch)]))
    sides: list[Floats] = [
        np.asarray(side, dtype=np.float64)
        for side in (answer.x, answer.lower.marginals, -answer.upper.marginals)
    ]
    for (at, _, aims), start in zip(batch, starts, strict=False):
        moves, downs, ups = (side[start : start + aims.size].reshape(aims.shape) for side in sides)
        pieces[at].append((moves, downs, ups))


def diagonal(matrices: Sequence[tuple[Floats, int]]) -> sparse.csr_array:
    """Put copies of matrices on the diagonal of a sparse one (scipy's own way takes far longer)."""
    rows, columns, values = [], [], []
    top = left = 0
    for matrix, copies in matrices:
        at_row, at_column = np.nonzero(matrix)
        height, width = matrix.shape
        steps = np.arange(copies)[:, None]
        rows.append((top + steps * height + at_row).ravel())
        columns.append((left + steps * width + at_column).ravel())
        values.append(np.tile(matrix[at_row, at_column], copies))
        top += copies * height
        left += copies * width
    return sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(top, left)
    )
