"""Intervals for one proportion and for two, vectorised; zero and full cells get an interval too.

Proportions in, proportions (or their ratio) out; nothing here knows of percentage points.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from evalkit.errors import DataError, ParameterError, raise_together

Floats = NDArray[np.float64]

ONE_PROPORTION_METHODS = ("wilson", "clopper-pearson")
# contrast -> methods; the first is the default
TWO_PROPORTION_METHODS = {
    "difference": ("newcombe", "miettinen-nurminen"),
    "ratio": ("koopman", "miettinen-nurminen", "katz"),
}

BISECTIONS = 64  # halvings: the widest bracket, 100 on the log scale, ends below 1e-16
LOG_RATIO_LIMIT = 50.0  # natural log: no ratio of two counts of persons lies beyond e^50


def one_proportion_interval(
    x: ArrayLike, n: ArrayLike, *, method: str = "wilson", conf_level: float = 0.95
) -> tuple[Floats, Floats]:
    """Give an interval for a proportion.

    Parameters
    ----------
    x : persons counted, 0 to n; any shape that broadcasts with n
    n : persons at risk; 0 or NaN gives NaN
    method : "wilson" (score; covers about as often as it says) or "clopper-pearson" (exact; never too seldom)
    conf_level : coverage of the interval, in (0, 1)

    Returns
    -------
    Lower and upper ends as proportions; exactly 0 below x = 0 and exactly 1 above x = n.

    Raises
    ------
    DataError : a count is negative, endless, or larger than its total.
    ParameterError : the method is unknown, or conf_level lies outside (0, 1).

    References
    ----------
    Wilson (1927), JASA 22:209-212. Clopper and Pearson (1934), Biometrika 26:404-413.
    """
    _check_choice(method, ONE_PROPORTION_METHODS, "of one proportion", conf_level)
    (counted,), (total,), shape = _counts((x,), (n,))
    if method == "wilson":
        low, high = _wilson(counted, total, _normal_quantile(conf_level))
    else:
        tail = (1 - conf_level) / 2
        low = special.betaincinv(np.where(counted > 0, counted, 1), total - counted + 1, tail)
        high = special.betaincinv(counted + 1, np.where(counted < total, total - counted, 1), 1 - tail)
        low, high = np.where(counted == 0, 0.0, low), np.where(counted == total, 1.0, high)
    return _shaped(low, high, total > 0, shape)


def two_proportion_interval(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    *,
    contrast: str = "difference",
    method: str | None = None,
    conf_level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Give an interval for x1/n1 − x2/n2, or for (x1/n1) / (x2/n2).

    Parameters
    ----------
    x1, n1, x2, n2 : persons counted and persons at risk in two independent groups; shapes broadcast
    contrast : "difference" (first minus second) or "ratio" (first over second)
    method : for a difference "newcombe" (default) or "miettinen-nurminen"; for a ratio "koopman" (default),
        "miettinen-nurminen" (Koopman's with the factor N / (N − 1) on the variance) or "katz" (log scale)
    conf_level : coverage of the interval, in (0, 1)

    Returns
    -------
    Lower and upper ends. A ratio has no upper end (inf) where x2 = 0, the lower end 0 where x1 = 0, and says
    nothing, (0, inf), where both are 0. Katz is undefined, so NaN, where a count is 0 or where both cells are
    full. An empty or absent group gives NaN.

    Raises
    ------
    DataError : a count is negative, endless, or larger than its total.
    ParameterError : contrast and method do not go together, or conf_level lies outside (0, 1).

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10. Miettinen and Nurminen (1985), Statistics
    in Medicine 4:213-226. Koopman (1984), Biometrics 40:513-517. Katz et al. (1978), Biometrics 34:469-474.
    """
    if contrast not in TWO_PROPORTION_METHODS:
        raise ParameterError(
            f"{contrast!r} is not a contrast of two proportions; use {_choices(TWO_PROPORTION_METHODS)}"
        )
    methods = TWO_PROPORTION_METHODS[contrast]
    method = methods[0] if method is None else method
    _check_choice(method, methods, f"for a {contrast} of two proportions", conf_level)
    (a, b), (n, m), shape = _counts((x1, x2), (n1, n2))
    z = _normal_quantile(conf_level)
    if method == "newcombe":
        low, high = _newcombe(a, n, b, m, z)
    elif method == "katz":
        low, high = _katz(a, n, b, m, z)
    elif contrast == "difference":
        low, high = _miettinen_nurminen_difference(a, n, b, m, z)
    else:
        low, high = _score_ratio(a, n, b, m, z, corrected=method == "miettinen-nurminen")
    return _shaped(low, high, (n > 0) & (m > 0), shape)


