"""What a release keeps back, cell by cell: how its numbers may be printed, and which words name it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from evalkit.checks import KEY

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
ONE = re.compile("1")
LETTER = re.compile(r"[^\W\d_]")
TOLERANCE = 1e-9  # proportion; beyond it two rates are two
NEAR_END = 0.001  # proportion; a rate so near an end of the range shown is printed as that end is


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
    both = full[columns].merge(
        shown[columns], on=list(KEY), how="left", suffixes=("", "_shown"), validate="1:1"
    )
    rate = (both["numerator"] / both["denominator"]).fillna(both["value"])
    kept = both[list(KEY)].assign(
        numerator=both["numerator"].where(both["numerator_shown"].isna()),
        denominator=both["denominator"].where(both["denominator_shown"].isna()),
        rate=rate.where(both["numerator_shown"].isna() & both["value_shown"].isna()),
        lower=both["lower_shown"],
        upper=both["upper_shown"],
        persons=both["denominator"],
    )
    return kept[kept[["numerator", "denominator", "rate"]].notna().any(axis=1)].reset_index(drop=True)


class HiddenCells:
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
        sites = {site for site in self.sites if says(place, site)}
        return [(row, at) for row, at in met if not sites or self.cells[at][1] in sites]


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


def says(text: str, word: str) -> bool:
    """Tell whether a text has the word, as a word of its own."""
    return word in text and _word_pattern(word).search(text) is not None


@lru_cache(maxsize=4096)
def _word_pattern(word: str) -> re.Pattern[str]:
    # "not low income" names another group than "low income"
    return re.compile(rf"(?<!\w)(?<!\bnot ){re.escape(word)}(?!\w)")
