"""Any table of counts: protect it, attack it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.disclosure.entries import (
    ALL,
    Entries,
    Groups,
    check_width,
    name_of,
    read_entries,
    read_statuses,
)
from evalkit.disclosure.protected import LACKING, Protected, hide
from evalkit.disclosure.ranges import ROUNDING, any_table, doubtful_ranges, left_ranges
from evalkit.disclosure.rules import Rule, find_rule
from evalkit.disclosure.sums import Sums, sums_of
from evalkit.disclosure.system import Flags, Floats, Ints, System, blocks_of
from evalkit.errors import DataError, ParameterError
from evalkit.wording import listed

WIDTH = 5.0  # persons between the ends of the range that must be left of every hidden count
MINIMUM = 10  # persons; a count below this that is shown coarsely must stay as coarse as it is printed
NO_END = 1e6  # persons; stands for an upper end that nothing shown gives

Attacker = Literal["non-negative", "rule", "symbols"]
ATTACKERS: tuple[Attacker, ...] = ("non-negative", "rule", "symbols")


def protect(
    cells: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    count: str,
    rule: str | Rule = "nces10",
    width: float = WIDTH,
    groups: Groups | None = None,
) -> pd.DataFrame:
    """Hide small counts, and as little else as keeps them from being worked out.

    Everything in `cells` is taken to be published together. A dimension may be anything that splits: a group,
    a year, a school, or whether what is counted is true of a person (with "All" for both, k + (n − k) = n).

    Parameters
    ----------
    cells : a row for each cell; margins have "All" in the dimensions they add up over. A table that splits
        by fewer dimensions has "All" in the others. A cell may stand twice, as in two tables.
    count : column of persons
    rule : "nces10" (1 to 9 hidden), "redact7_round5", "midpoint6", or `small_cells(16)`
    width : persons between the ends of the range that an attacker must be left with, who knows the rule and
        has even been told which cells are hidden for themselves
    groups : dimension -> group -> its members, where groups that overlap the others are published beside
        them, e.g. {"grade": {"elementary": ["1", "2"]}}; no members where nobody can say how they overlap

    Returns
    -------
    The cells in their order, with `status` "shown", "coded" (`count` as it is printed, rounded) or "hidden"
    (`count` is NaN). One status stands for cells hidden for themselves and to protect others. The grand total
    is hidden only where it is small itself. Zeros are shown; only in a block of cells where the ranges cannot
    be wide enough beside them are some hidden like small counts, so that there a hidden count may be 0.

    Every small count passes `attack`: its range is at least `width`, or what would be left of it if all
    but the grand total were hidden. Where the attacker who knows most is left with less than `width`, that
    holds for those who know less too. So do small rests: the persons of a total who are in none of the parts
    listed, whom anybody can count. Where parts exceed their total by a miscount, a hidden cell is still never
    alone among them.

    Raises
    ------
    DataError : there are no cells, a column is absent, a label is empty, a count is no whole number of 0 or
        more, two rows of one cell differ, a total is called something like "Total" instead of "All", or parts
        exceed their total by as much as the smallest of them, so that some may overlap others.
    ParameterError : the rule is unknown, `width` is no number of 1 person or more, or `dimensions` or
        `groups` name what the cells do not have.
    """
    return _protected(cells, dimensions=dimensions, count=count, rule=rule, width=width, groups=groups).shown


@dataclass(frozen=True)
class Proof:
    """What an attack on a protected table found.

    Attributes
    ----------
    rule : id of the rule set
    small, further : cells hidden for themselves, and to protect these
    narrowest : width of the narrowest range left of a small cell, in persons; NaN where none is hidden
    exact : blocks in which no other choice loses less that keeps off the attacker who has been told most; the
        others were chosen by the heuristic
    blocks : blocks in which something is hidden
    """

    rule: str
    small: int
    further: int
    narrowest: float
    exact: int
    blocks: int


def protect_with_proof(
    cells: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    count: str,
    rule: str | Rule = "nces10",
    width: float = WIDTH,
    groups: Groups | None = None,
) -> tuple[pd.DataFrame, Proof]:
    """Do what `protect` does, and say what the attack found; the proof is not for publication."""
    protected = _protected(cells, dimensions=dimensions, count=count, rule=rule, width=width, groups=groups)
    small, is_rest = protected.small, protected.table.sums.is_rest
    system, found = protected.passes[0]
    low, high = left_ranges(system, found.hidden, np.flatnonzero(small))
    proof = Proof(
        rule=find_rule(rule).rule_id,
        small=int((small & ~is_rest).sum()),
        further=int((protected.hidden & ~small & ~is_rest).sum()),
        narrowest=float((high - low).min()) if small.any() else np.nan,
        exact=found.exact,
        blocks=found.exact + found.heuristic,
    )
    return protected.shown, proof


@dataclass(frozen=True)
class _ProtectedTable:
    """What is shown of a table, its small and its hidden numbers, and how these were found."""

    shown: pd.DataFrame
    table: "_Table"
    small: Flags
    hidden: Flags
    passes: list[tuple[System, Protected]]


def _protected(
    cells: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    count: str,
    rule: str | Rule,
    width: float,
    groups: Groups | None,
) -> _ProtectedTable:
    chosen_rule = find_rule(rule)
    check_width(width)
    entries = read_entries(cells, dimensions=dimensions, count=count, groups=groups)
    unknown = np.isnan(entries.value)
    if unknown.any():
        name = name_of(entries.keys[int(np.argmax(unknown))])
        raise DataError(f"{name}: {count} is empty; every cell needs a count of 0 or more to be protected")
    table = _Table.of(entries, entries.value, entries.value)
    small = table.small(chosen_rule)
    passes = _passes(table, chosen_rule, small, width)
    hidden = passes[-1][1].hidden
    if len(passes) == 1:
        hidden = hidden & ~_known_anyway(*passes[0], further=hidden & ~small & ~table.sums.is_rest)
    is_hidden = hidden[table.row]
    printed = chosen_rule.print_counts(table.value)
    status = np.where(is_hidden, "hidden", "shown" if chosen_rule.printed == "exact" else "coded")
    shown = cells.copy()
    shown[count] = np.where(is_hidden, np.nan, printed[table.row])
    shown["status"] = status
    return _ProtectedTable(shown, table, small, hidden, passes)


def attack(
    cells: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    count: str,
    rule: str | Rule = "nces10",
    attacker: Attacker = "symbols",
    groups: Groups | None = None,
) -> pd.DataFrame:
    """Work out all that can be known of the cells that are not shown.

    Parameters
    ----------
    cells : as `protect` returns them, with `status`. A sum with a hidden count is taken to be complete unless
        what is shown, or what he has been told, says otherwise: a reader who is sure of it, rightly or not
    attacker : "non-negative" knows how cells add up and that no count is below 0; "rule" knows besides what
        the rule hides and what a rounded count stands for; "symbols" has been told which cells are hidden for
        themselves. He can be told only where the counts of hidden cells still stand in `cells`
        (`original.assign(status=protected["status"])`); otherwise one mark stands for both, and he knows no
        more than the rule.

    Returns
    -------
    The rows that are hidden or coded, under their own index: the dimensions, `status`, and `low` and `high`,
    the least and the greatest count in any table that fits what is shown (inf where nothing bounds it).

    Raises
    ------
    DataError : no table fits what is shown, a status is unknown, a count that is shown or coded is absent;
        and as for `protect`.
    ParameterError : the rule or the attacker is unknown, or `dimensions` or `groups` name what is not there.
    """
    if attacker not in ATTACKERS:
        raise ParameterError(
            f"unknown attacker {attacker!r}; use {listed([repr(name) for name in ATTACKERS], 'or')}"
        )
    chosen_rule = find_rule(rule)
    entries = read_entries(cells, dimensions=dimensions, count=count, groups=groups)
    status = np.array(read_statuses(cells, entries, count))
    as_printed = chosen_rule.print_counts(entries.value) == entries.value
    is_original = bool((status == "hidden").any()) or not as_printed[status == "coded"].all()
    told = is_original and not np.isnan(entries.value).any()
    table = _Table.of(entries, *_known_before(entries, status, chosen_rule, told))
    hidden = np.concatenate([status == "hidden", table.sums.is_rest[status.size :]])
    shown = chosen_rule.print_counts(table.value)
    small = table.small(chosen_rule) & hidden
    knows = attacker if told or attacker == "non-negative" else "rule"
    system = _system(replace(table, value=np.where(hidden, table.value, shown)), chosen_rule, knows, small)
    zeros_hidden = _blocks_with_hidden_zeros(system, hidden) if told else np.ones_like(hidden)
    system = _as_known(system, zeros_hidden)
    exact_truth = told and chosen_rule.printed == "exact"
    if not exact_truth:
        low = np.where(hidden, system.hidden_low, system.shown_low)
        high = np.where(hidden, system.hidden_high, system.shown_high)
        try:
            system = replace(system, value=any_table(system, low, high))
        except DataError as error:
            raise DataError(
                f"{error}; where totals hold more than their parts, give the counts of hidden cells too"
            ) from error
    asked = cells["status"].ne("shown").to_numpy()
    numbers, place = np.unique(table.row[asked], return_inverse=True)
    low, high = left_ranges(system, hidden, numbers)
    return cells.loc[asked, [*dimensions, "status"]].assign(
        low=np.round(low[place], 6),
        high=np.where(high[place] >= NO_END / 2, np.inf, np.round(high[place], 6)),
    )


@dataclass(frozen=True)
class _Table:
    """All numbers of a table: its cells, then the rests and errors of its sums.

    Attributes
    ----------
    value : persons; NaN where a count is not known
    row : the cell of each row
    """

    value: Floats
    row: Ints
    sums: Sums
    is_total: Flags

    @classmethod
    def of(cls, entries: Entries, low: Floats, high: Floats) -> "_Table":
        """Add up cells of which this much is known."""
        sums = sums_of(entries, low, high)
        extra = np.where(sums.low == sums.high, sums.low, np.nan)[low.size :]
        split = [any(key[at] == ALL for key in entries.keys) for at in range(len(entries.dimensions))]
        total = [
            all(part == ALL or not has for part, has in zip(key, split, strict=True)) for key in entries.keys
        ]
        return cls(
            value=np.concatenate([entries.value, extra]),
            row=entries.row,
            sums=sums,
            is_total=np.concatenate([total, np.zeros(extra.size, dtype=bool)]),
        )

    def small(self, rule: Rule) -> Flags:
        """Tell which counts a rule hides for themselves, or would if they were printed."""
        return rule.is_small(self.value) & ~self.sums.is_error


def _passes(table: _Table, rule: Rule, small: Flags, width: float) -> list[tuple[System, Protected]]:
    """Choose what to hide from the attacker who knows most, then what else from those who know less.

    The later passes are for counts that nothing keeps from him who knows most: of 11 = 1 + 10 he has been
    told that the 10 is not small, so he knows the 1 whatever is hidden; the others need not.

    Returns
    -------
    For each pass the system as its attacker knows it, and all that is hidden of it then.
    """
    far = 2 * float(table.value.max(initial=0)) + 1000
    lacking = np.ones_like(small)
    hidden, zeros_hidden = np.zeros_like(small), np.zeros_like(small)
    passes: list[tuple[System, Protected]] = []
    for attacker in reversed(ATTACKERS):
        system = _as_known(_system(table, rule, attacker, small, far=far), zeros_hidden)
        wanted = np.where(lacking, _wanted(table, rule, small | system.last, width), 0)
        system = replace(
            system,
            wanted=wanted,
            wanted_shown=np.where(_is_coarse(table, rule, small), wanted, 0),
            first=system.first | hidden,
            never=system.never & ~hidden,
            last=system.last & ~hidden,
        )
        (found,) = hide([system])
        hidden, zeros_hidden = found.hidden, zeros_hidden | found.with_last_resort
        passes.append((_as_known(system, zeros_hidden), found))
        lacking = found.left < 1 - LACKING
        if not lacking.any():
            break
    return passes


def _known_anyway(system: System, found: Protected, *, further: Flags) -> Flags:
    """Find further cells that he who knows most works out exactly, though no small one to within its width.

    To show them tells nobody more than he knows, against whom all small counts are protected.
    """
    needed = np.where(further, 2 * ROUNDING, 0.0)
    (doubtful,) = doubtful_ranges([(system, found.hidden, needed)])
    low, high = left_ranges(system, found.hidden, doubtful)
    known = np.zeros_like(further)
    known[doubtful[high - low <= ROUNDING]] = True
    return known


def _known_before(
    entries: Entries, status: NDArray[np.str_], rule: Rule, told: bool
) -> tuple[Floats, Floats]:
    """Say between which counts each cell lies, by what is printed or, where it is told, by the counts.

    Counts that are all as the rule prints them are taken as printed.
    """
    low, high = entries.value, entries.value
    coded = status == "coded"
    printed = rule.print_counts(entries.value)
    if not told or (printed == entries.value)[coded].all():
        least, most = rule.stands_for(entries.value)
        low, high = np.where(coded, least, low), np.where(coded, most, high)
    unknown = np.isnan(entries.value)
    return np.where(unknown, 0, low), np.where(unknown, np.inf, high)


def _system(table: _Table, rule: Rule, attacker: Attacker, small: Flags, *, far: float = NO_END) -> System:
    size = table.value.size
    shown_low, shown_high = rule.stands_for(table.value)
    is_rest, is_error = table.sums.is_rest, table.sums.is_error
    low = np.zeros(size) if attacker == "non-negative" or not rule.zero_is_shown else np.ones(size)
    high = np.full(size, far)
    zero = (table.value == 0) & rule.zero_is_shown
    low = np.where(is_rest, 0, low)  # a reader cannot see whether there is anybody
    low_last = np.zeros(size)
    if attacker == "symbols":
        low = np.where(small, rule.smallest, rule.least_shown)
        high = np.where(small | zero, rule.largest, far)
        low_last = np.where(small | zero, 0, rule.least_shown)
    low = np.where(zero, 0, low)
    return System(
        value=table.value,
        shown_low=np.where(is_error, table.sums.low, shown_low),
        shown_high=np.where(is_error, table.sums.high, shown_high),
        hidden_low=low,
        hidden_high=high,
        mark=np.arange(size),
        equal=table.sums.equal,
        wanted=np.zeros(size),
        wanted_shown=np.zeros(size),
        asked_by=np.arange(size),
        first=small | is_rest,
        never=(table.is_total | zero | is_error) & ~small,
        last=zero & ~table.is_total & ~small,
        hidden_low_last=low_last,
        loss=np.where(
            small | is_rest, 0.0, np.log1p(np.where(zero, rule.least_shown, np.nan_to_num(table.value)))
        ),
        implied=np.zeros((0, 2), dtype=np.int64),
    )


def _is_coarse(table: _Table, rule: Rule, small: Flags) -> Flags:
    coarse = (table.value > 0) & (table.value < MINIMUM) & ~small & ~table.sums.is_error
    return np.asarray(coarse & (rule.printed != "exact"))


def _wanted(table: _Table, rule: Rule, small: Flags, width: float) -> Floats:
    low, high = rule.stands_for(table.value)
    asked = np.where(small, width, 0.0)
    return np.where(_is_coarse(table, rule, small), np.minimum(width, high - low), asked)


def _as_known(system: System, zeros_hidden: Flags) -> System:
    """Take away that hidden counts are above 0 where zeros are hidden too."""
    return replace(
        system, hidden_low=np.where(zeros_hidden[system.mark], system.hidden_low_last, system.hidden_low)
    )


def _blocks_with_hidden_zeros(system: System, hidden: Flags) -> Flags:
    """Mark the cells that hang together with a zero that is hidden, as only the last resort does."""
    found = np.zeros_like(hidden)
    for _, marks in blocks_of(system.with_last_resort()):
        found[marks] = (hidden & system.last)[marks].any()
    return found
