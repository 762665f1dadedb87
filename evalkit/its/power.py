"""Power before the study: what an interrupted time series can find, with the estimator of the analysis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DesignError, ParameterError
from evalkit.intervals import one_proportion_interval
from evalkit.its.design import effects, means, segmented_design
from evalkit.its.engine import Member, fit_members, learn
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE
from evalkit.results import Result, tidy_frame
from evalkit.simulate import simulate_series
from evalkit.wording import number, percent

Floats = NDArray[np.float64]

METHOD = "its_power"
TERMS = ("level_change", "slope_change", "effect_average")
ENOUGH = 80.0  # percent: the usual aim when a study is planned


def its_power(
    n_pre: int,
    n_post: int,
    rho: float,
    *,
    level: float | Sequence[float] = 0.0,
    slope: float | Sequence[float] = 0.0,
    sites: int = 1,
    sigma: float = 1.0,
    method: str | None = None,
    conf_level: float = 0.95,
    repeats: int = 1000,
    seed: int = 1,
) -> Result:
    """Simulate how often an effect would be found, by the very estimator that will look for it.

    Parameters
    ----------
    n_pre, n_post : periods before and from the interruption on
    rho : autocorrelation of the errors, in (−1, 1)
    level, slope : true level change and slope change per period, in the unit of `sigma`; a list of either
        gives a curve, with as many of the other or one for all
    sites : series that learn ρ together, each with this effect and errors of its own; `power` is that of one
        of them, `power_any` that of at least one
    sigma : standard deviation of the errors, in the indicator's unit
    method : as in `fit_arrays`; by default "network" from five sites on, else "integrated"
    repeats : simulated studies for each effect; the Monte-Carlo error is at most 50/√repeats points

    Returns
    -------
    Result "its_power". Frame `power` has a row per effect and term (`TERMS`): `power`, `power_low`,
    `power_high` (Monte-Carlo interval), `power_any`, all in percent, and `width`, the mean width of the
    intervals. A row without an effect gives the rate of false alarms instead of power.

    Raises
    ------
    DesignError : fewer than 4 periods before or 2 after; rho outside (−1, 1).
    ParameterError : lists of different lengths; no repeats or sites.
    """
    if n_pre < FEWEST_BEFORE or n_post < FEWEST_AFTER:
        raise DesignError(
            f"{n_pre} periods before and {n_post} after; an interrupted time series needs at least "
            f"{FEWEST_BEFORE} and {FEWEST_AFTER}"
        )
    if min(repeats, sites) < 1:
        raise ParameterError(f"{repeats} repeats of {sites} sites; both must be at least 1")
    levels, slopes = np.atleast_1d(level).astype(np.float64), np.atleast_1d(slope).astype(np.float64)
    count = max(levels.size, slopes.size)
    if {levels.size, slopes.size} - {1, count}:
        raise ParameterError(
            f"{levels.size} levels and {slopes.size} slopes; give as many of both, or one of either"
        )
    levels, slopes = np.broadcast_to(levels, count), np.broadcast_to(slopes, count)
    chosen = method or ("network" if sites >= 5 else "integrated")
    n = n_pre + n_post
    design = segmented_design(n, start=n_pre)
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    average = effects(design, np.ones(n, dtype=np.bool_))["effect_average"]
    asked = means(TERMS, np.stack([unit["level_change"], unit["slope_change"], average]))
    # one set of errors for all effects: an effect moves the estimate by itself and the interval with it
    errors = simulate_series(n_series=repeats * sites, n_pre=n_pre, n_post=n_post, rho=rho, seed=seed)
    errors *= sigma * np.sqrt(1 - rho**2)  # the drawn innovations have a standard deviation of 1
    families = np.split(errors, repeats) if chosen == "network" else [errors]
    low, high = (np.empty((repeats * sites, len(TERMS))) for _ in range(2))
    for place, family in enumerate(families):
        member = Member(family, design, asked)
        (fit,) = fit_members([member], learn([member], chosen), method=chosen, conf_level=conf_level)
        rows = slice(place * len(family), (place + 1) * len(family))
        low[rows], high[rows] = fit.conf_low, fit.conf_high
    rows_made = [
        row
        for a, b in zip(levels, slopes, strict=True)
        for row in _found(float(a), float(b), low, high, n_post, sites)
    ]
    frame = pd.DataFrame(rows_made).assign(n_pre=n_pre, n_post=n_post, rho=rho, sites=sites, inference=chosen)
    return Result(
        method=METHOD,
        title=f"What {n_pre} periods before and {n_post} after can find",
        design={
            "n_pre": n_pre,
            "n_post": n_post,
            "rho": rho,
            "sites": sites,
            "sigma": sigma,
            "inference": chosen,
            "conf_level": conf_level,
            "repeats": repeats,
            "seed": seed,
        },
        tidy=tidy_frame(
            [
                {
                    "method": METHOD,
                    "term": f"{row['term']}_power",
                    "estimate": row["power"],
                    "conf_low": row["power_low"],
                    "conf_high": row["power_high"],
                    "unit": "percent",
                    "n": repeats,
                    "note": f"level change {row['level']:g}, slope change {row['slope']:g}",
                }
                for row in rows_made
            ]
        ),
        frames={"power": frame},
        narrative=(_told(frame, n_pre, n_post, rho),),
    )


def _found(
    level: float, slope: float, low: Floats, high: Floats, n_post: int, sites: int
) -> list[dict[str, Any]]:
    """Count the intervals that exclude 0 once the effect is added."""
    truth = np.array([level, slope, level + slope * (n_post - 1) / 2])
    excluded = (low + truth > 0) | (high + truth < 0)
    share = excluded.mean(axis=0)
    # the errors of a family's series are drawn apart, so each series counts
    ends = one_proportion_interval(excluded.sum(axis=0), len(low))
    anywhere = excluded.reshape(-1, sites, len(TERMS)).any(axis=1).mean(axis=0)
    return [
        {
            "term": term,
            "level": level,
            "slope": slope,
            "effect": truth[place],
            "power": 100 * share[place],
            "power_low": 100 * float(ends[0][place]),
            "power_high": 100 * float(ends[1][place]),
            "power_any": 100 * anywhere[place],
            "width": float(np.mean(high[:, place] - low[:, place])),
        }
        for place, term in enumerate(TERMS)
    ]


WORDS = {
    "level_change": "a level change",
    "slope_change": "a slope change per period",
    "effect_average": "an average difference from the earlier trend",
}


def _told(frame: pd.DataFrame, n_pre: int, n_post: int, rho: float) -> str:
    """Say the smallest effect that would be found often enough."""
    sentences = []
    for term, part in frame.groupby("term", sort=False):
        real = part[part["effect"].ne(0)]
        if real.empty:
            continue
        enough = real[real["power"].ge(ENOUGH)]
        row = (
            real.loc[real["power"].idxmax()] if enough.empty else enough.loc[enough["effect"].abs().idxmin()]
        )
        size = number(row["effect"], 2)
        sentences.append(f"{WORDS[str(term)]} of {size} would be found {percent(row['power'])} of the time")
    what = "; ".join(sentences) or "no effect was given"
    return (
        f"With {n_pre} periods before and {n_post} after, and neighbouring periods that go together with an "
        f"autocorrelation of {number(rho, 1)}: {what}."
    )
