"""Somebody's CSV, Parquet or Excel table, long or wide, as an indicator table: wholly or not at all."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.checks import COLUMNS, KEY, MOST_PROBLEMS, NUMBERS, repeated_keys
from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP, DataDictionary
from evalkit.documents import suggestion
from evalkit.errors import DataError, raise_together
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.readers.cells import as_text, is_number, read_cells
from evalkit.sources import ColumnMapping

NEEDED = ("indicator", "site_id", "population", "period")
IDENTIFIERS = ("site_id", "unit_id")
IN_PERCENT = ("value", "std_error", "lower", "upper")
MEASURED = ("numerator", "value", "lower", "upper")
DEFAULTS = {"unit_id": ALL_UNITS, "dimension": TOTAL_DIMENSION, "subgroup": TOTAL_SUBGROUP}
WIDE_CELL = "value"
THEIR_COLUMN = "their column"  # kept beside a melted cell, for messages
NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
DATE = re.compile(r"^\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class _Problem:
    """What is wrong at a position of the long table."""

    position: int
    text: str


def read_indicators(
    path: Path,
    *,
    dictionary: DataDictionary,
    mapping: ColumnMapping | None = None,
    sheet: str | None = None,
    source: str | None = None,
) -> IndicatorTable:
    """Read a CSV, Parquet or XLSX file.

    A long table has a row for each key. A wide one has a column for each period or each subgroup; its cells
    are rates or means and become `value`. Everything is read as text first, so identifiers keep their zeros.
    Where a row says nothing in `status`, a cell marked as suppressed makes it suppressed, bounds without a
    number make it censored, and nothing at all makes it missing.

    Parameters
    ----------
    mapping : how their columns and words become ours; columns it does not name are left out. Without one
    every
        column must bear one of our names.
    sheet : of a workbook that has several
    source : for the column `source` where the file has none; by default the name of the file

    Raises
    ------
    DataError : every problem of the file, each one sentence with file, line (the header is line 1) and the
        mend. Nothing is read by half.
    """
    declared = mapping or ColumnMapping()
    cells = read_cells(path, sheet=sheet)
    raise_together(
        DataError, (f"{path.name}, line 1: {text}" for text in _header_problems(cells, declared, mapping))
    )
    ours = _long(cells, declared)
    frame, problems = _typed(ours, declared, dictionary)
    if "source" not in frame.columns:
        frame["source"] = source or path.name
    lines = ours.index.to_numpy()
    if problems:
        raise DataError(*_every_problem(frame, problems, lines, dictionary, path.name))
    try:
        return IndicatorTable.from_frame(frame, dictionary=dictionary, origin=path.name, lines=lines.tolist())
    except DataError as error:
        raise DataError(*_in_order([*error.problems, *_repeated(frame, lines, path.name)])) from error


def _header_problems(
    cells: pd.DataFrame, declared: ColumnMapping, mapping: ColumnMapping | None
) -> Iterator[str]:
    theirs = [str(name) for name in cells.columns]
    wide = {**declared.wide.periods, **declared.wide.subgroups} if declared.wide else {}
    for name in [*declared.columns, *wide]:
        if name not in theirs:
            yield f"no column {name!r}, which the mapping names; {suggestion(name, theirs) or 'correct it'}"
    words = declared.values  # noqa: PD011 - a field of the mapping, not of a frame
    for name in [*declared.columns.values(), *declared.constants, *words]:
        if name not in COLUMNS:
            mend = suggestion(name, COLUMNS) or "remove it"
            yield f"the mapping names {name!r}, which is no column of ours; {mend}"
    if mapping is None:
        for name in theirs:
            if name not in COLUMNS:
                yield f"unknown column {name!r}; {suggestion(name, COLUMNS) or 'map it or remove it'}"
    melted = _melted(declared)
    targets = [declared.columns.get(name, name) for name in theirs if name not in wide]
    filled = [name for name in targets if name in COLUMNS] + list(declared.constants) + melted
    for name in sorted({name for name in filled if filled.count(name) > 1}):
        yield f"{name!r} is filled twice, by two columns or by a column and the mapping; keep one of them"
    for name in NEEDED:
        if name not in filled:
            near = get_close_matches(name, [other for other in theirs if other not in COLUMNS], n=1)
            mend = f"did you mean {near[0]!r}?" if near else "add it, or map a column or a constant to it"
            yield f"column {name!r} is missing; {mend}"
    if declared.wide and declared.wide.subgroups and "dimension" not in filled:
        yield "subgroups as columns need their dimension; give it under `constants`"


def _melted(declared: ColumnMapping) -> list[str]:
    if declared.wide is None:
        return []
    return ["period" if declared.wide.periods else "subgroup", WIDE_CELL]


def _long(cells: pd.DataFrame, declared: ColumnMapping) -> pd.DataFrame:
    """Name the columns as ours and give each cell of a wide table its row; the index stays the line."""
    renamed = cells.rename(columns=declared.columns)
    wide = declared.wide
    if wide is None:
        ours = renamed[[name for name in renamed.columns if name in COLUMNS]].copy()
    else:
        across = wide.periods or wide.subgroups
        kept = [name for name in renamed.columns if name in COLUMNS and name not in across]
        parts = [
            renamed[kept].assign(
                **{_melted(declared)[0]: ours_name, WIDE_CELL: renamed[theirs], THEIR_COLUMN: theirs}
            )
            for theirs, ours_name in across.items()
        ]
        ours = pd.concat(parts).sort_index(kind="stable")
    return ours.assign(**declared.constants)


def _typed(
    ours: pd.DataFrame, declared: ColumnMapping, dictionary: DataDictionary
) -> tuple[pd.DataFrame, list[_Problem]]:
    """Turn text into numbers and marks into a status; a cell that cannot be turned is a problem."""
    problems: list[_Problem] = []
    words = declared.values  # noqa: PD011 - a field of the mapping, not of a frame
    frame = pd.DataFrame(index=pd.RangeIndex(len(ours)))
    for name in (*KEY, "status", "source"):
        if name in ours.columns:
            problems.extend(_not_text(ours[name], name))
            text = as_text(ours[name]).replace(words.get(name, {}))
            frame[name] = text.to_numpy()
    suppressed = np.zeros(len(ours), dtype=bool)
    for name in NUMBERS:
        if name in ours.columns:
            where = ours[THEIR_COLUMN] if name == WIDE_CELL and THEIR_COLUMN in ours.columns else None
            frame[name], marked, more = _numbers(ours[name], name, where, declared)
            suppressed |= marked
            problems.extend(more)
        else:
            frame[name] = np.nan
    frame["status"] = _status(frame, suppressed)
    hidden = suppressed & frame["status"].eq("suppressed").to_numpy()
    frame.loc[hidden, [name for name in NUMBERS if name != "denominator"]] = np.nan
    problems.extend(
        _Problem(
            int(position),
            f"marked as suppressed but `status` is {frame['status'].iloc[position]}; correct one",
        )
        for position in np.flatnonzero(suppressed & ~hidden)
    )
    if declared.percent:
        rates = {name for name, indicator in dictionary.indicators.items() if indicator.kind == "rate"}
        is_rate = frame["indicator"].isin(rates)
        frame.loc[is_rate, list(IN_PERCENT)] = frame.loc[is_rate, list(IN_PERCENT)] / 100
    return frame, problems


def _not_text(column: pd.Series, name: str) -> Iterator[_Problem]:
    """Find identifiers that are stored as numbers, and periods that a spreadsheet has made dates."""
    if name in IDENTIFIERS:
        for position in np.flatnonzero(is_number(column).to_numpy()):
            cell = as_text(column.iloc[[position]]).iloc[0]
            yield _Problem(
                int(position), f"{name} is the number {cell}; format its column as text to keep zeros"
            )
    if name == "period":
        text = as_text(column)
        for position in np.flatnonzero(text.str.match(DATE).to_numpy(dtype=bool)):
            yield _Problem(
                int(position),
                f"period is the date {text.iloc[position][:10]}; write 2019, 2019-Q3 or 2019-07 as text",
            )


def _numbers(
    column: pd.Series, name: str, where: pd.Series | None, declared: ColumnMapping
) -> tuple[np.ndarray, np.ndarray, list[_Problem]]:
    """Return numbers (NaN where there is none), which cells are marked as suppressed, and what is wrong."""
    nothing = np.zeros(len(column), dtype=bool)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype="float64", na_value=np.nan), nothing, []
    text = as_text(column)
    suppressed = text.isin(declared.suppressed).to_numpy()
    absent = text.isin([*declared.missing, ""]).to_numpy()
    plain = text.str.removesuffix("%").str.strip() if declared.percent and name in IN_PERCENT else text
    readable = plain.str.match(NUMBER).to_numpy(dtype=bool)
    values = np.full(len(column), np.nan)
    is_number_text = readable & ~absent & ~suppressed
    values[is_number_text] = plain.to_numpy()[is_number_text].astype("float64")
    problems = []
    for position in np.flatnonzero(~readable & ~suppressed & ~absent):
        label = name if where is None else f"{name} in column {where.iloc[position]!r}"
        cell = text.iloc[position]
        problems.append(_Problem(int(position), f"{label} is the text {cell!r}; {_number_mend(cell, name)}"))
    return values, suppressed, problems


def _number_mend(cell: str, name: str) -> str:
    if cell.endswith("%"):
        return "remove the % sign and set `percent: true` in the mapping"
    if NUMBER.match(cell.replace(",", "").replace(" ", "")):
        return "write the number without separators"
    if re.match(r"^[<>≤≥]", cell):
        return "list it under `suppressed` in the mapping, or give `lower` and `upper`"
    kind = "a whole number" if name in {"numerator", "denominator"} else "a number"
    return f"write {kind}, or list it under `missing` in the mapping"


def _status(frame: pd.DataFrame, suppressed: np.ndarray) -> pd.Series:
    has = {name: frame[name].notna() for name in MEASURED}
    exact = has["numerator"] | has["value"]
    derived = np.select(
        [suppressed, exact, has["lower"] | has["upper"]], ["suppressed", "reported", "censored"], "missing"
    )
    if "status" not in frame.columns:
        return pd.Series(derived, index=frame.index, dtype="str")
    return frame["status"].where(frame["status"].ne(""), derived)


def _every_problem(
    frame: pd.DataFrame, problems: list[_Problem], lines: np.ndarray, dictionary: DataDictionary, origin: str
) -> list[str]:
    """Add to the problems of single cells those of the rows that can be read, and the repeated keys."""
    sentences = [f"{origin}, line {lines[item.position]}: {item.text}" for item in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        sentences.append(f"{origin}: and {len(problems) - MOST_PROBLEMS:,} more cells that cannot be read")
    sound = np.ones(len(frame), dtype=bool)
    sound[[item.position for item in problems]] = False
    try:
        IndicatorTable.from_frame(
            frame.loc[sound], dictionary=dictionary, origin=origin, lines=lines[sound].tolist()
        )
    except DataError as error:
        sentences.extend(error.problems)
    return _in_order([*sentences, *_repeated(frame, lines, origin)])


def _repeated(frame: pd.DataFrame, lines: np.ndarray, origin: str) -> Iterator[str]:
    filled = frame.assign(**{name: value for name, value in DEFAULTS.items() if name not in frame.columns})
    later = np.flatnonzero(filled.duplicated(list(KEY), keep="first").to_numpy())
    return repeated_keys(filled, later, lines, origin, "line")


def _in_order(sentences: Iterable[str]) -> list[str]:
    """Sort by the line that each sentence names; those that name none come last."""

    def line(sentence: str) -> float:
        found = re.search(r", line (\d+): ", sentence)
        return int(found[1]) if found else np.inf

    return sorted(dict.fromkeys(sentences), key=line)
