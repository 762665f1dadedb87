"""Minimising a truth table: the shortest terms that cover every sufficient row and no insufficient one.

A term is a row of −1, 0 and 1: condition left out, absent, present.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.contribution.qca_tables import corner_of
from evalkit.errors import DesignError

Terms = NDArray[np.int8]
Flags = NDArray[np.bool_]

MOST_CONDITIONS = 12  # 3^12 is about half a million terms, all of which are tested
MOST_MODELS = 50  # equally short solutions listed; a truth table with more says next to nothing
LEFT_OUT, ABSENT = -1, 0


def prime_implicants(sufficient: Collection[int], forbidden: Collection[int], conditions: int) -> Terms:
    """Return the terms that cover a sufficient row, no forbidden one, and cannot spare any part.

    These are the prime implicants of Quine and McCluskey; with so few conditions all 3^k terms can be tested.

    Parameters
    ----------
    sufficient, forbidden : numbers of truth-table rows, from 0; rows in neither may be covered or not

    References
    ----------
    Quine (1952), American Mathematical Monthly 59:521-531; McCluskey (1956), Bell System Technical Journal
    35:1417-1444.
    """
    if conditions > MOST_CONDITIONS:
        raise DesignError(f"{conditions} conditions cannot be minimised; use at most {MOST_CONDITIONS}")
    if not sufficient:
        return np.empty((0, conditions), dtype=np.int8)
    terms = _all_terms(conditions)
    valid = covers(terms, sorted(sufficient)).any(axis=1) & _avoids(terms, forbidden)
    # A term's code has a digit (0 left out, 1 absent, 2 present) per condition; dropping a part zeroes it.
    digits = terms + 1
    weights = 3 ** np.arange(conditions - 1, -1, -1)
    codes = np.arange(len(terms))[:, None] - digits * weights
    shorter = valid[codes] & (digits > 0)
    return terms[valid & ~shorter.any(axis=1)]


def _avoids(terms: Terms, forbidden: Collection[int]) -> Flags:
    """Tell which terms cover no forbidden row, by whichever list of rows is the shorter."""
    conditions = terms.shape[1]
    if 2 * len(forbidden) <= 2**conditions:
        return np.asarray(~covers(terms, sorted(forbidden)).any(axis=1), dtype=np.bool_)
    allowed = covers(terms, forbidden_rows(forbidden, conditions)).sum(axis=1)
    return np.asarray(allowed == 2 ** (terms == LEFT_OUT).sum(axis=1), dtype=np.bool_)


def forbidden_rows(allowed: Collection[int], conditions: int) -> list[int]:
    """List the rows that may not be covered when only the `allowed` ones may."""
    return sorted(set(range(2**conditions)) - set(allowed))


def covers(terms: Terms, rows: Sequence[int]) -> Flags:
    """Tell for each term (down) whether it covers each row (across)."""
    if not len(rows):
        return np.zeros((len(terms), 0), dtype=np.bool_)
    corners = np.array([corner_of(row, terms.shape[1]) for row in rows], dtype=np.int8)
    fits = np.ones((len(terms), len(rows)), dtype=np.bool_)
    for place in range(terms.shape[1]):
        part = terms[:, place, None]
        fits &= (part == LEFT_OUT) | (part == corners[None, :, place])
    return fits


def shortest_covers(terms: Terms, rows: Sequence[int]) -> list[tuple[int, ...]]:
    """Return every smallest set of terms that covers all rows, up to `MOST_MODELS`, shortest words first."""
    if not len(rows):
        return []
    table = covers(terms, rows)
    masks = [sum(1 << int(place) for place in np.flatnonzero(line)) for line in table]
    by_row = [np.flatnonzero(table[:, place]).tolist() for place in range(len(rows))]
    size = _smallest_size(table)
    found: set[tuple[int, ...]] = set()
    for cover in _search(masks, by_row, (1 << len(rows)) - 1, size, max(mask.bit_count() for mask in masks)):
        found.add(tuple(sorted(cover)))
        if len(found) >= MOST_MODELS:
            break
    words = (terms != LEFT_OUT).sum(axis=1)
    return sorted(found, key=lambda cover: (int(words[list(cover)].sum()), cover))


def easy_counterfactuals(
    complex_terms: Terms, simple_terms: Terms, rows: Collection[int], expectations: Sequence[int]
) -> list[int]:
    """List the open rows that the directional expectations allow to count as sufficient.

    From each long term, the parts are dropped that a short term around it does without and that run against
    the expectation; what the remaining terms cover among `rows` is an easy counterfactual.

    Parameters
    ----------
    rows : numbers of the open rows, from 0
    expectations : for each condition 1 (presence should help), 0 (absence should) or −1 (none stated)

    References
    ----------
    Ragin and Sonnett (2005), in Kropp and Minkenberg, Vergleichen in der Politikwissenschaft, 180-197.
    """
    expected = np.asarray(expectations, dtype=np.int8)
    kept = []
    for long in complex_terms:
        for short in simple_terms:
            if np.all((short == LEFT_OUT) | (short == long)):
                against = (long != LEFT_OUT) & (expected != LEFT_OUT) & (long != expected)
                kept.append(np.where(against & (short == LEFT_OUT), LEFT_OUT, long))
    if not kept:
        return []
    ordered = sorted(rows)
    reached = np.flatnonzero(covers(np.array(kept, dtype=np.int8), ordered).any(axis=0))
    return [ordered[place] for place in reached]


def term_words(term: NDArray[np.int8], conditions: Sequence[str]) -> str:
    """Write a term the way R's QCA does, e.g. "DEV*~IND"; a term without parts is "1"."""
    parts = [
        f"~{name}" if part == ABSENT else name
        for name, part in zip(conditions, term, strict=True)
        if part != LEFT_OUT
    ]
    return "*".join(parts) or "1"


def expectations_of(directions: Mapping[str, str], conditions: Sequence[str]) -> list[int]:
    """Turn condition -> "present" | "absent" into the numbers that `easy_counterfactuals` takes.

    Raises
    ------
    DesignError : a condition or a word is unknown.
    """
    meaning = {"present": 1, "absent": 0}
    for name, word in directions.items():
        if name not in conditions:
            raise DesignError(f"an expectation names {name!r}, which is no condition of the analysis")
        if word not in meaning:
            raise DesignError(f"the expectation of {name} is {word!r}; use present or absent")
    return [meaning[directions[name]] if name in directions else LEFT_OUT for name in conditions]


def _all_terms(conditions: int) -> Terms:
    codes = np.arange(3**conditions)
    digits = [codes // 3**place % 3 for place in range(conditions - 1, -1, -1)]
    return (np.stack(digits, axis=1) - 1).astype(np.int8)


def _smallest_size(table: Flags) -> int:
    from scipy.optimize import LinearConstraint, milp

    count = len(table)
    found = milp(
        np.ones(count),
        constraints=LinearConstraint(table.T.astype(float), lb=1),
        integrality=np.ones(count),
        bounds=(0, 1),
    )
    return round(float(found.fun))


def _search(
    masks: Sequence[int], by_row: Sequence[Sequence[int]], missing: int, size: int, widest: int
) -> Iterator[list[int]]:
    """Walk through the covers of exactly this size; branches that cannot end in time are left early."""
    if not missing:
        yield []
        return
    if missing.bit_count() > size * widest:
        return
    places = [place for place in range(missing.bit_length()) if missing >> place & 1]
    hardest = min(places, key=lambda place: len(by_row[place]))
    for term in by_row[hardest]:
        for rest in _search(masks, by_row, missing & ~masks[term], size - 1, widest):
            yield [term, *rest]
