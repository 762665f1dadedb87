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
        changes = [index for index, term in enumerate(self.terms) if term.startswith(INTERRUPTION_TERMS)]
        matrix[:, changes] = 0
        return matrix


@dataclass(frozen=True, eq=False)
class Contrasts:
    """L linear combinations of the p coefficients.

    Attributes
    ----------
    terms : name of each
    weights : (L, p), or (S, L, p) where each series is asked something of its own
    ahead : (L,) 0 for a mean; h > 0 for the prediction of one new value h periods after the last observed
        one, which carries that period's residual forward and adds the noise to come
    """

    terms: tuple[str, ...]
    weights: Floats
    ahead: Integers


INTERRUPTION_TERMS = ("level_change", "slope_change")  # how the names of these columns begin
UNRELATED = 10_000  # periods between two series stacked as one: ρ to this power is nothing


@dataclass(frozen=True, eq=False)
class Extras:
    """What a design has beside level and trend before and after one interruption.

    Attributes
    ----------
    later : positions of further interruptions, each with its own `level_change_2`, `slope_change_2`, …
    phase_in : periods from the interruption on in which the work was being set up
    ramp : whether the level rises in equal steps over them; otherwise they are left out of the fit
    step_only : whether the slope stays as it was
    season : place of each period in its year, e.g. the month; adds effects that sum to zero over the places.
        0 marks a period without one (nothing was observed there)
    cycle, harmonics : instead of a place of its own for each period, this many sine and cosine pairs in a
        cycle of so many periods
    covariates : further columns (n,) by name
    """

    later: tuple[int, ...] = ()
    phase_in: int = 0
    ramp: bool = False
    step_only: bool = False
    season: Sequence[int] | None = None
    cycle: int = 0
    harmonics: int = 0
    covariates: Mapping[str, Floats] | None = None

    def left_out(self, n: int, start: int) -> NDArray[np.bool_]:
        """Tell which periods the fit leaves out (n,)."""
        clock = np.arange(n)
        return (clock >= start) & (clock < start + (0 if self.ramp else self.phase_in))


PLAIN = Extras()


def segmented_design(
    n: int, *, start: int, season: Sequence[int] | None = None, extras: Extras = PLAIN
) -> Design:
    """Lay out a level and a trend that both change at one interruption, or at several.

    The clock counts periods from the first one (0); the post-period clock is 0 in the first post period, so
    `level_change` is the jump in that very period and `slope_change` is per period. After a phase-in both are
    counted from the first period of full work; a ramp reaches the level change in that period.

    Parameters
    ----------
    n : periods
    start : position of the first post period
    season : short for `Extras(season=…)`
    extras : what else the design has

    Raises
    ------
    DesignError : an interruption leaves no period before or after it, or does not follow the one before it.

    References
    ----------
    Huitema and McKean (2000), Educational and Psychological Measurement 60:38-58.
    """
    if not 0 < start < n:
        raise DesignError(
            f"the first post period is number {start} of {n}; an interruption needs periods on both sides"
        )
    if extras.phase_in < 0 or start + extras.phase_in >= n:
        raise DesignError(
            f"a phase-in of {extras.phase_in} periods from number {start} of {n} leaves none of full work"
        )
    starts = (start, *extras.later)
    if list(starts) != sorted(set(starts)) or starts[-1] >= n:
        raise DesignError(
            f"the interruptions lie at {list(starts)} of {n} periods; each must follow the last"
        )
    clock = np.arange(n, dtype=np.float64)
    columns = {"intercept": np.ones(n), "trend": clock}
    for number, first in enumerate(starts, 1):
        ending = "" if number == 1 else f"_{number}"
        phase = extras.phase_in if number == 1 else 0
        full = first + phase
        if extras.ramp and phase:
            columns[f"level_change{ending}"] = np.clip((clock - first + 1) / (phase + 1), 0.0, 1.0)
        else:
            columns[f"level_change{ending}"] = (clock >= full).astype(np.float64)
        if not extras.step_only:
            columns[f"slope_change{ending}"] = np.maximum(clock - full, 0.0)
    columns |= seasonal_columns(season if extras.season is None else extras.season)
    columns |= harmonic_columns(n, extras.cycle, extras.harmonics)
    for name, values in (extras.covariates or {}).items():
        columns[f"covariate_{name}"] = np.asarray(values, dtype=np.float64)
    return Design(tuple(columns), np.stack(list(columns.values()), axis=1), start)


