"""Any table of counts: protect it, attack it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from evalkit.disclosure.protected import hide
from evalkit.disclosure.ranges import ROUNDING, any_table, left_ranges
from evalkit.disclosure.rules import Rule, find_rule
from evalkit.disclosure.system import Flags, Floats, Ints, System, blocks_of
from evalkit.errors import DataError, ParameterError
from evalkit.wording import listed

ALL = "All"
WIDTH = 5.0  # persons between the ends of the range that must be left of every hidden count
MINIMUM = 10  # persons; a count below this that is shown coarsely must stay as coarse as it is printed
NO_END = 1e6  # persons; stands for an upper end that nothing shown gives

Attacker = Literal["non-negative", "rule", "symbols"]
ATTACKERS: tuple[Attacker, ...] = ("non-negative", "rule", "symbols")
Groups = Mapping[str, Mapping[str, Sequence[str]]]


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
        them, e.g. {"grade": {"elementary": ["1", "2"]}}

    Returns
    -------
    The cells in their order, with `status` "shown", "coded" (`count` as it is printed, rounded) or "hidden"
    (`count` is NaN). One status stands for cells hidden for themselves and to protect others. The grand total
    is hidden only where it is small itself. Zeros are shown; only in a block of cells where the ranges cannot
    be wide enough beside them are some hidden like small counts, so that there a hidden count may be 0. Every
    small count passes `attack`: its range is at least `width`, or what would be left of it if everything but
    the grand total were hidden.

    Raises
    ------
    DataError : a count is missing or negative, a column is absent, or two rows of one cell differ.
    ParameterError : the rule is unknown.
    """
    return protect_with_proof(
        cells,
        dimensions=dimensions,
        count=count,
        rule=rule,
        width=width,
        groups=groups,
    )[0]


@dataclass(frozen=True)
class Proof:
    """What an attack on a protected table found.

    Attributes
    ----------
    rule : id of the rule set
    small, further : cells hidden for themselves, and to protect these
    narrowest : width of the narrowest range left of a small cell, in persons; NaN where none is hidden
    exact : blocks in which no other choice loses less; the others were chosen by the heuristic
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
    chosen_rule = find_rule(rule)
    table = _Table.of(cells, dimensions, count, groups or {})
    if np.isnan(table.value).any() or (table.value < 0).any():
        raise DataError(f"{count}: every cell needs a count of 0 or more to be protected")
    small = chosen_rule.is_small(table.value)
    system = _system(table, chosen_rule, "symbols", small, far=2 * float(table.value.max(initial=0)) + 1000)
    wanted = _wanted(table, chosen_rule, small | system.last, width)
    system = replace(
        system,
        wanted=wanted,
        wanted_shown=np.where(_is_coarse(table, chosen_rule, small), wanted, 0),
    )
    (found,) = hide([system])
    low, high = left_ranges(
        _as_known(system, found.with_last_resort), found.hidden, np.arange(system.value.size)
    )
    # to show what follows from the rest anyway tells nobody anything new
    hidden = found.hidden & (small | (high - low > ROUNDING))
    is_hidden = hidden[table.row]
    printed = chosen_rule.print_counts(table.value)
    status = np.where(is_hidden, "hidden", "shown" if chosen_rule.printed == "exact" else "coded")
    shown = cells.copy()
    shown[count] = np.where(is_hidden, np.nan, printed[table.row])
    shown["status"] = status
    proof = Proof(
        rule=chosen_rule.rule_id,
        small=int(small.sum()),
        further=int((hidden & ~small).sum()),
        narrowest=float((high - low)[small].min()) if small.any() else np.nan,
        exact=found.exact,
        blocks=found.exact + found.heuristic,
    )
    return shown, proof


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
    cells : as `protect` returns them, with `status`
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
    DataError : no table fits what is shown, a column is absent, or two rows of one cell differ.
    ParameterError : the rule or the attacker is unknown.
    """
    if attacker not in ATTACKERS:
        raise ParameterError(
            f"unknown attacker {attacker!r}; use {listed([repr(name) for name in ATTACKERS], 'or')}"
        )
    chosen_rule = find_rule(rule)
    if "status" not in cells:
        raise DataError("status: absent column; give the cells as `protect` returns them")
    table = _Table.of(cells, dimensions, count, groups or {})
    hidden = np.zeros(table.value.size, dtype=bool)
    np.logical_or.at(hidden, table.row, cells["status"].eq("hidden").to_numpy())
    shown = chosen_rule.print_counts(table.value)
    told = bool(hidden.any()) and not np.isnan(table.value[hidden]).any()
    small = chosen_rule.is_small(table.value) & hidden
    knows = attacker if told or attacker == "non-negative" else "rule"
    system = _system(replace(table, value=np.where(hidden, table.value, shown)), chosen_rule, knows, small)
    zeros_hidden = _blocks_with_hidden_zeros(system, hidden) if told else np.ones_like(hidden)
    system = _as_known(system, zeros_hidden)
    exact_truth = told and chosen_rule.printed == "exact"
    if not exact_truth:
        low = np.where(hidden, system.hidden_low, system.shown_low)
        high = np.where(hidden, system.hidden_high, system.shown_high)
        system = replace(system, value=any_table(system, low, high))
    low, high = left_ranges(system, hidden, np.arange(table.value.size))
    asked = cells["status"].ne("shown").to_numpy()
    place = table.row[asked]
    return cells.loc[asked, [*dimensions, "status"]].assign(
        low=np.round(low[place], 6),
        high=np.where(high[place] >= NO_END / 2, np.inf, np.round(high[place], 6)),
    )