def two_proportion_p_value(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike) -> Floats:
    """Test that two proportions are equal: the two-sided score test (uncorrected chi-squared).

    Returns
    -------
    p values; 1 where both cells are empty or both full, NaN where a group is empty or absent.

    Raises
    ------
    DataError : a count is negative, endless, or larger than its total.
    """
    (a, b), (n, m), shape = _counts((x1, x2), (n1, n2))
    with np.errstate(all="ignore"):
        pooled = (a + b) / (n + m)
        z = _ratio_or_zero(a / n - b / m, np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
    p_value = np.where((n > 0) & (m > 0), 2 * stats.norm.sf(np.abs(z)), np.nan)
    return np.asarray(p_value, dtype=np.float64).reshape(shape)


def _wilson(x: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):
        share = x / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.where(x == 0, 0.0, middle - half), np.where(x == n, 1.0, middle + half)


def _newcombe(x1: Floats, n1: Floats, x2: Floats, n2: Floats, z: float) -> tuple[Floats, Floats]:
    (low1, high1), (low2, high2) = _wilson(x1, n1, z), _wilson(x2, n2, z)
    with np.errstate(all="ignore"):
        p1, p2 = x1 / n1, x2 / n2
        low = p1 - p2 - np.hypot(p1 - low1, high2 - p2)
        high = p1 - p2 + np.hypot(high1 - p1, p2 - low2)
    return low, high


def _katz(x1: Floats, n1: Floats, x2: Floats, n2: Floats, z: float) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):
        log_ratio = np.log(x1 / n1) - np.log(x2 / n2)
        std_error = np.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
        defined = (x1 > 0) & (x2 > 0) & (std_error > 0)
        low, high = np.exp(log_ratio - z * std_error), np.exp(log_ratio + z * std_error)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def _miettinen_nurminen_difference(
    x1: Floats, n1: Floats, x2: Floats, n2: Floats, z: float
) -> tuple[Floats, Floats]:
    def score(difference: Floats) -> Floats:
        p2 = _constrained_share(x1, n1, x2, n2, difference)
        p1 = np.clip(p2 + difference, 0, 1)
        variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * (n1 + n2) / (n1 + n2 - 1)
        return _ratio_or_zero(observed - difference, np.sqrt(variance))

    with np.errstate(all="ignore"):
        observed = x1 / n1 - x2 / n2
        low = _falling_root(score, z, np.full_like(n1, -1.0), observed)
        high = _falling_root(score, -z, observed, np.full_like(n1, 1.0))
    return low, high


def _constrained_share(x1: Floats, n1: Floats, x2: Floats, n2: Floats, difference: Floats) -> Floats:
    """Find the likeliest p2 given p1 = p2 + difference: a root of Miettinen and Nurminen's cubic."""
    both, counted = n1 + n2, x1 + x2
    square = ((n1 + 2 * n2) * difference - both - counted) / both
    linear = ((n2 * difference - both - 2 * x2) * difference + counted) / both
    constant = x2 * difference * (1 - difference) / both
    q = square**3 / 27 - square * linear / 6 + constant / 2
    p = np.copysign(np.sqrt(np.maximum(square**2 / 9 - linear / 3, 0)), q)
    turn = (np.pi + np.arccos(np.clip(_ratio_or_zero(q, p**3), -1, 1))) / 3
    return np.clip(
        2 * p * np.cos(turn) - square / 3, np.maximum(0, -difference), np.minimum(1, 1 - difference)
    )


