"""A look through everything written for an audience: no hidden number, no person's row, no restricted text.

A number alone says nothing: 42 is hidden in one cell and shown in a hundred others. So a number counts as
told only where the place that has it names the cell: the same row of a file, the same cell of a table with
its row and column, or the same sentence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Literal

import pandas as pd

from evalkit.disclosure.hidden import (
    COUNT_COLUMNS,
    LETTER,
    NO_RATE,
    RATE_UNITS,
    RATE_WORDS,
    HiddenCells,
    says,
)
from evalkit.disclosure.readable import Content, Passage, Row, read_content

NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w])")
PERSON_COLUMNS = re.compile(
    r"^(student|person|child|pupil|participant|client|family|caregiver|household|case)[ _-]?"
    r"(id|number|no|name)$"
    r"|^(first|last|full|given|family)[ _-]?name$|^(date[ _-]?of[ _-]?birth|birth[ _-]?date|dob|ssn|mrn)$"
    r"|^(social[ _-]?security([ _-]?number)?|home[ _-]?address|street[ _-]?address|phone([ _-]?number)?)$",
    re.IGNORECASE,
)
EITHER_COUNT = "numerator denominator"
FRACTION = re.compile(r"(?<![\w.,])(\d[\d,]*)\s*(?:of|out of|/)\s*(?:the |its )?(\d[\d,]*)(?![\w])")
NO_LETTER = re.compile(r"[\W_]+")
SHORTEST_TEXT = 20  # letters; a shorter text of restricted evidence is said by chance

What = Literal["hidden number", "person's row", "restricted text", "not read"]


@dataclass(frozen=True)
class Leak:
    """Something that this audience may not see; never says the number or the text itself."""

    path: Path
    what: What
    where: str

    def __str__(self) -> str:
        return f"{self.path.as_posix()}: {self.what} ({self.where})"


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
        self._index = HiddenCells(hidden, names or {})
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


class _Said:
    """What the texts of one file say, each text looked at once, however often it stands there."""

    def __init__(self, index: HiddenCells, place: str) -> None:
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
                if says(low, word):
                    bits |= 1 << bit
            self.known[text] = bits
        return self.known[text]


def _plain(token: str) -> str:
    return token.replace(",", "")


def _squeeze(text: str) -> str:
    """Leave only letters and digits, so that line breaks, quotes and escapes hide nothing."""
    return NO_LETTER.sub("", text.lower())
