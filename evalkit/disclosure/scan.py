"""A look through everything written for an audience: no hidden number, no person's row, no restricted text.

A number alone says nothing: 42 is hidden in one cell and shown in a hundred others. So a number counts as
told only where the place that has it names the cell: the same row of a file, the same cell of a table with
its row and column, or the same sentence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from evalkit.disclosure.readable import Content, Passage, Row, read_content

KEY = ["indicator", "site_id", "unit_id", "population", "period", "dimension", "subgroup"]
NUMBERS = ("numerator", "denominator", "rate", "lower", "upper")
NAMING = ["indicator", "period", "subgroup"]  # columns that a frame's row must have to be about one cell
COUNT_COLUMNS = {
    "numerator": "numerator", "denominator": "denominator", "n": "denominator", "count": "numerator",
    "x": "numerator", "persons": "denominator",
}  # fmt: skip
DECLARED_COLUMNS = {"target", "baseline", "conf_level"}  # what people set may happen to be a hidden rate
# A difference of two ranges may by chance be what a hidden rate is.
NO_RATE = re.compile(
    r"gap|differ|change|least|most|worst|best|conf|interval|error|ratio|effect|p[ _]value", re.IGNORECASE
)
RATE_UNITS = {"percent", "%", "proportion", "", "–", "nan"}
RATE_WORDS = re.compile(
    r"rate|percent|%|value|actual|observed|share|count|number|numerator|denominator|\bn\b"
)
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w])")
PERSON_COLUMNS = re.compile(
    r"^(student|person|child|pupil|participant|client|family|caregiver|household|case)[ _-]?"
    r"(id|number|no|name)$"
    r"|^(first|last|full|given|family)[ _-]?name$|^(date[ _-]?of[ _-]?birth|birth[ _-]?date|dob|ssn|mrn)$"
    r"|^(social[ _-]?security([ _-]?number)?|home[ _-]?address|street[ _-]?address|phone([ _-]?number)?)$",
    re.IGNORECASE,
)
LETTER = re.compile(r"[^\W\d_]")
ONE = re.compile("1")
EITHER_COUNT = "numerator denominator"
FRACTION = re.compile(r"(?<![\w.,])(\d[\d,]*)\s*(?:of|out of|/)\s*(?:the |its )?(\d[\d,]*)(?![\w])")
NO_LETTER = re.compile(r"[\W_]+")
SHORTEST_TEXT = 20  # letters; a shorter text of restricted evidence is said by chance
TOLERANCE = 1e-9
NEAR_END = 0.001  # proportion; a rate so near an end of the range shown is printed as that end is

What = Literal["hidden number", "person's row", "restricted text", "not read"]


@dataclass(frozen=True)
class Leak:
    """Something that this audience may not see; never says the number or the text itself."""

    path: Path
    what: What
    where: str

    def __str__(self) -> str:
        return f"{self.path.as_posix()}: {self.what} ({self.where})"


def hidden_numbers(full: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """List what a release keeps back: the key of each cell, `numerator`, `denominator` and `rate`.

    Parameters
    ----------
    full, shown : the frames of an indicator table before and after its release

    Returns
    -------
    A row for each cell of which something is kept back; NaN for what is shown. `lower` and `upper` are the
    ends of the range that is shown instead, `persons` is the denominator whether it is shown or not. For
    `scan_outputs` only.
    """
    columns = [*KEY, "numerator", "denominator", "value", "lower", "upper"]
    both = full[columns].merge(shown[columns], on=KEY, how="left", suffixes=("", "_shown"), validate="1:1")
    rate = (both["numerator"] / both["denominator"]).fillna(both["value"])
    kept = both[KEY].assign(
        numerator=both["numerator"].where(both["numerator_shown"].isna()),
        denominator=both["denominator"].where(both["denominator_shown"].isna()),
        rate=rate.where(both["numerator_shown"].isna() & both["value_shown"].isna()),
        lower=both["lower_shown"],
        upper=both["upper_shown"],
        persons=both["denominator"],
    )
    return kept[kept[["numerator", "denominator", "rate"]].notna().any(axis=1)].reset_index(drop=True)


def scan_outputs(
    folder: Path,
    hidden: pd.DataFrame,
    *,
    restricted: Sequence[str] = (),
    names: Mapping[str, Iterable[str]] | None = None,
    files: Iterable[Path] | None = None,
) -> list[Leak]:
    """Look through every file of a folder for what its audience may not see.

    Tables (CSV, parquet), pages, notebooks with outputs, metadata and errors, Word, PDF, the texts in
    pictures, logs and any other text are read.

    Parameters
    ----------
    folder : what was written for one audience
    hidden : what its release keeps back, as `hidden_numbers` gives it; of one site or of many
    restricted : texts that may stand nowhere, such as statements of restricted evidence
    names : id -> the words by which readers know an indicator or a site (labels)
    files : look through these only

    Returns
    -------
    A leak for each file and kind, by path; empty where all is well.
    """
    paths = sorted(folder.rglob("*")) if files is None else list(files)
    return Scanner(hidden, restricted=restricted, names=names).scan(paths, base=folder)


class Scanner:
    """Looks through one batch of files after another for the same things that may not be seen.

    Parameters
    ----------
    hidden : what a release keeps back, as `hidden_numbers` gives it; of one site or of many
    restricted : texts that may stand nowhere, such as statements of restricted evidence
    names : id -> the words by which readers know an indicator or a site (labels)
    """

    def __init__(
        self,
        hidden: pd.DataFrame,
        *,
        restricted: Sequence[str] = (),
        names: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._index = _Index(hidden, names or {})
        squeezed = (_squeeze(text) for text in restricted)
        self._texts = {text for text in squeezed if len(text) >= SHORTEST_TEXT}

    def scan(self, paths: Iterable[Path], *, base: Path) -> list[Leak]:
        """Look through files below `base`, as `scan_outputs` does; folders among them are passed over."""
        leaks: dict[tuple[Path, str], Leak] = {}
        for path in paths:
            if not path.is_file():
                continue
            place = path.relative_to(base)
            for what, where in self._leaks_of(read_content(path), place.as_posix()):
                leaks.setdefault((place, what), Leak(place, what, where))
        return [leaks[key] for key in sorted(leaks)]

    def _leaks_of(self, content: Content, place: str) -> Iterator[tuple[What, str]]:
        if content.unread:
            yield "not read", content.unread
        for frame in content.frames:
            for column in frame.columns:
                if PERSON_COLUMNS.match(str(column)):
                    yield "person's row", f"column {column}"
                if not pd.api.types.is_numeric_dtype(frame[column]) and self._is_restricted(
                    frame[column].unique()
                ):
                    yield "restricted text", f"column {column}"
            if told := self._index.told_by(frame, place):
                yield "hidden number", told
        cells = {cell for row in content.rows for cell in row.cells}
        for cell in sorted(cells):
            if PERSON_COLUMNS.match(cell.strip()):
                yield "person's row", f"column {cell.strip()}"
        if self._is_restricted(cells) or self._is_restricted(passage.whole for passage in content.passages):
            yield "restricted text", "in its text"
        said = _Said(self._index, place)
        for row in content.rows:
            if told := said.told_in_row(row):
                yield "hidden number", told
        for passage in content.passages:
            if told := said.told_in(passage):
                yield "hidden number", told

    def _is_restricted(self, texts: Iterable[object]) -> bool:
        if not self._texts:
            return False
        long = {text for text in map(str, texts) if len(text) >= SHORTEST_TEXT}
        return any(text in squeezed for squeezed in map(_squeeze, long) for text in self._texts)


class _Index:
    """Hidden cells by the ways in which their numbers may be printed, and by the words that name them.

    Attributes
    ----------
    cells : the key of each hidden cell, in the order of `KEY`
    numbers : the numbers of each hidden cell, in the order of `NUMBERS`; NaN for those that are shown
    fractions : how a hidden numerator is printed with its denominator, "3 of 61"; "" where it may be
    tokens : a printed number -> the hidden cells that it may tell of, and as which kind of number
    words : every word that names anything, by its bit; bit 0 is for `RATE_WORDS`
    figures : those of the words that hold no letter, such as "2018-19"
    in_need : words, by their bits -> the hidden cells, a bit for each, that one of these must name
    """

    def __init__(self, hidden: pd.DataFrame, names: Mapping[str, Iterable[str]]) -> None:
        self.cells = list(zip(*(hidden[name].astype(str).tolist() for name in KEY), strict=True))
        self.numbers = hidden[list(NUMBERS)].to_numpy(dtype=float)
        self.fractions = _fractions(hidden)
        self.sites = set(hidden["site_id"].astype(str))
        several_sites = len(self.sites) > 1
        self.words: dict[str, int] = {}
        self.in_need: dict[int, int] = {}
        self.tokens: dict[str, list[tuple[int, str]]] = {}
        named: dict[tuple[str, str, str, str, str], list[int]] = {}
        for at, (cell, numbers) in enumerate(zip(self.cells, self.numbers.tolist(), strict=True)):
            indicator, site, _, _, period, dimension, subgroup = cell
            name = (indicator, site, period, dimension, subgroup)
            named.setdefault(name, []).append(at)
            for token, kind in _tokens(numbers):
                self.tokens.setdefault(token, []).append((at, kind))
        for name, cells in named.items():
            alike = sum(1 << at for at in cells)
            for words in _naming(*name, names, several_sites):
                bits = self._bits(words)
                self.in_need[bits] = self.in_need.get(bits, 0) | alike
        self.figures = {word: bit for word, bit in self.words.items() if not LETTER.search(word)}
        self.by_key: dict[tuple[str, ...], dict[tuple[str, ...], list[int]]] = {}

    def _bits(self, words: Iterable[str]) -> int:
        bits = 0
        for word in words:
            bits |= 1 << self.words.setdefault(word.lower(), len(self.words) + 1)
        return bits

    def name(self, at: int) -> str:
        """Name a hidden cell, without its numbers."""
        indicator, site, _, _, period, _, subgroup = self.cells[at]
        return ", ".join((indicator, site, period, subgroup))

    def told_by(self, frame: pd.DataFrame, place: str) -> str:
        """Say which hidden cell a frame tells of in one of its rows; "" for none."""
        if not self.cells or not set(NAMING) <= set(frame.columns):
            return ""
        keys = tuple(name for name in KEY if name in frame.columns)
        known = self._known(keys)
        met = [
            (row, at)
            for row, key in enumerate(zip(*(frame[name].astype(str).tolist() for name in keys), strict=True))
            for at in known.get(key, ())
        ]
        if len(self.sites) > 1 and "site_id" not in keys:
            met = self._of_sites_named(met, place)
        if not met:
            return ""
        rows, hits = (list(part) for part in zip(*met, strict=True))
        secrets = dict(zip(NUMBERS, self.numbers[hits].T, strict=True))
        ends = np.column_stack([secrets["lower"], secrets["upper"]])
        units = frame["unit"].iloc[rows].astype(str) if "unit" in frame else pd.Series([""] * len(rows))
        is_rate = units.isin(RATE_UNITS).to_numpy()
        for column in frame.columns:
            if column in KEY:
                continue
            values = pd.to_numeric(frame[column].iloc[rows], errors="coerce").to_numpy(dtype=float)
            secret = COUNT_COLUMNS.get(str(column))
            told = np.zeros(len(rows), dtype=bool)
            if secret is not None:
                told |= values == secrets[secret]
            no_rate = secret is not None or column in DECLARED_COLUMNS or NO_RATE.search(str(column))
            for scale in () if no_rate else (1, 100):
                rate = scale * secrets["rate"]
                telling = RATE_WORDS.search(str(column)) is not None or column in {"estimate", "rate"}
                simple = np.isclose(rate * 4 / scale, np.round(rate * 4 / scale))
                # the true rate may be an end of the very range that is shown instead of it
                open_end = (np.abs(values[:, None] - scale * ends) <= TOLERANCE * scale).any(axis=1)
                told |= (
                    (np.abs(values - rate) <= TOLERANCE * scale) & (telling | ~simple) & ~open_end & is_rate
                )
            if told.any():
                return f"{self.name(hits[int(np.argmax(told))])}, column {column}"
        return ""

    def named(self, said: int) -> frozenset[int]:
        """Return the hidden cells that a place names which says these words."""
        rest = (1 << len(self.cells)) - 1
        for bits, in_need in self.in_need.items():
            if not said & bits:
                rest &= ~in_need
        digits = f"{rest:b}"[::-1] if rest else ""
        return frozenset(found.start() for found in ONE.finditer(digits))

    def _known(self, keys: tuple[str, ...]) -> Mapping[tuple[str, ...], Sequence[int]]:
        """Return the hidden cells by these parts of their key."""
        if keys not in self.by_key:
            places = [KEY.index(name) for name in keys]
            known: dict[tuple[str, ...], list[int]] = {}
            for at, cell in enumerate(self.cells):
                known.setdefault(tuple(cell[place] for place in places), []).append(at)
            self.by_key[keys] = known
        return self.by_key[keys]

    def _of_sites_named(self, met: list[tuple[int, int]], place: str) -> list[tuple[int, int]]:
        """Leave only cells of the sites that the place names, where it names any."""
        sites = {site for site in self.sites if _says(place, site)}
        return [(row, at) for row, at in met if not sites or self.cells[at][1] in sites]


class _Said:
    """What the texts of one file say, each text looked at once, however often it stands there."""

    def __init__(self, index: _Index, place: str) -> None:
        self.index = index
        self.known: dict[str, int] = {}
        self.printed: dict[str, tuple[set[str], list[tuple[int, str]], bool]] = {}
        self.named: dict[int, frozenset[int]] = {}
        self.place = self._words(place)

    def told_in(self, passage: Passage) -> str:
        """Say which hidden cell a sentence tells of; "" for none."""
        numbers, hits, _ = self._numbers(passage.text)
        if not hits:
            return ""
        said = self._words(passage.text) | self._words(passage.around) | self.place
        return self._told(hits, said, numbers, alone="")

    def told_in_row(self, row: Row) -> str:
        """Say which hidden cell a row of a table tells of in one of its cells; "" for none."""
        beside = self._words(row.above) | self.place
        for cell in row.cells:
            beside |= self._words(cell)
        columns = [self._words(row.column(place)) for place in range(len(row.cells))]
        if not self._named(reduce(or_, columns, beside)):
            return ""
        headings = [row.column(place).strip().lower() for place in range(len(row.cells))]
        units = [cell for heading, cell in zip(headings, row.cells, strict=True) if heading == "unit"]
        is_rate = all(unit.strip().lower() in RATE_UNITS for unit in units)
        for place, (heading, cell) in enumerate(zip(headings, row.cells, strict=True)):
            numbers, hits, alone = self._numbers(cell)
            if not is_rate or NO_RATE.search(heading):
                hits = [(at, kind) for at, kind in hits if kind != "rate"]
            counted = COUNT_COLUMNS.get(heading, EITHER_COUNT) if alone else ""
            if told := self._told(hits, beside | columns[place], numbers, alone=counted):
                return told
        return ""

    def _named(self, said: int) -> frozenset[int]:
        if said not in self.named:
            self.named[said] = self.index.named(said)
        return self.named[said]

    def _told(self, hits: list[tuple[int, str]], said: int, numbers: set[str], *, alone: str) -> str:
        """Name the first cell that is told; `alone` has the kinds of count that a lone number tells."""
        named = self._named(said) if hits else ()
        about_rates = said & 1
        for at, kind in hits if named else ():
            if at not in named:
                continue
            if about_rates and (kind == "rate" or kind in alone):
                return self.index.name(at)
            if kind != "rate" and self._both_counts(at, numbers):
                return self.index.name(at)
        return ""

    def _both_counts(self, at: int, numbers: set[str]) -> bool:
        x, n = self.index.numbers[at, :2]
        return self.index.fractions[at] in numbers or bool(
            x == x and n == n and {f"{x:.0f}", f"{n:.0f}"} <= numbers
        )

    def _numbers(self, text: str) -> tuple[set[str], list[tuple[int, str]], bool]:
        """Return the numbers printed in a text, what they may tell of, and whether it is but a number."""
        if text not in self.printed:
            found = NUMBER.findall(text)
            numbers = {_plain(token) for token in found}
            numbers |= {f"{_plain(x)} of {_plain(n)}" for x, n in FRACTION.findall(text)}
            hits = [hit for token in sorted(numbers) for hit in self.index.tokens.get(token, ())]
            self.printed[text] = numbers, hits, text.strip(" %") in found
        return self.printed[text]

    def _words(self, text: str) -> int:
        """Return the bits of the words that a text says."""
        if text not in self.known:
            low = text.lower()
            bits = int(RATE_WORDS.search(low) is not None)
            words = self.index.words if LETTER.search(low) else self.index.figures
            for word, bit in words.items():
                if _says(low, word):
                    bits |= 1 << bit
            self.known[text] = bits
        return self.known[text]


def _naming(
    indicator: str,
    site: str,
    period: str,
    dimension: str,
    subgroup: str,
    names: Mapping[str, Iterable[str]],
    several_sites: bool,
) -> list[set[str]]:
    """Return sets of words; a place that names the cell has one of each."""
    wanted = [_period_words(period), {indicator, *names.get(indicator, ())}]
    if several_sites:
        wanted.append({site, *names.get(site, ())})
    if dimension == "all":
        wanted.append({"all", "everyone", "total"})
    else:
        wanted += [{part} for part in subgroup.split("*")]
    return wanted


def _tokens(numbers: Sequence[float]) -> Iterator[tuple[str, str]]:
    """Give the ways in which the numbers of a cell may be printed, and what kind of number each is."""
    numerator, denominator, rate, *ends = numbers
    if rate == rate and not any(abs(rate - end) < NEAR_END for end in ends):
        for token in {f"{100 * rate:.1f}", f"{100 * rate:.2f}", f"{rate:.3f}", f"{rate:.4f}"}:
            yield token, "rate"
    if numerator == numerator:
        yield f"{numerator:.0f}", "numerator"
    if denominator == denominator:
        yield f"{denominator:.0f}", "denominator"


def _fractions(hidden: pd.DataFrame) -> list[str]:
    """Write each hidden numerator with its denominator; "" where the ends of the range shown say the same."""
    persons = hidden["persons"] if "persons" in hidden else hidden["denominator"]
    written = []
    for x, n, lower, upper in zip(
        *(
            column.astype(float)
            for column in (hidden["numerator"], persons, hidden["lower"], hidden["upper"])
        ),
        strict=True,
    ):
        ends = {round(end * n) for end in (lower, upper) if end == end and n == n}
        written.append("" if x != x or n != n or round(x) in ends else f"{x:.0f} of {n:.0f}")
    return written


def _period_words(period: str) -> set[str]:
    if len(period) != 4:
        return {period}
    before, end = int(period) - 1, period[2:]
    return {period, f"{before}-{end}", f"{before}–{end}", f"{before}/{end}"}


def _says(text: str, word: str) -> bool:
    return word in text and _word_pattern(word).search(text) is not None


@lru_cache(maxsize=4096)
def _word_pattern(word: str) -> re.Pattern[str]:
    # "not low income" names another group than "low income"
    return re.compile(rf"(?<!\w)(?<!\bnot ){re.escape(word)}(?!\w)")


def _plain(token: str) -> str:
    return token.replace(",", "")


def _squeeze(text: str) -> str:
    """Leave only letters and digits, so that line breaks, quotes and escapes hide nothing."""
    return NO_LETTER.sub("", text.lower())