@dataclass(frozen=True)
class _Table:
    """Distinct cells with their counts and sums; `row` gives the cell of each row."""

    keys: tuple[tuple[str, ...], ...]
    value: Floats
    row: Ints
    exact: Floats
    short: Floats
    is_total: Flags

    @classmethod
    def of(cls, cells: pd.DataFrame, dimensions: Sequence[str], count: str, groups: Groups) -> "_Table":
        absent = [name for name in (*dimensions, count) if name not in cells]
        if absent or not dimensions:
            raise DataError(f"{listed(absent, 'and') or 'dimensions'}: absent column of the cells")
        rows = [tuple(map(str, key)) for key in cells[list(dimensions)].itertuples(index=False, name=None)]
        counts = cells[count].to_numpy(dtype=float, na_value=np.nan)
        place: dict[tuple[str, ...], int] = {}
        for key in rows:
            place.setdefault(key, len(place))
        row = np.array([place[key] for key in rows], dtype=np.int64)
        value = np.full(len(place), np.nan)
        value[row[::-1]] = counts[::-1]
        differs = ~((counts == value[row]) | (np.isnan(counts) & np.isnan(value[row])))
        if differs.any():
            raise DataError(
                f"{', '.join(rows[int(np.argmax(differs))])}: two rows of one cell differ in {count}"
            )
        keys = tuple(place)
        links = _links(keys, dimensions, groups)
        exact, short = [], []
        for total, parts in links:
            line = np.zeros(len(keys))
            line[total], line[parts] = -1, 1
            gap = float(np.nansum(value[parts]) - value[total])
            unknown = np.isnan(value[[total, *parts]]).any()
            if unknown or abs(gap) < ROUNDING or cells.get("status", pd.Series()).eq("coded").any():
                exact.append(line)
            elif gap < 0:
                short.append(line)
        split = [any(key[at] == ALL for key in keys) for at in range(len(dimensions))]
        is_total = np.array(
            [all(part == ALL or not has for part, has in zip(key, split, strict=True)) for key in keys]
        )
        shape = (-1, len(keys))
        return cls(
            keys,
            value,
            row,
            np.array(exact, dtype=float).reshape(shape),
            np.array(short, dtype=float).reshape(shape),
            is_total,
        )


def _links(
    keys: Sequence[tuple[str, ...]], dimensions: Sequence[str], groups: Groups
) -> list[tuple[int, list[int]]]:
    """Find every way in which cells add up, as a total and its parts."""
    place = {key: at for at, key in enumerate(keys)}
    overlapping = [set(groups.get(name, {})) for name in dimensions]
    by_split: dict[tuple[int, ...], list[tuple[str, ...]]] = {}
    for key in keys:
        by_split.setdefault(tuple(at for at, part in enumerate(key) if part != ALL), []).append(key)
    links = []
    for split, members in by_split.items():
        for kept in (some for size in range(len(split)) for some in combinations(split, size)):
            between = any(set(kept) < set(other) < set(split) for other in by_split)
            if kept not in by_split or between:
                continue
            sums: dict[tuple[str, ...], list[int]] = {}
            for key in members:
                if any(key[at] in overlapping[at] for at in split if at not in kept):
                    continue
                total = tuple(part if at in kept else ALL for at, part in enumerate(key))
                sums.setdefault(total, []).append(place[key])
            links += [(place[total], parts) for total, parts in sums.items() if total in place]
    for at, name in enumerate(dimensions):
        for group, inside in groups.get(name, {}).items():
            for key in (key for key in keys if key[at] == group):
                parts = [place.get((*key[:at], str(member), *key[at + 1 :]), -1) for member in inside]
                if min(parts) >= 0:
                    links.append((place[key], parts))
    return links


def _system(table: _Table, rule: Rule, attacker: Attacker, small: Flags, *, far: float = NO_END) -> System:
    size = table.value.size
    shown_low, shown_high = rule.stands_for(table.value)
    low = np.zeros(size) if attacker == "non-negative" or not rule.zero_is_shown else np.ones(size)
    high = np.full(size, far)
    zero = (table.value == 0) & rule.zero_is_shown
    low_last = np.zeros(size)
    if attacker == "symbols":
        low = np.where(small, rule.smallest, rule.least_shown)
        high = np.where(small | zero, rule.largest, far)
        low_last = np.where(small | zero, 0, rule.least_shown)
    low = np.where(zero, 0, low)
    return System(
        value=table.value,
        shown_low=shown_low,
        shown_high=shown_high,
        hidden_low=low,
        hidden_high=high,
        mark=np.arange(size),
        equal=table.exact,
        below=table.short,
        slack=np.maximum(-(table.short @ table.value), 0.0),
        wanted=np.zeros(size),
        wanted_shown=np.zeros(size),
        asked_by=np.arange(size),
        first=small,
        never=(table.is_total | zero) & ~small,
        last=zero & ~table.is_total & ~small,
        hidden_low_last=low_last,
        loss=np.where(small, 0.0, np.log1p(np.where(zero, rule.least_shown, np.nan_to_num(table.value)))),
        implied=np.zeros((0, 2), dtype=np.int64),
    )


def _is_coarse(table: _Table, rule: Rule, small: Flags) -> Flags:
    coarse = (table.value > 0) & (table.value < MINIMUM) & ~small
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
