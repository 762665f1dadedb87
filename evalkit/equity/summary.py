"""All summary measures of one table: a row per measure, with interval, chance value and reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.dictionary import TOTAL_SUBGROUP
from evalkit.equity.chance import corrected, expected_if_equal
from evalkit.equity.measure_intervals import spreads
from evalkit.equity.measures import MEASURES, UNORDERED, point_estimates
from evalkit.equity.simulated import simulated_intervals
from evalkit.equity.strata import Strata, strata_of
from evalkit.errors import DataError, ParameterError, raise_together

Floats = NDArray[np.float64]

INTERVALS = ("closed", "simulated")
COLUMNS = (
    "measure", "label", "estimate", "std_error", "conf_low", "conf_high", "expected_if_equal", "corrected",
    "unit", "groups", "note",
)  # fmt: skip
SEED = 20_111  # of the simulated intervals; any number does, but always the same


def summary_measures(
    frame: pd.DataFrame,
    *,
    rate: str,
    population: str,
    std_error: str | None = None,
    favourable: str,
    scale: float | None,
    order: str | None = None,
    reference: str | None = None,
    subgroup: str = "subgroup",
    by: str | Sequence[str] = (),
    conf_level: float = 0.95,
    interval: str = "closed",
    draws: int = 1000,
    seed: int = SEED,
) -> pd.DataFrame:
    """Sum up the inequality among all subgroups: WHO's 21 measures, and two corrected concentration indices.

    Parameters
    ----------
    frame : a row per subgroup, without totals; a subgroup without rate or population is left out and named
    rate, population, std_error, order : columns; `order` ranks from 1, the most disadvantaged
    favourable : "higher" or "lower" rates are better
    scale : the greatest value a rate can take (1, 100, 1000); None for a mean, whose slope is then a straight
        line instead of a logistic one
    reference : subgroup with which mdru and mdrw compare; `d` and `r` of an unordered dimension are highest
        against lowest whether or not it is given
    by : columns that tell strata apart, e.g. site and period; every stratum is measured for itself
    interval : "closed" (from the subgroups' standard errors) or "simulated" (bias-corrected percentiles of
        `draws` draws; covers too seldom where subgroups are close to one another)

    Returns
    -------
    The columns of `by` and `COLUMNS`, a row per stratum and measure in WHO's order, in the unit of the rates
    or as `unit` says. `expected_if_equal` is what chance alone would show on average; `corrected` is the
    estimate less what chance adds (bgv − Σ p (1 − p) se² is unbiased and may be negative). A measure that
    cannot be had is a row of NaN with the reason in `note`.

    Raises
    ------
    ParameterError : a choice is not one, or a column is absent.
    DataError : there is no row, a rate lies off the scale, a subgroup is there twice or contains the others.

    References
    ----------
    Schlotheuber and Hosseinpoor (2022), International Journal of Environmental Research and Public Health
    19:3697.
    """
    keys = [by] if isinstance(by, str) else list(by)
    columns = [rate, population, *(name for name in (std_error, order) if name), *keys]
    _check(frame, columns, reference, subgroup, interval, conf_level)
    raise_together(DataError, _row_problems(frame, subgroup, keys))
    laid = _Layout.of(frame, [*(name for name in (order, rate, std_error) if name), population], keys)
    flag = None
    if reference is not None:
        flag = laid.plane(frame[subgroup].eq(reference).astype(float)) == 1
    strata = strata_of(
        laid.plane(frame[rate]),
        laid.plane(frame[population]),
        None if std_error is None else laid.plane(frame[std_error]),
        favourable=favourable,
        scale=scale,
        order=None if order is None else laid.plane(frame[order]),
        reference=flag,
    )
    estimates = point_estimates(strata)
    ends = spreads(strata, estimates, conf_level=conf_level)
    error = {name: found[0] for name, found in ends.items()}
    bounds = {name: (found[1], found[2]) for name, found in ends.items()}
    if interval == "simulated":
        bounds = simulated_intervals(strata, estimates, draws=draws, seed=seed, conf_level=conf_level)
    names = [name for name in MEASURES if scale is not None or "scale" not in MEASURES[name].needs]
    nothing = np.full(laid.count, np.nan)
    fixed = {name: np.full(laid.count, MEASURES[name].at_equality) for name in estimates}
    columns_of = {
        "estimate": estimates,
        "std_error": error,
        "conf_low": {name: low for name, (low, _) in bounds.items()},
        "conf_high": {name: high for name, (_, high) in bounds.items()},
        "expected_if_equal": fixed | expected_if_equal(strata),
        "corrected": estimates | corrected(strata, estimates),
    }
    out = {
        name: np.stack([values.get(measure, nothing) for measure in names], axis=1).ravel()
        for name, values in columns_of.items()
    }
    # Without an error or an estimate nothing can be said of chance.
    unknown = np.isnan(strata.std_error).any(axis=0).repeat(len(names)) | np.isnan(out["estimate"])
    for name in ("expected_if_equal", "corrected"):
        out[name] = np.where(unknown, np.nan, out[name])
    notes = _notes(frame, strata, laid, names, estimates, subgroup, has_error=std_error is not None)
    told = pd.DataFrame(
        {
            "measure": names * laid.count,
            "label": [MEASURES[name].label for name in names] * laid.count,
            **out,
            "unit": [MEASURES[name].unit for name in names] * laid.count,
            "groups": strata.count.astype(int).repeat(len(names)),
            "note": notes,
        }
    )[list(COLUMNS)]
    where = laid.keys.loc[laid.keys.index.repeat(len(names))].reset_index(drop=True)
    return pd.concat([where, told], axis=1) if keys else told


@dataclass(frozen=True)
class _Layout:
    """Where each row of a frame stands in the (subgroup, stratum) plane."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    groups: int
    count: int
    keys: pd.DataFrame

    @classmethod
    def of(cls, frame: pd.DataFrame, order: Sequence[str], keys: list[str]) -> "_Layout":
        """Place subgroups by their values, so that neither the order of rows nor names can matter."""
        if keys:
            grouped = frame.groupby(keys, sort=True, dropna=False)
            column = grouped.ngroup().to_numpy()
            labels = frame[keys].iloc[np.unique(column, return_index=True)[1]].reset_index(drop=True)
        else:
            column, labels = np.zeros(len(frame), dtype=np.int64), pd.DataFrame(index=[0])
        ranked = np.lexsort([*(frame[name].to_numpy(dtype=float) for name in reversed(order)), column])
        sizes = np.bincount(column)
        row = np.empty(len(frame), dtype=np.int64)
        row[ranked] = np.arange(len(frame)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return cls(row, column, int(sizes.max()), sizes.size, labels)

    def plane(self, values: pd.Series) -> Floats:
        """Lay a column out as (subgroups, strata), NaN where a stratum has fewer subgroups."""
        out = np.full((self.groups, self.count), np.nan)
        out[self.row, self.column] = values.to_numpy(dtype=float)
        return out


def _check(
    frame: pd.DataFrame,
    columns: list[str],
    reference: str | None,
    subgroup: str,
    interval: str,
    conf_level: float,
) -> None:
    absent = [name for name in columns if name not in frame.columns]
    if reference is not None and subgroup not in frame.columns:
        absent.append(subgroup)
    if absent:
        raise ParameterError(f"no column {', '.join(map(repr, absent))} in the frame")
    if frame.empty:
        raise DataError("the frame has no row, so there is nothing to sum up")
    if reference is not None and reference not in set(frame[subgroup]):
        raise ParameterError(f"the reference {reference!r} is not among the subgroups")
    if interval not in INTERVALS:
        raise ParameterError(f"interval is {interval!r}; use {' or '.join(map(repr, INTERVALS))}")
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")


def _row_problems(frame: pd.DataFrame, subgroup: str, keys: list[str]) -> list[str]:
    if subgroup not in frame.columns:
        return []
    problems = []
    twice = sorted(set(frame.loc[frame.duplicated([subgroup, *keys]), subgroup].astype(str)))
    if twice:
        problems.append(f"there twice in one stratum: {', '.join(twice)}; say `by` to tell strata apart")
    if frame[subgroup].eq(TOTAL_SUBGROUP).any():
        problems.append(f"the subgroup {TOTAL_SUBGROUP!r} contains the others; leave it out")
    return problems


def _notes(
    frame: pd.DataFrame,
    strata: Strata,
    laid: _Layout,
    names: list[str],
    estimates: dict[str, Floats],
    subgroup: str,
    *,
    has_error: bool,
) -> list[str]:
    """Say of every row what was left out, and why there is no estimate or no interval."""
    left_out: dict[int, list[str]] = {}
    for place in np.flatnonzero(~strata.present[laid.row, laid.column]):
        name = str(frame[subgroup].iloc[place]) if subgroup in frame else f"row {place + 1}"
        left_out.setdefault(int(laid.column[place]), []).append(name)
    no_interval = np.atleast_1d(np.isnan(strata.std_error).any(axis=0))
    notes = []
    for at in range(laid.count):
        gone = sorted(left_out.get(at, []))
        common = [f"left out, no value: {', '.join(gone)}"] if gone else []
        if no_interval[at]:
            common.append(
                "no interval: a standard error is absent" if has_error else "no interval: no standard errors"
            )
        for name in names:
            reason = _reason(name, strata, at, estimates)
            notes.append("; ".join([reason, *common] if reason else common))
    return notes


def _reason(name: str, strata: Strata, at: int, estimates: dict[str, Floats]) -> str:
    if strata.count[at] < 2:
        return "fewer than two subgroups have a value"
    if strata.rank is None and name not in UNORDERED:
        return "needs an ordered dimension"
    if MEASURES[name].needs == "reference" and (
        strata.reference is None or not strata.reference[:, at].any()
    ):
        return "needs a reference that has a value"
    value = estimates[name][at]
    if np.isfinite(value):
        return ""
    return "not defined: a subgroup's rate is 0" if np.isinf(value) else "not defined for these rates"
