"""EDFacts four-year adjusted cohort graduation rates: the files as published, blurred rates as bounds.

The publisher blurs rates by the size of the cohort. A printed band is carried as the numbers of graduates
that can stand behind it, never as its midpoint.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.dictionary import DataDictionary
from evalkit.errors import DataError, raise_together
from evalkit.indicators import IndicatorTable
from evalkit.readers.bands import ABSENT, NO_BAND, SUPPRESSED, Floats, graduates_behind, printed_band
from evalkit.readers.cells import read_cells

INDICATOR = "graduation_rate"
POPULATION = "target_school"

# code of a group in the files -> (dimension, subgroup)
GROUPS = {
    "ALL": ("all", "All"),
    "MAM": ("race_ethnicity", "Native American"),
    "MAS": ("race_ethnicity", "Asian"),
    "MBL": ("race_ethnicity", "Black"),
    "MHI": ("race_ethnicity", "Latinx"),
    "MTR": ("race_ethnicity", "Two or more"),
    "MWH": ("race_ethnicity", "White"),
    "CWD": ("disability", "with a disability"),
    "ECD": ("income", "low income"),
    "LEP": ("english_learner", "English learner"),
}
NAMES = ("STNAM", "FIPST", "LEAID", "LEANM", "NCESSCH", "SCHNAM")
COLUMN = re.compile(r"^([A-Z]{3})_(COHORT|RATE)_(\d{2})(\d{2})$")


@dataclass(frozen=True)
class _File:
    """One year's file: its cells, and where the cohort and the rate of each group stand."""

    path: Path
    year: int
    cells: pd.DataFrame
    groups: dict[str, tuple[str, str]]


def read_edfacts_acgr(
    folder_or_files: Path | Sequence[Path],
    *,
    dictionary: DataDictionary,
    states: Sequence[str] | None = None,
    leas: Sequence[str] | None = None,
    source: str = "edfacts_acgr",
) -> IndicatorTable:
    """Read the school files of the adjusted cohort graduation rate, any number of years.

    `site_id` is the district (LEAID), `unit_id` the school (NCESSCH), `period` the year in which the school
    year ends. Percents are rounded half up, so a band lo-hi with a cohort of n means the graduates k with lo
    <= floor(100 k/n + 1/2) <= hi; GT and LT leave the edge itself out. `lower` and `upper` are the smallest
    and the largest such k over n, status "censored"; where only one k is left, it is the numerator and the
    status is "reported". A rate without a cohort keeps the rounding of its percents (82 is 0.815 to 0.825)
    and has no denominator: it cannot be weighted. PS is "suppressed"; a blank or "." is no such cohort, no
    row.

    Parameters
    ----------
    folder_or_files : a folder with acgr-sch-sy*.csv, or the files
    states : keep these, by name as in the files or by two-digit code ("06")
    leas : keep these districts (LEAID, seven digits, as text)
    source : the id of the source, for the column `source`

    Raises
    ------
    DataError : every problem of every file, with file, line and column; nothing is read by half.
    """
    files, problems = _read_files(_paths(folder_or_files))
    frames: list[pd.DataFrame] = []
    for file in files:
        kept = _kept(file.cells, states, leas)
        problems.extend(_id_problems(file, kept))
        frames.extend(_group_frame(file, kept, group, source, problems) for group in file.groups)
    raise_together(DataError, problems)
    frame = pd.concat(frames, ignore_index=True)
    if frame.empty:
        asked = ", ".join([*(states or ()), *(leas or ())])
        raise DataError(
            f"{', '.join(file.path.name for file in files)}: no school of {asked}; correct the selection"
        )
    return IndicatorTable.from_frame(frame, dictionary=dictionary, origin="EDFacts")


