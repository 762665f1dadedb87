"""A table of counts as somebody gives it: read, and turned back at the door where it is not one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd

from evalkit.disclosure.system import Floats, Ints
from evalkit.documents import suggestion
from evalkit.errors import DataError, ParameterError
from evalkit.wording import listed

ALL = "All"
MARGIN_WORDS = frozenset({"all", "overall", "sum", "total", "totals"})  # what others write for "All"
STATUSES = ("shown", "coded", "hidden")
SMALLEST_WIDTH = 1  # persons; a narrower range holds one whole number, which is the count

Key = tuple[str, ...]
Groups = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Entries:
    """Distinct cells with their counts (NaN: not given); `row` gives the cell of each row."""

    keys: tuple[Key, ...]
    value: Floats
    row: Ints
    dimensions: tuple[str, ...]
    groups: Groups


def read_entries(
    cells: pd.DataFrame, *, dimensions: Sequence[str], count: str, groups: Groups | None
) -> Entries:
    """Read the cells of a table.

    Raises
    ------
    DataError : there are no cells, a column is absent, a label is empty, a count is no whole number of 0 or
        more, two rows of one cell differ, or a total stands under another name than "All".
    ParameterError : `dimensions` or `groups` name what the cells do not have.
    """
    _check_dimensions(dimensions, count)
    absent = [name for name in (*dimensions, count) if name not in cells]
    if absent:
        raise DataError(f"{listed(absent, 'and')}: absent column of the cells")
    if cells.empty:
        raise DataError(f"{count}: there are no cells; give a row for each cell")
    keys = _labels(cells, dimensions)
    counts = _counts(cells[count], keys)
    place: dict[Key, int] = {}
    for key in keys:
        place.setdefault(key, len(place))
    row = np.array([place[key] for key in keys], dtype=np.int64)
    value = np.full(len(place), np.nan)
    value[row[::-1]] = counts[::-1]
    differs = ~((counts == value[row]) | (np.isnan(counts) & np.isnan(value[row])))
    if differs.any():
        raise DataError(f"{name_of(keys[int(np.argmax(differs))])}: two rows of one cell differ in {count}")
    entries = Entries(tuple(place), value, row, tuple(dimensions), _groups(groups, dimensions, tuple(place)))
    _check_margins(entries)
    return entries


def read_statuses(cells: pd.DataFrame, entries: Entries, count: str) -> list[str]:
    """Return the status of each cell.

    Raises
    ------
    DataError : it is absent, is none that `protect` gives, differs between two rows of one cell, or says that
        a count is shown which is not there.
    """
    if "status" not in cells:
        raise DataError("status: absent column; give the cells as `protect` returns them")
    statuses = [""] * len(entries.keys)
    for at, status in zip(entries.row, cells["status"], strict=True):
        name = name_of(entries.keys[at])
        if status not in STATUSES:
            choices = listed([repr(known) for known in STATUSES], "or")
            raise DataError(f"{name}: status is {status!r}; it must be {choices}")
        if statuses[at] not in ("", status):
            raise DataError(f"{name}: two rows of one cell differ in status")
        if status != "hidden" and np.isnan(entries.value[at]):
            raise DataError(
                f"{name}: status is {status!r} and {count} is empty; give the count as it is shown"
            )
        statuses[at] = status
    return statuses


def check_width(width: float) -> None:
    """Turn back a width that would ask for nothing.

    Raises
    ------
    ParameterError : it is no finite number of 1 person or more.
    """
    is_number = isinstance(width, Real) and not isinstance(width, bool)
    if not (is_number and math.isfinite(width) and width >= SMALLEST_WIDTH):
        raise ParameterError(f"width is {width!r}; it must be a number of {SMALLEST_WIDTH} person or more")


def name_of(key: Iterable[str]) -> str:
    """Name a cell in an error."""
    return ", ".join(key)


def _check_dimensions(dimensions: Sequence[str], count: str) -> None:
    if isinstance(dimensions, str) or not len(dimensions):
        raise ParameterError(f"dimensions is {dimensions!r}; it must be a list of columns, e.g. ['grade']")
    twice = [name for at, name in enumerate(dimensions) if name in (*dimensions[:at], count)]
    if twice:
        raise ParameterError(
            f"dimensions: {twice[0]} is given twice; a column is one dimension, or the count"
        )


def _labels(cells: pd.DataFrame, dimensions: Sequence[str]) -> list[Key]:
    for name in dimensions:
        empty = cells[name].isna().to_numpy()
        if empty.any():
            raise DataError(
                f"row {int(np.argmax(empty)) + 1}: {name} is empty; "
                f"name the group, or write {ALL!r} for a margin"
            )
    return [tuple(map(str, key)) for key in cells[list(dimensions)].itertuples(index=False, name=None)]


def _counts(column: "pd.Series[float]", keys: Sequence[Key]) -> Floats:
    counts = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    is_count = (counts >= 0) & np.isfinite(counts) & (counts == np.round(counts))
    wrong = ~is_count & column.notna().to_numpy()
    if wrong.any():
        at = int(np.argmax(wrong))
        given = column.iloc[at]
        shown = repr(given) if isinstance(given, str) else f"{given}"
        raise DataError(
            f"{name_of(keys[at])}: {column.name} is {shown}; "
            f"every cell needs a count of 0 or more, in whole persons"
        )
    return np.asarray(counts, dtype=np.float64)


def _groups(groups: Groups | None, dimensions: Sequence[str], keys: Sequence[Key]) -> Groups:
    """Take every name as the text that it is in the cells, and turn back what is not there."""
    if groups is None:
        return {}
    example = "e.g. {'grade': {'elementary': ['1', '2']}}"
    if not isinstance(groups, Mapping):
        raise ParameterError(
            f"groups is {groups!r}; it must give dimension, group and its members, {example}"
        )
    known: dict[str, dict[str, list[str]]] = {}
    for name, inside in groups.items():
        if name not in dimensions:
            hint = suggestion(str(name), dimensions) or f"use {listed(list(dimensions), 'or')}"
            raise ParameterError(f"groups: there is no dimension {name!r}; {hint}")
        if not isinstance(inside, Mapping) or any(isinstance(some, str) for some in inside.values()):
            raise ParameterError(f"groups, {name}: it must give each group a list of members, {example}")
        known[name] = {str(group): [str(member) for member in some] for group, some in inside.items()}
        labels = {key[dimensions.index(name)] for key in keys}
        for label in (label for group, some in known[name].items() for label in (group, *some)):
            if label not in labels:
                hint = suggestion(label, labels) or "give the names as they are in the cells"
                raise ParameterError(f"groups, {name}: no cell has {label!r}; {hint}")
    return known


def _check_margins(entries: Entries) -> None:
    """Turn back a total under another name: taken for a part, it would protect nothing."""
    for at, name in enumerate(entries.dimensions):
        parts = {key[at] for key in entries.keys} - {ALL, *entries.groups.get(name, {})}
        for label in sorted(part for part in parts if part.strip().casefold() in MARGIN_WORDS):
            totals, others = {}, dict[Key, float]()
            for key, count in zip(entries.keys, entries.value, strict=True):
                beside = (*key[:at], *key[at + 1 :])
                if key[at] == label:
                    totals[beside] = count
                elif key[at] in parts:
                    others[beside] = others.get(beside, 0.0) + np.nan_to_num(count)
            if any(total >= others.get(beside, np.inf) > 0 for beside, total in totals.items()):
                raise DataError(
                    f"{name}: {label!r} is a total of the others; "
                    f"write {ALL!r}, or give its members in `groups`"
                )
