"""Rule sets for single counts: which are shown, which are shown coarsely, and which are hidden."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from evalkit.documents import suggestion
from evalkit.errors import ParameterError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NO_END = np.inf


@dataclass(frozen=True)
class Rule:
    """What happens to a count on its own.

    Attributes
    ----------
    smallest, largest : counts hidden for themselves, persons, both inclusive; none where `largest` is below
    least_shown : the smallest count other than 0 that is not hidden for itself
    zero_is_shown : so that a hidden count is known to be 1 or more
    printed : what is printed of a count that is shown, by name "exact", "fives" or "sixes"
    words : the rule in one sentence for readers

    Raises
    ------
    ParameterError : a bound is no whole number of persons, or nothing is printed in the way named.
    """

    rule_id: str
    smallest: int
    largest: int
    zero_is_shown: bool
    printed: str
    words: str

    def __post_init__(self) -> None:
        """Turn back bounds that would hide nothing without a word."""
        for name, bound, least in (("smallest", self.smallest, 0), ("largest", self.largest, -1)):
            if not _is_whole(bound) or bound < least:
                raise ParameterError(
                    f"rule {self.rule_id!r}: {name} is {bound!r}; it must be a whole number from {least}"
                )
        if self.printed not in PRINTED:
            hint = suggestion(str(self.printed), PRINTED)
            raise ParameterError(f"rule {self.rule_id!r}: nothing is printed as {self.printed!r}; {hint}")

    @property
    def least_shown(self) -> float:
        """The smallest count other than 0 that is not hidden for itself."""
        return float(self.largest + 1)

    def is_small(self, counts: Floats) -> Flags:
        """Tell which counts are hidden for themselves."""
        return np.asarray((counts >= self.smallest) & (counts <= self.largest))

    def print_counts(self, counts: Floats) -> Floats:
        """Return what is printed of each count where it is shown."""
        return PRINTED[self.printed](counts)

    def stands_for(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the least and the greatest count that is printed as these are."""
        printed = self.print_counts(counts)
        below, above = REACH[self.printed]
        low, high = printed - below, printed + above
        if self.printed == "sixes":
            low, high = np.where(printed == 0, 0, low), np.where(printed == 0, 0, high)
        floor = 0.0 if self.zero_is_shown else self.least_shown
        return np.maximum(low, np.minimum(floor, counts)), high


def _fives(counts: Floats) -> Floats:
    return np.asarray(np.floor(counts / 5 + 0.5) * 5)


def _sixes(counts: Floats) -> Floats:
    return np.asarray(np.ceil(counts / 6) * 6 - 3 * (counts != 0))


PRINTED: Mapping[str, Callable[[Floats], Floats]] = {
    "exact": lambda counts: counts.copy(),
    "fives": _fives,
    "sixes": _sixes,
}
REACH = {"exact": (0, 0), "fives": (2, 2), "sixes": (2, 3)}  # persons below and above what is printed


def _is_whole(number: object) -> bool:
    is_number = isinstance(number, Real) and not isinstance(number, bool)
    return is_number and float(number).is_integer()  # type: ignore[arg-type]


def small_cells(minimum: int) -> Rule:
    """Hide counts of 1 to `minimum` − 1; zero and everything else is shown as it is.

    Raises
    ------
    ParameterError : `minimum` is no whole number, or below 1.
    """
    if not _is_whole(minimum) or minimum < 1:
        raise ParameterError(
            f"the smallest count shown is {minimum!r}; it must be a whole number of 1 person or more"
        )
    minimum = int(minimum)
    return Rule(
        rule_id=f"nces{minimum}",
        smallest=1,
        largest=minimum - 1,
        zero_is_shown=True,
        printed="exact",
        words=f"Counts of 1 to {minimum - 1} persons are not shown.",
    )


RULES: Mapping[str, Rule] = {
    "nces10": small_cells(10),
    "redact7_round5": Rule(
        rule_id="redact7_round5",
        smallest=0,
        largest=7,
        zero_is_shown=False,
        printed="fives",
        words="Counts of 7 persons or fewer are not shown; all others are rounded to the nearest 5.",
    ),
    "midpoint6": Rule(
        rule_id="midpoint6",
        smallest=0,
        largest=-1,
        zero_is_shown=True,
        printed="sixes",
        words="Counts are shown as the middle of the six that they lie among: 3 stands for 1 to 6.",
    ),
}


def find_rule(rule: str | Rule) -> Rule:
    """Return a rule set by its id.

    Raises
    ------
    ParameterError : there is none of that name, or it is no name.
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str):
        raise ParameterError(
            f"rule is {rule!r}; give the name of a rule set ({', '.join(RULES)}) or e.g. small_cells(16)"
        )
    if rule not in RULES:
        hint = suggestion(rule, RULES)
        raise ParameterError(f"unknown rule {rule!r}; {hint or 'use ' + ', '.join(RULES)}")
    return RULES[rule]