def edfacts_directory(folder_or_files: Path | Sequence[Path]) -> pd.DataFrame:
    """List districts and schools with their latest names, for names change from year to year.

    Returns
    -------
    A row per id: `id`, `kind` ("district" or "school"), `name` (in the latest file that has it), `lea_id`,
    `state`, `first_period`, `last_period`, sorted by id.

    Raises
    ------
    DataError : a file cannot be read.
    """
    files, problems = _read_files(_paths(folder_or_files))
    raise_together(DataError, problems)
    listed = []
    for file in files:
        for kind, key, name in (("district", "LEAID", "LEANM"), ("school", "NCESSCH", "SCHNAM")):
            entries = file.cells[[key, name, "LEAID", "STNAM"]].drop_duplicates(key).to_numpy()
            listed.append(
                pd.DataFrame(entries, columns=["id", "name", "lea_id", "state"]).assign(
                    kind=kind, year=file.year
                )
            )
    entries = pd.concat(listed, ignore_index=True).sort_values(["id", "year"], kind="stable")
    years = entries.groupby("id")["year"].agg(["min", "max"])
    latest = entries.drop_duplicates("id", keep="last").set_index("id")
    directory = latest.assign(first_period=years["min"].astype(str), last_period=years["max"].astype(str))
    columns = ["id", "kind", "name", "lea_id", "state", "first_period", "last_period"]
    return directory.reset_index()[columns]


