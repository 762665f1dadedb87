"""Random-effects pooling of site estimates: an average, its interval, and what a further site may expect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from evalkit.errors import DesignError

FloatArray = npt.NDArray[np.float64]
Method = Literal["reml", "dl", "pm"]

# The variance between sites is sought no finer than this share of the smallest sampling variance.
TAU2_PRECISION = 1e-12


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The average of K site estimates and how far sites differ; all in the unit of the estimates.

    Attributes
    ----------
    mu, se : average and its Wald standard error
    conf_low, conf_high : Hartung-Knapp interval with t of K - 1 degrees of freedom; its standard error
        `se_hk` is never below the Wald one
    predict_low, predict_high : where the true value of one more, similar site would lie; NaN for two sites
    tau2, tau2_low, tau2_high : variance of the true values between sites, with its profile interval
    q, q_p_value : Cochran's Q and its p-value
    i2 : share of the variation that is not sampling error, in percent
    k : number of sites
    """

    k: int
    method: str
    mu: float
    se: float
    se_hk: float
    conf_low: float
    conf_high: float
    p_value: float
    predict_low: float
    predict_high: float
    tau2: float
    tau2_low: float
    tau2_high: float
    q: float
    q_p_value: float
    i2: float


def pool_random_effects(
    estimates: Sequence[float] | FloatArray,
    std_errors: Sequence[float] | FloatArray,
    *,
    method: Method = "reml",
    conf_level: float = 0.95,
) -> Pool:
    """Pool site estimates by a random-effects model.

    Two sites are pooled with the t of one degree of freedom: the interval is then very wide, as it should be.

    Parameters
    ----------
    estimates, std_errors : one finite value a site, in the same unit; standard errors above zero
    method : how the variance between sites is estimated: restricted maximum likelihood, DerSimonian-Laird or
        Paule-Mandel
    conf_level : coverage of every interval, in (0, 1)

    Raises
    ------
    DesignError : fewer than two sites, or an estimate or standard error that cannot be pooled.

    References
    ----------
    Viechtbauer (2005), J Educ Behav Stat 30:261-293 (REML); DerSimonian & Laird (1986), Control Clin Trials
    7:177-188; Paule & Mandel (1982), J Res NBS 87:377-385; Hartung & Knapp (2001), Stat Med 20:3875-3889;
    Viechtbauer (2007), Stat Med 26:37-52 (profile interval of tau2).
    """
    y = np.asarray(estimates, dtype=np.float64)
    v = np.asarray(std_errors, dtype=np.float64) ** 2
    _check(y, v, conf_level)
    k = len(y)
    tau2 = {"reml": _reml, "dl": _dersimonian_laird, "pm": _paule_mandel}[method](y, v)
    mu, se = _average(y, v + tau2)
    se_hk = se * np.sqrt(max(1.0, float(np.sum((y - mu) ** 2 / (v + tau2))) / (k - 1)))
    t = float(stats.t.ppf(0.5 + conf_level / 2, k - 1))
    reach = t * np.sqrt(se_hk**2 + tau2) if k > 2 else np.nan
    q = _generalised_q(y, v, 0.0)
    w = 1 / v
    typical = (k - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())
    tau2_low, tau2_high = _tau2_interval(y, v, conf_level)
    return Pool(
        k=k,
        method=method,
        mu=mu,
        se=se,
        se_hk=float(se_hk),
        conf_low=float(mu - t * se_hk),
        conf_high=float(mu + t * se_hk),
        p_value=float(2 * stats.t.sf(abs(mu) / se_hk, k - 1)),
        predict_low=float(mu - reach),
        predict_high=float(mu + reach),
        tau2=tau2,
        tau2_low=tau2_low,
        tau2_high=tau2_high,
        q=q,
        q_p_value=float(stats.chi2.sf(q, k - 1)),
        i2=float(100 * tau2 / (tau2 + typical)),
    )