def two_group_design(design: Design) -> Design:
    """Stack a series and its comparison: the rows of the series, then those of the comparison.

    The plain terms belong to the comparison; `level_change_difference`, `slope_change_difference`,
    `trend_difference` and `intercept_difference` are the series less the comparison. Both have the same
    autocorrelation and error variance, and their errors are taken to be unrelated.
    """
    n = len(design.matrix)
    own = np.concatenate([np.ones(n), np.zeros(n)])[:, None]
    both = np.concatenate([design.matrix, design.matrix])
    position = np.concatenate([np.arange(n), np.arange(n) + UNRELATED])
    return Design(
        (*design.terms, *(f"{term}_difference" for term in design.terms)),
        np.concatenate([both, own * both], axis=1),
        design.start,
        position,
    )


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


def harmonic_columns(n: int, cycle: int, pairs: int) -> dict[str, Floats]:
    """Lay out sine and cosine pairs; a pair at half the cycle has no sine, which would be 0 throughout."""
    if pairs == 0:
        return {}
    if not 0 < pairs <= cycle // 2:
        raise DesignError(
            f"{pairs} harmonics in a cycle of {cycle} periods; at most half the cycle can be told"
        )
    clock = np.arange(n)
    columns = {}
    for pair in range(1, pairs + 1):
        angle = 2 * np.pi * pair * clock / cycle
        if 2 * pair < cycle:
            columns[f"sine_{pair}"] = np.sin(angle)
        columns[f"cosine_{pair}"] = np.cos(angle)
    return columns


def coefficients(design: Design) -> Contrasts:
    """Ask for every coefficient as it is."""
    p = len(design.terms)
    return Contrasts(design.terms, np.eye(p), np.zeros(p, dtype=np.intp))


def means(terms: Sequence[str], weights: Floats) -> Contrasts:
    """Ask for combinations (L, p) of coefficients."""
    return Contrasts(tuple(terms), weights, np.zeros(len(weights), dtype=np.intp))


def effects(design: Design, fitted: NDArray[np.bool_], *, horizon: int | None = None) -> dict[str, Floats]:
    """Give the contrasts (p,) of the effect: fitted less the earlier trend carried on.

    Parameters
    ----------
    fitted : (n,) periods whose values are in the fit
    horizon : position of a period to give it for besides

    Returns
    -------
    `effect_last` at the last of those periods, `effect_average` and `effect_cumulative` over all of them
    that follow the interruption, `effect_horizon` at the horizon.
    """
    difference = design.matrix - design.without_interruption
    rows = np.flatnonzero(fitted & (np.arange(len(fitted)) >= design.start))
    found = {
        "effect_last": difference[rows[-1]],
        "effect_average": difference[rows].mean(axis=0),
        "effect_cumulative": difference[rows].sum(axis=0),
    }
    return found if horizon is None else found | {"effect_horizon": difference[horizon]}


def relative_effects(
    design: Design, fitted: NDArray[np.bool_], *, horizon: int | None = None
) -> dict[str, tuple[Floats, Floats]]:
    """Give the contrasts (p,) of the fitted path and of the earlier trend, for each ratio of the two.

    Parameters
    ----------
    fitted : (n,) periods whose values are in the fit; the design may have further rows
    """
    path, earlier = design.matrix, design.without_interruption
    after = np.flatnonzero(fitted & (np.arange(fitted.size) >= design.start))
    found = {
        "relative_effect_last": (path[after[-1]], earlier[after[-1]]),
        "relative_effect_average": (path[after].mean(axis=0), earlier[after].mean(axis=0)),
    }
    return (
        found if horizon is None else found | {"relative_effect_horizon": (path[horizon], earlier[horizon])}
    )


def predictions(design: Design, *, last: int, new_rows: Mapping[int, Floats]) -> Contrasts:
    """Ask for the prediction of new values; `new_rows` maps positions after `last` to design rows (p,)."""
    return Contrasts(
        tuple(f"period_{position}" for position in new_rows),
        np.stack(list(new_rows.values())),
        np.asarray([position - last for position in new_rows], dtype=np.intp),
    )
