"""Design matrices of an interrupted time series, and the contrasts of coefficients that people ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import DesignError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of a regression over n periods.

    Attributes
    ----------
    terms : name of each column
    matrix : (n, p)
    start : position of the first post period; n where there is no interruption
    position : (n,) when each row lies, in periods; None where the rows are evenly spaced
    """

    terms: tuple[str, ...]
    matrix: Floats
    start: int
    position: Integers | None = None

    @property
    def without_interruption(self) -> Floats:
        """The same rows (n, p) as if the interruption had never come: the counterfactual's contrasts."""
        matrix = self.matrix.copy()
        matrix[:, [index for index, term in enumerate(self.terms) if term in INTERRUPTION_TERMS]] = 0
        return matrix


@dataclass(frozen=True, eq=False)
class Contrasts:
    """L linear combinations of the p coefficients.

    Attributes
    ----------
    terms : name of each
    weights : (L, p)
    ahead : (L,) 0 for a mean; h > 0 for the prediction of one new value h periods after the last observed
        one, which carries that period's residual forward and adds the noise to come
    """

    terms: tuple[str, ...]
    weights: Floats
    ahead: Integers


INTERRUPTION_TERMS = ("level_change", "slope_change")


def segmented_design(n: int, *, start: int, season: Sequence[int] | None = None) -> Design:
    """Lay out a level and a trend that both change at one interruption.

    The clock counts periods from the first one (0); the post-period clock is 0 in the first post period, so
    `level_change` is the jump in that very period and `slope_change` is per period.

    Parameters
    ----------
    n : periods
    start : position of the first post period
    season : place of each period in its year, e.g. the month; adds effects that sum to zero over the places.
        0 marks a period without one (nothing was observed there)

    Raises
    ------
    DesignError : the interruption leaves no period before or after it.

    References
    ----------
    Huitema and McKean (2000), Educational and Psychological Measurement 60:38-58.
    """
    if not 0 < start < n:
        raise DesignError(
            f"the first post period is number {start} of {n}; an interruption needs periods on both sides"
        )
    clock = np.arange(n, dtype=np.float64)
    post = (clock >= start).astype(np.float64)
    columns = {
        "intercept": np.ones(n),
        "trend": clock,
        "level_change": post,
        "slope_change": post * (clock - start),
    }
    columns |= seasonal_columns(season)
    return Design(tuple(columns), np.stack(list(columns.values()), axis=1), start)


def trend_design(n: int, *, season: Sequence[int] | None = None) -> Design:
    """Lay out a level and a trend without any interruption."""
    columns = {"intercept": np.ones(n), "trend": np.arange(n, dtype=np.float64)} | seasonal_columns(season)
    return Design(tuple(columns), np.stack(list(columns.values()), axis=1), n)


def seasonal_columns(season: Sequence[int] | None) -> dict[str, Floats]:
    """Code the places of a year so that their effects sum to zero: the last is minus all others."""
    if season is None:
        return {}
    places = sorted(set(season) - {0})
    where = np.asarray(season)
    last = (where == places[-1]).astype(np.float64)
    return {f"season_{place}": (where == place) - last for place in places[:-1]}


def coefficients(design: Design) -> Contrasts:
    """Ask for every coefficient as it is."""
    p = len(design.terms)
    return Contrasts(design.terms, np.eye(p), np.zeros(p, dtype=np.intp))


def means(terms: Sequence[str], weights: Floats) -> Contrasts:
    """Ask for combinations (L, p) of coefficients."""
    return Contrasts(tuple(terms), weights, np.zeros(len(weights), dtype=np.intp))


def effects(design: Design, observed: NDArray[np.bool_]) -> dict[str, Floats]:
    """Give the contrasts (p,) of the effect at the last observed period and averaged over all that follow."""
    difference = design.matrix - design.without_interruption
    rows = np.flatnonzero(observed & (np.arange(len(observed)) >= design.start))
    return {"effect_last": difference[rows[-1]], "effect_average": difference[rows].mean(axis=0)}


def predictions(design: Design, *, last: int, new_rows: Mapping[int, Floats]) -> Contrasts:
    """Ask for the prediction of new values; `new_rows` maps positions after `last` to design rows (p,)."""
    return Contrasts(
        tuple(f"period_{position}" for position in new_rows),
        np.stack(list(new_rows.values())),
        np.asarray([position - last for position in new_rows], dtype=np.intp),
    )
