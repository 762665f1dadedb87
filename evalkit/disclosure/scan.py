"""A look through everything written for an audience: no hidden number, no person's row, no restricted text.

A number alone says nothing: 42 is hidden in one cell and shown in a hundred others. So a number counts as
told only where the place that has it names the cell: the same row of a file, the same cell of a table with
its row and column, or the same sentence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.disclosure.readable import Content, Passage, read_content

KEY = ["indicator", "site_id", "unit_id", "population", "period", "dimension", "subgroup"]
NAMING = ["indicator", "period", "subgroup"]  # columns that a frame's row must have to be about one cell
COUNT_COLUMNS = {
    "numerator": "numerator", "denominator": "denominator", "n": "denominator", "count": "numerator",
    "x": "numerator", "persons": "denominator",
}  # fmt: skip
DECLARED_COLUMNS = {"target", "baseline", "conf_level"}  # what people set may happen to be a hidden rate
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
    ends of the range that is shown instead. For `scan_outputs` only.
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
            for what, where in _leaks_of(read_content(path), self._index, self._texts, place.as_posix()):
                leaks.setdefault((place, what), Leak(place, what, where))
        return [leaks[key] for key in sorted(leaks)]


def _leaks_of(content: Content, index: "_Index", texts: set[str], place: str) -> Iterator[tuple[What, str]]:
    if content.unread:
        yield "not read", content.unread
    for frame in content.frames:
        for column in frame.columns:
            if PERSON_COLUMNS.match(str(column)):
                yield "person's row", f"column {column}"
        told = index.told_by(frame)
        if told:
            yield "hidden number", told
        for column in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[column]):
                joined = "\n".join(_squeeze(str(value)) for value in frame[column].unique())
                if any(text in joined for text in texts):
                    yield "restricted text", f"column {column}"
    for passage in content.passages:
        if passage.is_cell and PERSON_COLUMNS.match(passage.text.strip()):
            yield "person's row", f"column {passage.text.strip()}"
        if passage.whole and texts:
            squeezed = _squeeze(passage.whole)
            if any(text in squeezed for text in texts):
                yield "restricted text", "in its text"
        told = index.told_in(passage, place)
        if told:
            yield "hidden number", told


class _Index:
    """Hidden cells by the ways in which their numbers may be printed."""

    def __init__(self, hidden: pd.DataFrame, names: Mapping[str, Iterable[str]]) -> None:
        self.cells: list[dict[str, Any]] = hidden.to_dict("records")
        self.several_sites = len(set(hidden["site_id"])) > 1
        self.hidden = hidden
        self.words = [self._words(cell, names) for cell in self.cells]
        self.tokens: dict[str, list[tuple[int, str]]] = {}
        for at, cell in enumerate(self.cells):
            for token, kind in _tokens(cell):
                self.tokens.setdefault(token, []).append((at, kind))

    def _words(self, cell: Mapping[str, Any], names: Mapping[str, Iterable[str]]) -> list[set[str]]:
        """Return sets of words; a place that names the cell has one of each."""
        indicator, site = str(cell["indicator"]), str(cell["site_id"])
        wanted = [{indicator, *names.get(indicator, ())}, _period_words(str(cell["period"]))]
        if self.several_sites:
            wanted.append({site, *names.get(site, ())})
        if cell["dimension"] == "all":
            wanted.append({"all", "everyone", "total"})
        else:
            wanted += [{part} for part in str(cell["subgroup"]).split("*")]
        return [{word.lower() for word in words} for words in wanted]

    def told_in(self, passage: Passage, place: str) -> str:
        """Say which hidden cell a passage tells of; "" for none."""
        found = NUMBER.findall(passage.text)
        hits = [(at, kind) for token in set(found) for at, kind in self.tokens.get(_plain(token), ())]
        if not hits:
            return ""
        around = f"{passage.text} | {passage.around} | {place}".lower()
        alone = passage.is_cell and passage.text.strip(" %") in found
        column = COUNT_COLUMNS.get(passage.around.split(" | ", 1)[0].strip().lower(), "")
        about_rates = RATE_WORDS.search(around) is not None
        numbers = {_plain(token) for token in found}
        for at, kind in hits:
            if kind == "rate":
                told = about_rates
            else:
                told = (alone and about_rates and column in {"", kind}) or self._both_counts(at, numbers)
            if not told:
                continue
            if all(any(_says(around, word) for word in words) for words in self.words[at]):
                return _name(self.cells[at])
        return ""

    def _both_counts(self, at: int, numbers: set[str]) -> bool:
        x, n = self.cells[at]["numerator"], self.cells[at]["denominator"]
        return bool(x == x and n == n and {f"{x:.0f}", f"{n:.0f}"} <= numbers)

    def told_by(self, frame: pd.DataFrame) -> str:
        """Say which hidden cell a frame tells of in one of its rows; "" for none."""
        if self.hidden.empty or not set(NAMING) <= set(frame.columns):
            return ""
        keys = [name for name in KEY if name in frame.columns]
        left = frame.copy()
        for key in keys:
            left[key] = left[key].astype("str")
        kept = ("numerator", "denominator", "rate", "lower", "upper")
        right = self.hidden.rename(columns={name: f"hidden {name}" for name in kept})
        rows = left.merge(right[[*keys, *(c for c in right.columns if c.startswith("hidden "))]], on=keys)
        ends = rows[["hidden lower", "hidden upper"]].to_numpy(dtype=float)
        for column in frame.columns:
            if column in KEY or rows.empty:
                continue
            values = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float)
            secret = COUNT_COLUMNS.get(str(column))
            told = np.zeros(len(rows), dtype=bool)
            if secret is not None:
                told |= values == rows[f"hidden {secret}"].to_numpy(dtype=float)
            for scale in (1, 100) if secret is None and column not in DECLARED_COLUMNS else ():
                rate = scale * rows["hidden rate"].to_numpy(dtype=float)
                telling = RATE_WORDS.search(str(column)) is not None or column in {"estimate", "rate"}
                simple = np.isclose(rate * 4 / scale, np.round(rate * 4 / scale))
                # the true rate may be an end of the very range that is shown instead of it
                open_end = (np.abs(values[:, None] - scale * ends) <= TOLERANCE * scale).any(axis=1)
                told |= (np.abs(values - rate) <= TOLERANCE * scale) & (telling | ~simple) & ~open_end
            if told.any():
                cell = rows.iloc[int(np.argmax(told))]
                return f"{_name({name: cell[name] for name in keys})}, column {column}"
        return ""


def _tokens(cell: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the ways in which the numbers of a cell may be printed, and what kind of number each is."""
    rate = cell["rate"]
    ends = [end for end in (cell["lower"], cell["upper"]) if end == end]
    if rate == rate and not any(abs(rate - end) < NEAR_END for end in ends):
        for token in {f"{100 * rate:.1f}", f"{100 * rate:.2f}", f"{rate:.3f}", f"{rate:.4f}"}:
            yield token, "rate"
    for name in ("numerator", "denominator"):
        if cell[name] == cell[name]:
            yield f"{cell[name]:.0f}", name


def _period_words(period: str) -> set[str]:
    if len(period) != 4:
        return {period}
    before, end = int(period) - 1, period[2:]
    return {period, f"{before}-{end}", f"{before}–{end}", f"{before}/{end}"}


def _says(text: str, word: str) -> bool:
    return word in text and _word_pattern(word).search(text) is not None


@lru_cache(maxsize=4096)
def _word_pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")


def _plain(token: str) -> str:
    return token.replace(",", "")


def _squeeze(text: str) -> str:
    """Leave only letters and digits, so that line breaks, quotes and escapes hide nothing."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _name(cell: Mapping[str, Any]) -> str:
    return ", ".join(
        str(cell[name]) for name in ("indicator", "site_id", "period", "subgroup") if name in cell
    )
