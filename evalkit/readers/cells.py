"""The cells of somebody's file before anything is made of them, with the line on which each stands."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.errors import DataError

ENDINGS = (".csv", ".parquet", ".xlsx")


def read_cells(path: Path, *, sheet: str | None = None) -> pd.DataFrame:
    """Read a CSV, Parquet or XLSX file without interpreting it.

    Text stays text, so identifiers keep their leading zeros. A CSV gives text only; Parquet and XLSX give the
    types that stand in the file, so that a number where text should be can be told.

    Returns
    -------
    A row per record and a column per header cell. The index, named "line", is the line of the record as a
    person counts (the header is line 1); in Parquet, which has no lines, it is the record's number plus one.

    Raises
    ------
    DataError : the file is absent, empty, of another kind, not UTF-8, ragged, or its header is unusable.
    """
    if not path.is_file():
        raise DataError(f"{path.name}: there is no such file in {path.parent.name or '.'}/; correct its path")
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path.name}: not one of {', '.join(ENDINGS)}; save the table as one of these")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name}: the file is empty; write a header and at least one row")
    if path.suffix.lower() == ".csv":
        return _csv_cells(path)
    return _parquet_cells(path) if path.suffix.lower() == ".parquet" else _xlsx_cells(path, sheet)


def as_text(column: pd.Series) -> pd.Series:
    """Write every cell as text; absent is "", a whole number carries no decimal point."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").str.strip()
    return column.map(_text).astype("str")


def is_number(column: pd.Series) -> pd.Series:
    """Mark the cells that are stored as numbers or dates, not as text."""
    if isinstance(column.dtype, pd.StringDtype):
        return pd.Series(False, index=column.index)
    return column.map(lambda cell: not isinstance(cell, str) and not pd.isna(cell)).astype(bool)


def _csv_cells(path: Path) -> pd.DataFrame:
    records: list[list[str]] = []
    lines: list[int] = []
    problems: list[str] = []
    header: list[str] = []
    above = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            above = reader.line_num
            for record in reader:
                # A quoted cell may run over several lines: the record stands where it begins.
                line, above = above + 1, reader.line_num
                if not any(cell.strip() for cell in record):
                    continue
                if len(record) != len(header):
                    problems.append(
                        f"{path.name}, line {line}: {len(record)} cells under {len(header)} column names;"
                        " quote a cell that holds a comma, and fill up a short row with commas"
                    )
                    continue
                records.append(record)
                lines.append(line)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name}: byte {error.start} is not UTF-8; save the file as CSV UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {above + 1}: not readable as CSV ({error}); check its quotes"
        ) from error
    problems = _header_problems(path, header) + problems
    if problems:
        raise DataError(*problems)
    if not records:
        raise DataError(f"{path.name}: a header and no rows; write at least one row")
    columns = {
        name: pd.array(cells, dtype="str")
        for name, cells in zip(header, zip(*records, strict=True), strict=True)
    }
    return pd.DataFrame(columns, index=pd.Index(lines, name="line"))


def _parquet_cells(path: Path) -> pd.DataFrame:
    from pyarrow.lib import ArrowException

    try:
        frame: pd.DataFrame = pd.read_parquet(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not readable as Parquet; write it again") from error
    return _numbered(path, frame.reset_index(drop=True), first=2)


def _xlsx_cells(path: Path, sheet: str | None) -> pd.DataFrame:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, OSError) as error:
        raise DataError(f"{path.name}: not readable as an Excel workbook; save it again as .xlsx") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise DataError(f"{path.name}: no sheet {sheet!r}; its sheets are {', '.join(book.sheetnames)}")
        if sheet is None and len(book.sheetnames) > 1:
            raise DataError(
                f"{path.name}: {len(book.sheetnames)} sheets; name one of them: {', '.join(book.sheetnames)}"
            )
        rows = [list(row) for row in book[sheet or book.sheetnames[0]].iter_rows(values_only=True)]
    finally:
        book.close()
    if not rows or not any(cell is not None for cell in rows[0]):
        raise DataError(f"{path.name}: the first row holds no column names; put the header in row 1")
    width = max(index for index, cell in enumerate(rows[0]) if cell is not None) + 1
    problems = [
        f"{path.name}, line {number}: a cell right of the last column name; name its column or empty it"
        for number, row in enumerate(rows[1:], start=2)
        if any(cell is not None for cell in row[width:])
    ]
    if problems:
        raise DataError(*problems)
    frame = pd.DataFrame(
        {index: pd.Series([row[index] for row in rows[1:]], dtype=object) for index in range(width)}
    )
    frame.columns = [str(cell or "").strip() for cell in rows[0][:width]]
    return _numbered(path, frame, first=2)


def _numbered(path: Path, frame: pd.DataFrame, *, first: int) -> pd.DataFrame:
    problems = _header_problems(path, [str(name) for name in frame.columns])
    if problems:
        raise DataError(*problems)
    numbered = frame.set_axis([str(name) for name in frame.columns], axis=1)
    numbered.index = pd.RangeIndex(first, first + len(numbered), name="line")
    filled = numbered.loc[numbered.notna().any(axis=1)] if len(numbered) else numbered
    if filled.empty:
        raise DataError(f"{path.name}: a header and no rows; write at least one row")
    return filled


def _header_problems(path: Path, header: list[str]) -> list[str]:
    if not any(header):
        return [f"{path.name}: the first row holds no column names; put the header in row 1"]
    problems = [
        f"{path.name}, line 1: column {position} has no name; name it or remove it"
        for position, name in enumerate(header, start=1)
        if not name
    ]
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    return problems + [
        f"{path.name}, line 1: two columns are named {name!r}; rename or remove one" for name in repeated
    ]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or pd.isna(cell):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