def _check(y: FloatArray, v: FloatArray, conf_level: float) -> None:
    if y.ndim != 1 or y.shape != v.shape:
        raise DesignError(f"{y.size} estimates and {v.size} standard errors; give one of each a site")
    if len(y) < 2:
        raise DesignError(
            f"{len(y)} site with an estimate; pooling needs at least 2, so the site stands alone"
        )
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise DesignError(
            "an estimate or standard error is absent, infinite or not above zero; leave that site out"
        )
    if not 0 < conf_level < 1:
        raise DesignError(f"conf_level is {conf_level}; give a share between 0 and 1, e.g. 0.95")


def _average(y: FloatArray, total: FloatArray) -> tuple[float, float]:
    w = 1 / total
    return float((w * y).sum() / w.sum()), float(1 / np.sqrt(w.sum()))


def _generalised_q(y: FloatArray, v: FloatArray, tau2: float) -> float:
    mu, _ = _average(y, v + tau2)
    return float(((y - mu) ** 2 / (v + tau2)).sum())


def _dersimonian_laird(y: FloatArray, v: FloatArray) -> float:
    w = 1 / v
    excess = _generalised_q(y, v, 0.0) - (len(y) - 1)
    return max(0.0, float(excess / (w.sum() - (w**2).sum() / w.sum())))


def _paule_mandel(y: FloatArray, v: FloatArray) -> float:
    return _tau2_where_q_is(y, v, float(len(y) - 1))


def _reml(y: FloatArray, v: FloatArray) -> float:
    def deviance(tau2: float) -> float:
        total = v + tau2
        return float(np.log(total).sum() + np.log((1 / total).sum()) + _generalised_q(y, v, tau2))

    # The likelihood can have two humps: look along the whole line first, then climb the best one.
    grid = np.concatenate([[0.0], np.geomspace(v.min() * 1e-4, _tau2_ceiling(y, v), 200)])
    best = int(np.argmin([deviance(tau2) for tau2 in grid]))
    if best == 0:
        return 0.0
    low, high = grid[best - 1], grid[min(best + 1, len(grid) - 1)]
    score = _restricted_score(y, v)
    if score(low) > 0 > score(high):
        return float(optimize.brentq(score, low, high, xtol=v.min() * TAU2_PRECISION, rtol=1e-14))
    found = optimize.minimize_scalar(deviance, bounds=(low, high), method="bounded")
    return float(found.x)


def _restricted_score(y: FloatArray, v: FloatArray) -> Callable[[float], float]:
    def score(tau2: float) -> float:
        w = 1 / (v + tau2)
        mu = (w * y).sum() / w.sum()
        return float((w**2 * (y - mu) ** 2).sum() - w.sum() + (w**2).sum() / w.sum())

    return score


def _tau2_interval(y: FloatArray, v: FloatArray, conf_level: float) -> tuple[float, float]:
    upper_tail, lower_tail = stats.chi2.ppf([0.5 + conf_level / 2, 0.5 - conf_level / 2], len(y) - 1)
    return _tau2_where_q_is(y, v, float(upper_tail)), _tau2_where_q_is(y, v, float(lower_tail))


def _tau2_where_q_is(y: FloatArray, v: FloatArray, value: float) -> float:
    """Solve Q(tau2) = value, which falls in tau2; 0 where Q is below the value already at tau2 = 0."""
    if _generalised_q(y, v, 0.0) <= value:
        return 0.0
    high = _tau2_ceiling(y, v)
    while _generalised_q(y, v, high) > value:
        high *= 4
    return float(
        optimize.brentq(
            lambda tau2: _generalised_q(y, v, tau2) - value,
            0.0,
            high,
            xtol=v.min() * TAU2_PRECISION,
            rtol=1e-14,
        )
    )


def _tau2_ceiling(y: FloatArray, v: FloatArray) -> float:
    return float(10 * (np.ptp(y) ** 2 + v.max()))