def _paths(folder_or_files: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(folder_or_files, Path):
        return sorted(folder_or_files)
    if not folder_or_files.is_dir():
        raise DataError(
            f"{folder_or_files.name}: there is no such folder; give the one with acgr-sch-sy*.csv"
        )
    paths = sorted(folder_or_files.glob("acgr-sch-sy*.csv"))
    if not paths:
        raise DataError(
            f"{folder_or_files.name}/: no file acgr-sch-sy*.csv; put the EDFacts school files there"
        )
    return paths


def _read_files(paths: Sequence[Path]) -> tuple[list[_File], list[str]]:
    files: list[_File] = []
    problems: list[str] = []
    for path in paths:
        try:
            files.append(_read_file(path))
        except DataError as error:
            problems.extend(error.problems)
    years: dict[int, str] = {}
    for file in files:
        if file.year in years:
            problems.append(f"{file.path.name}: the same year as {years[file.year]}; keep one of the two")
        years.setdefault(file.year, file.path.name)
    return files, problems


def _read_file(path: Path) -> _File:
    cells = read_cells(path)
    missing = [name for name in NAMES if name not in cells.columns]
    found = {match.groups(): name for name in cells.columns if (match := COLUMN.match(name))}
    problems = [
        f"{path.name}, line 1: column {name} is missing; take the file as published" for name in missing
    ]
    seasons = {(first, last) for _, _, first, last in found}
    if len(seasons) != 1:
        which = ", ".join(sorted(f"{first}{last}" for first, last in seasons)) or "none"
        problems.append(
            f"{path.name}, line 1: expected columns such as ALL_COHORT_1112 and ALL_RATE_1112 of one year,"
            f" found {which}; take the file as published"
        )
        raise DataError(*problems)
    first, last = seasons.pop()
    groups: dict[str, tuple[str, str]] = {}
    for group in dict.fromkeys(key[0] for key in found):
        pair = [found.get((group, part, first, last), "") for part in ("COHORT", "RATE")]
        if group not in GROUPS:
            problems.append(f"{path.name}, line 1: unknown group {group}; known: {', '.join(GROUPS)}")
        elif not all(pair):
            problems.append(
                f"{path.name}, line 1: {group} has a cohort or a rate but not both; restore the column"
            )
        else:
            groups[group] = (pair[0], pair[1])
    if "ALL" not in groups:
        problems.append(f"{path.name}, line 1: no column ALL_RATE_{first}{last}; take the file as published")
    raise_together(DataError, problems)
    return _File(path, 2000 + int(last), cells, groups)


def _kept(cells: pd.DataFrame, states: Sequence[str] | None, leas: Sequence[str] | None) -> pd.DataFrame:
    keep = pd.Series(True, index=cells.index)
    if states is not None:
        wanted = {state.upper() for state in states}
        keep &= cells["STNAM"].str.upper().isin(wanted) | cells["FIPST"].isin(wanted)
    if leas is not None:
        keep &= cells["LEAID"].isin(list(leas))
    return cells.loc[keep]


def _id_problems(file: _File, cells: pd.DataFrame) -> Iterator[str]:
    for column, digits in (("LEAID", 7), ("NCESSCH", 12)):
        wrong = cells.loc[~cells[column].str.fullmatch(rf"\d{{{digits}}}"), column]
        for line, text in wrong.items():
            yield (
                f"{file.path.name}, line {line}: {column} {text!r} does not have {digits} digits;"
                " restore its leading zeros (a spreadsheet drops them)"
            )
    first = cells.reset_index().drop_duplicates("NCESSCH").set_index("NCESSCH")["line"]
    for line, school in cells.loc[cells["NCESSCH"].duplicated(), "NCESSCH"].items():
        yield (
            f"{file.path.name}, line {line}: school {school} stands on line {first[school]} already;"
            " remove one"
        )


def _group_frame(
    file: _File, cells: pd.DataFrame, group: str, source: str, problems: list[str]
) -> pd.DataFrame:
    """Turn one group's two columns into rows; problems are added to the list."""
    cohort_column, rate_column = file.groups[group]
    lines = cells.index.to_numpy()
    cohort = _cohorts(file, cells[cohort_column], problems)
    code, texts = pd.factorize(cells[rate_column])
    bands = [printed_band(str(text)) for text in texts]
    for unknown in (index for index, band in enumerate(bands) if band is None):
        problems.extend(
            f"{file.path.name}, line {line}, column {rate_column}: {texts[unknown]!r} is no rate or band"
            " that EDFacts uses (83, 60-69, GE95, GT50, LE5, LT50, PS, blank or .); correct it"
            for line in lines[code == unknown]
        )
    edges = np.array([band or (NO_BAND, NO_BAND) for band in bands], dtype=np.int64).reshape(-1, 2)
    low, high = edges[code, 0], edges[code, 1]
    has_band, has_cohort = low != NO_BAND, ~np.isnan(cohort)
    suppressed = (cells[rate_column] == SUPPRESSED).to_numpy()

    persons = np.where(has_cohort, cohort, 0).astype(np.int64)
    fewest, most = graduates_behind(low, high, persons)
    impossible = has_band & has_cohort & (fewest > most)
    problems.extend(
        f"{file.path.name}, line {line}, column {rate_column}: no number of graduates of {persons[index]}"
        f" gives {texts[code[index]]!r}; correct the cohort or the rate"
        for index, line in zip(np.flatnonzero(impossible), lines[impossible], strict=True)
    )
    safe = np.where(persons > 0, persons, 1)
    lower = np.where(has_cohort, fewest / safe, np.maximum(low - 0.5, 0) / 100)
    upper = np.where(has_cohort, most / safe, np.minimum(high + 0.5, 100) / 100)
    known = has_band & has_cohort & (fewest == most)
    blurred = has_band & ~known
    dimension, subgroup = GROUPS[group]
    frame = pd.DataFrame(
        {
            "indicator": INDICATOR,
            "site_id": cells["LEAID"].array,
            "unit_id": cells["NCESSCH"].array,
            "population": POPULATION,
            "period": str(file.year),
            "dimension": dimension,
            "subgroup": subgroup,
            "numerator": np.where(known, fewest, np.nan),
            "denominator": cohort,
            "value": np.nan,
            "std_error": np.nan,
            "lower": np.where(blurred, lower, np.nan),
            "upper": np.where(blurred, upper, np.nan),
            "status": np.select(
                [known, blurred, suppressed], ["reported", "censored", "suppressed"], "missing"
            ),
            "source": source,
        }
    )
    return frame.loc[has_band | suppressed | has_cohort]


def _cohorts(file: _File, column: pd.Series, problems: list[str]) -> Floats:
    code, texts = pd.factorize(column)
    values = np.full(len(texts), np.nan)
    for index, text in enumerate(texts):
        if re.fullmatch(r"[1-9]\d*", text):
            values[index] = int(text)
        elif text not in ABSENT:
            problems.extend(
                f"{file.path.name}, line {line}, column {column.name}: cohort {text!r} is no count of"
                " persons; write a whole number, or . where there is no such cohort"
                for line in column.index[code == index]
            )
    cohorts: Floats = values[code]
    return cohorts
