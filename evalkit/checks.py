"""What may stand in an indicator table: every problem of every row, each with the mend."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pandas as pd

from evalkit.dictionary import DataDictionary, Population
from evalkit.documents import suggestion
from evalkit.periods import is_period_of

KEY = ("indicator", "site_id", "unit_id", "population", "period", "dimension", "subgroup")
NUMBERS = ("numerator", "denominator", "value", "std_error", "lower", "upper")
COLUMNS = (*KEY, *NUMBERS, "status", "source")
STATUSES = ("reported", "censored", "suppressed", "missing")
POPULATIONS: tuple[str, ...] = get_args(Population)

# More problems than this of one file are counted, not listed.
MOST_PROBLEMS = 200


def row_problems(frame: pd.DataFrame, dictionary: DataDictionary) -> Iterator[tuple[int, str]]:
    """Yield (position of the row, what is wrong and the mend) for every problem of content."""
    if frame.empty:
        return
    yield from _unknown_words(frame, dictionary)
    yield from _schema_problems(frame)
    known = frame["indicator"].isin(list(dictionary.indicators))
    declared = {name: dictionary.indicators[name] for name in frame.loc[known, "indicator"].unique()}
    may_exceed = (
        frame["indicator"].map({name: item.may_exceed_one for name, item in declared.items()}).eq(True)
    )
    is_rate = frame["indicator"].map({name: item.kind == "rate" for name, item in declared.items()}).eq(True)
    numerator, denominator, value = frame["numerator"], frame["denominator"], frame["value"]
    lower, upper, status = frame["lower"], frame["upper"], frame["status"]
    reported, censored = status.eq("reported"), status.eq("censored")
    yield from _each(
        frame,
        (numerator > denominator) & ~may_exceed & is_rate,
        lambda row: (
            f"numerator {row.numerator:g} is above denominator {row.denominator:g}; correct one of them"
        ),
    )
    yield from _each(
        frame,
        is_rate & (_is_fraction(numerator) | _is_fraction(denominator)),
        lambda row: f"{row.numerator:g} of {row.denominator:g} are not whole numbers; give counts of persons",
    )
    yield from _each(
        frame,
        reported & is_rate & value.isna() & (numerator.isna() | denominator.isna()),
        lambda row: (
            "reported without numerator and denominator; give both, or say missing or suppressed in `status`"
        ),
    )
    yield from _each(
        frame,
        reported & denominator.eq(0),
        lambda row: "denominator is 0; a rate of nobody is `status` missing",
    )
    yield from _each(
        frame,
        is_rate & value.notna() & numerator.notna(),
        lambda row: "holds counts and a value; a rate is derived from its counts, remove the value",
    )
    yield from _each(
        frame,
        reported & ~is_rate & known & value.isna(),
        lambda row: "reported without a value; give it, or say missing or suppressed in `status`",
    )
    yield from _each(
        frame,
        censored & (lower.isna() | upper.isna()),
        lambda row: "censored without both bounds; give `lower` and `upper`",
    )
    yield from _each(
        frame,
        lower > upper,
        lambda row: (
            f"bounds are upside down ({row.lower:g} above {row.upper:g}); exchange `lower` and `upper`"
        ),
    )
    yield from _each(
        frame,
        is_rate & ~may_exceed & ((upper > 1) | (value > 1)),
        lambda row: "a rate above 1; give proportions between 0 and 1, or set `percent: true` in the mapping",
    )
    yield from _each(
        frame,
        ~reported & ~censored & status.isin(STATUSES) & (numerator.notna() | value.notna() | lower.notna()),
        lambda row: f"is {row.status} but holds a number; remove the number or change `status`",
    )
    yield from _each(
        frame,
        censored & (numerator.notna() | value.notna()),
        lambda row: "is censored but holds an exact number; keep the bounds or the number, not both",
    )


def _unknown_words(frame: pd.DataFrame, dictionary: DataDictionary) -> Iterator[tuple[int, str]]:
    for name, rows in _rows_by(frame, ["indicator"]):
        if name[0] not in dictionary.indicators:
            hint = suggestion(name[0], dictionary.indicators)
            for row in rows:
                yield (
                    row,
                    f"unknown indicator {name[0]!r}; {hint or 'add it to data_dictionary/indicators.yml'}",
                )
    for (dimension, subgroup), rows in _rows_by(frame, ["dimension", "subgroup"]):
        problem = dictionary.subgroup_problem(dimension, subgroup)
        if problem:
            for row in rows:
                yield row, problem
    for (indicator, period), rows in _rows_by(frame, ["indicator", "period"]):
        declared = dictionary.indicators.get(indicator)
        if declared is not None and not is_period_of(period, declared.frequency):
            example = {
                "school_year": "2019 for 2018-19",
                "year": "2019",
                "quarter": "2019-Q3",
                "month": "2019-07",
            }
            for row in rows:
                yield (
                    row,
                    f"period {period!r} of {indicator} is not a {declared.frequency.replace('_', ' ')}; "
                    f"write {example[declared.frequency]}",
                )


def _schema_problems(frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Check types, closed vocabularies and signs with pandera, and say them as sentences."""
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            "population": pa.Column(str, pa.Check.isin(POPULATIONS)),
            "status": pa.Column(str, pa.Check.isin(STATUSES)),
            **{name: pa.Column(str, pa.Check.str_length(min_value=1)) for name in ("site_id", "unit_id")},
            **{name: pa.Column(float, pa.Check.ge(0), nullable=True) for name in NUMBERS if name != "value"},
        }
    )
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        known: dict[str, tuple[str, ...]] = {"population": POPULATIONS, "status": STATUSES}
        cases = error.failure_cases
        for row, column, case in zip(cases["index"], cases["column"], cases["failure_case"], strict=True):
            if column in known:
                yield int(row), f"unknown {column} {case!r}; {suggestion(str(case), known[column])}"
            elif column in {"site_id", "unit_id"}:
                yield int(row), f"`{column}` is empty; give an id"
            else:
                yield int(row), f"{column} {float(case):g} is negative; correct it"


def _each(frame: pd.DataFrame, wrong: pd.Series, sentence: Callable[[Any], str]) -> Iterator[tuple[int, str]]:
    positions = np.flatnonzero(wrong.fillna(False).to_numpy(dtype=bool))
    for position, row in zip(positions, frame.iloc[positions].itertuples(), strict=True):
        yield int(position), f"{row.indicator}, {row.site_id}, {row.subgroup}, {row.period}: {sentence(row)}"


def _rows_by(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    for key, positions in frame.groupby(columns, sort=False).indices.items():
        yield key if isinstance(key, tuple) else (key,), positions


def repeated_keys(
    frame: pd.DataFrame, repeated: np.ndarray, places: np.ndarray, origin: str, word: str
) -> Iterator[str]:
    """Name both lines of every key that stands twice; `repeated` are the positions of the later ones."""
    first: dict[tuple[str, ...], int] = {}
    for position, key in enumerate(zip(*(frame[name] for name in KEY), strict=True)):
        first.setdefault(key, position)
    for position in repeated[:MOST_PROBLEMS]:
        key = tuple(frame.iloc[position][name] for name in KEY)
        yield (
            f"{origin}, {word} {places[position]}: the same key as {word} {places[first[key]]} "
            f"({', '.join(key)}); keep one of the two rows"
        )


def _is_fraction(counts: pd.Series) -> pd.Series:
    return counts.notna() & (counts != counts.round())