def _score_ratio(
    x1: Floats, n1: Floats, x2: Floats, n2: Floats, z: float, *, corrected: bool
) -> tuple[Floats, Floats]:
    factor = (n1 + n2) / (n1 + n2 - 1) if corrected else np.ones_like(n1)

    def score(log_ratio: Floats) -> Floats:
        ratio = np.exp(log_ratio)
        linear = ratio * (n1 + x2) + x1 + n2
        root = np.sqrt(np.maximum(linear**2 - 4 * (n1 + n2) * ratio * (x1 + x2), 0))
        p2 = np.minimum(2 * (x1 + x2) / (linear + root), np.minimum(1, 1 / ratio))
        p1 = np.minimum(ratio * p2, 1)
        variance = factor * (p1 * (1 - p1) / n1 + ratio**2 * p2 * (1 - p2) / n2)
        return _ratio_or_zero(x1 / n1 - ratio * x2 / n2, np.sqrt(variance))

    ends = np.full_like(n1, LOG_RATIO_LIMIT)
    with np.errstate(all="ignore"):
        low = np.exp(_falling_root(score, z, -ends, ends))
        high = np.exp(_falling_root(score, -z, -ends, ends))
    return np.where(x1 == 0, 0.0, low), np.where(x2 == 0, np.inf, high)


def _falling_root(function: Callable[[Floats], Floats], level: float, low: Floats, high: Floats) -> Floats:
    """Bisect for the argument where a falling function passes `level`, in every cell at once."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = function(middle) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


def _ratio_or_zero(top: Floats, bottom: Floats) -> Floats:
    """Divide, with 0 / 0 = 0: no evidence either way. Any other division by 0 is endless."""
    with np.errstate(all="ignore"):
        quotient: Floats = np.where(top == 0, 0.0, top / bottom)
    return quotient


def _normal_quantile(conf_level: float) -> float:
    return float(stats.norm.ppf((1 + conf_level) / 2))


def _counts(
    counted: tuple[ArrayLike, ...], totals: tuple[ArrayLike, ...]
) -> tuple[tuple[Floats, ...], tuple[Floats, ...], tuple[int, ...]]:
    """Broadcast and check counts; an empty or absent group becomes NaN in its count and its total."""
    arrays = np.broadcast_arrays(*(np.asarray(values, dtype=np.float64) for values in (*counted, *totals)))
    shape = arrays[0].shape
    flat = [np.array(values, dtype=np.float64).reshape(-1) for values in arrays]
    numerators, denominators = flat[: len(counted)], flat[len(counted) :]
    raise_together(DataError, _count_problems(numerators, denominators))
    for x, n in zip(numerators, denominators, strict=True):
        gone = np.isnan(x) | np.isnan(n) | (n == 0)
        x[gone], n[gone] = np.nan, np.nan
    return tuple(numerators), tuple(denominators), shape


def _count_problems(numerators: list[Floats], denominators: list[Floats]) -> list[str]:
    problems = []
    for x, n in zip(numerators, denominators, strict=True):
        wrong_ways = {
            "is endless": np.isinf(x) | np.isinf(n),
            "is negative": (x < 0) | (n < 0),
            "counts more persons than its total": x > n,
            "has a total below one person": (n > 0) & (n < 1),
        }
        for words, wrong in wrong_ways.items():
            if wrong.any():
                place = int(np.argmax(wrong))
                example = f"{x[place]:g} of {n[place]:g} at position {place}"
                problems.append(f"a proportion {words} ({example}; {int(wrong.sum())} in all)")
    return problems


def _check_choice(method: str, methods: tuple[str, ...], where: str, conf_level: float) -> None:
    if method not in methods:
        raise ParameterError(f"{method!r} is not an interval {where}; use {_choices(methods)}")
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")


def _choices(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _shaped(
    low: Floats, high: Floats, known: NDArray[np.bool_], shape: tuple[int, ...]
) -> tuple[Floats, Floats]:
    ends = (np.asarray(np.where(known, end, np.nan), dtype=np.float64).reshape(shape) for end in (low, high))
    return next(ends), next(ends)
