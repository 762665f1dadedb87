"""Subgroups of many strata side by side: rates, shares, standard errors and order, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import DataError, ParameterError, raise_together

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Strata:
    """Many strata (sites, periods, indicators), each with up to J subgroups; arrays are (J, strata).

    Attributes
    ----------
    rate : the stratum's mean where a subgroup is absent, so that it deviates from nothing
    share : of the stratum's population; 0 where a subgroup is absent
    std_error : of the rate; 0 where absent, NaN where unknown
    present : which subgroups count
    rank : 1 is the most disadvantaged; None for an unordered dimension
    reference : the flagged subgroup of each stratum, if any
    favourable : "higher" or "lower"
    scale : the greatest value a rate can take; None for a mean without one
    """

    rate: Floats
    share: Floats
    std_error: Floats
    present: Flags
    rank: Floats | None
    reference: Flags | None
    favourable: str
    scale: float | None

    @property
    def mean(self) -> Floats:
        """Give the stratum's rate: the mean of its subgroups, weighted by their shares."""
        weighted: Floats = (self.share * self.rate).sum(axis=0)
        return weighted

    @property
    def count(self) -> Floats:
        """Count the subgroups present."""
        return np.asarray(self.present.sum(axis=0), dtype=np.float64)

    @property
    def sign(self) -> float:
        """Give 1 where higher is better, else −1."""
        return 1.0 if self.favourable == "higher" else -1.0

    def with_rate(self, rate: Floats) -> "Strata":
        """Put other rates in the place of these; absent subgroups keep to the mean of the others."""
        filled = rate
        if not self.present.all():
            filled = np.where(self.present, rate, (self.share * rate).sum(axis=0))
        return Strata(
            filled, self.share, self.std_error, self.present, self.rank, self.reference, self.favourable,
            self.scale,
        )  # fmt: skip

    def part(self, start: int, end: int) -> "Strata":
        """Cut out some of the strata, with a last axis of length 1 for draws."""
        here = (slice(None), slice(start, end), None)
        return Strata(
            self.rate[here],
            self.share[here],
            self.std_error[here],
            self.present[here],
            None if self.rank is None else self.rank[here],
            None if self.reference is None else self.reference[here],
            self.favourable,
            self.scale,
        )


def strata_of(
    rate: ArrayLike,
    population: ArrayLike,
    std_error: ArrayLike | None = None,
    *,
    favourable: str,
    scale: float | None,
    order: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> Strata:
    """Check the arrays of many strata and bring them into one form.

    Parameters
    ----------
    rate, population : (J, strata) or (J,); a subgroup with no rate, or with no population, is left out
    std_error : of the rates, in their unit; None where unknown
    order : rank of each subgroup, 1 the most disadvantaged; ties are allowed
    reference : true for the one subgroup of a stratum with which the others are compared

    Raises
    ------
    ParameterError : `favourable` or `scale` is not a choice.
    DataError : a rate lies outside 0 to scale, a population or standard error is negative, or a rank is
        absent.
    """
    if favourable not in {"higher", "lower"}:
        raise ParameterError(f"favourable is {favourable!r}; say 'higher' or 'lower'")
    if scale is not None and not scale > 0:
        raise ParameterError(f"scale is {scale}; give the greatest value a rate can take, e.g. 100, or None")
    values, people = _plane(rate), _plane(population)
    error = np.full_like(values, np.nan) if std_error is None else _plane(std_error)
    rank = None if order is None else np.broadcast_to(_plane(order), values.shape)
    flag = None if reference is None else np.broadcast_to(_flags(reference), values.shape)
    values, people, error = np.broadcast_arrays(values, people, error)
    present = np.isfinite(values) & np.isfinite(people) & (people > 0)
    raise_together(DataError, _problems(values, people, error, rank, present, scale))
    people = np.where(present, people, 0.0)
    total = people.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = people / total
    mean = (share * np.where(present, values, 0.0)).sum(axis=0)
    return Strata(
        rate=np.where(present, values, mean),
        share=share,
        std_error=np.where(present, error, 0.0),
        present=present,
        rank=None if rank is None else np.where(present, rank, np.nan),
        reference=None if flag is None else flag & present,
        favourable=favourable,
        scale=scale,
    )


def ridit(strata: Strata) -> Floats:
    """Give each subgroup's middle place, 0 to 1, from the most disadvantaged; ties share one place.

    Raises
    ------
    ParameterError : the dimension has no order.
    """
    if strata.rank is None:
        raise ParameterError("an unordered dimension has no ridits; give `order`")
    own, other = strata.rank[:, None], strata.rank[None, :]
    below = (np.where(other < own, 1.0, 0.0) * strata.share[None]).sum(axis=1)
    tied = (np.where(other == own, 1.0, 0.0) * strata.share[None]).sum(axis=1)
    return np.asarray(below + tied / 2, dtype=np.float64)


def end_weights(strata: Strata, *, top: bool) -> Floats:
    """Weigh the subgroups at one end of the order by their shares, to 1 together."""
    if strata.rank is None:
        raise ParameterError("an unordered dimension has no ends; give `order`")
    inner = np.where(strata.present, strata.rank, -np.inf if top else np.inf)
    end = inner.max(axis=0) if top else inner.min(axis=0)
    weight = np.where(strata.present & (inner == end), strata.share, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weight / weight.sum(axis=0), dtype=np.float64)


def _plane(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def _flags(values: ArrayLike) -> Flags:
    array = np.asarray(values, dtype=bool)
    return array[:, None] if array.ndim == 1 else array


def _problems(
    rate: Floats, people: Floats, error: Floats, rank: Floats | None, present: Flags, scale: float | None
) -> list[str]:
    top = np.inf if scale is None else scale * (1 + 1e-9)
    bottom = -np.inf if scale is None else 0.0
    wrong_ways = {
        f"a rate lies outside 0 to {scale:g}" if scale is not None else "": present
        & ((rate > top) | (rate < bottom)),
        "a population is negative": people < 0,
        "a standard error is negative": error < 0,
    }
    if rank is not None:
        wrong_ways["a subgroup has no rank; give `order` for each"] = present & np.isnan(rank)
    return [f"{words} ({int(wrong.sum())} in all)" for words, wrong in wrong_ways.items() if wrong.any()]
