"""What a gap is made of: other rates, other composition, other returns to the same characteristics."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special
from statsmodels.stats.oaxaca import OaxacaBlinder

from evalkit.errors import DataError, ParameterError

Floats = NDArray[np.float64]

# Our word -> statsmodels' word, which it does not check: a slip there silently means "pooled".
OAXACA_WEIGHTS = {"pooled": "pooled", "neumark": "nuemark", "cotton": "cotton", "reimers": "reimers"}
SEED = 20_111  # of the resampled intervals


def kitagawa(
    strata: Sequence[str],
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    *,
    parts: int = 2,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Split a gap between two overall rates into rates within strata and composition by strata.

    Parameters
    ----------
    strata : names, e.g. grades; the same for both groups
    x1, n1, x2, n2 : persons counted and persons in each stratum, of the first and the second group
    parts : 2 (each part weighed at the two groups' average) or 3 (rate at the second group's composition,
        composition at the second group's rates, and their interaction)

    Returns
    -------
    `term` (gap, rate, composition, interaction), `stratum` ("" for all together), `estimate`, `std_error`,
    `conf_low`, `conf_high`, first minus second, as proportions. Persons are taken as sampled, so composition
    has its error too.

    Raises
    ------
    DataError : a stratum has nobody in one group, or counts exceed their totals.

    References
    ----------
    Kitagawa (1955), JASA 50:1168-1194.
    """
    if parts not in {2, 3}:
        raise ParameterError(f"parts is {parts}; use 2 or 3")
    counted = [np.asarray(values, dtype=np.float64) for values in (x1, x2)]
    persons = [np.asarray(values, dtype=np.float64) for values in (n1, n2)]
    empty = [name for name, a, b in zip(strata, *persons, strict=True) if not (a > 0 and b > 0)]
    if empty:
        raise DataError(f"nobody of one group in {', '.join(empty)}; join it with another stratum")
    if any(((x < 0) | (x > n) | ~np.isfinite(x)).any() for x, n in zip(counted, persons, strict=True)):
        raise DataError("a count is negative, absent or larger than its total")
    rate = [x / n for x, n in zip(counted, persons, strict=True)]
    share = [n / n.sum() for n in persons]
    rates, shares = rate[0] - rate[1], share[0] - share[1]
    middle_rate, middle_share = (rate[0] + rate[1]) / 2, (share[0] + share[1]) / 2
    half_rate, half_share = rates / 2, shares / 2
    none = np.zeros_like(rates)
    # Of each part: the strata's terms, and their slopes in rate 1, rate 2, share 1, share 2.
    if parts == 2:
        terms = {
            "rate": (middle_share * rates, (middle_share, -middle_share, half_rate, half_rate)),
            "composition": (middle_rate * shares, (half_share, half_share, middle_rate, -middle_rate)),
        }
    else:
        terms = {
            "rate": (share[1] * rates, (share[1], -share[1], none, rates)),
            "composition": (rate[1] * shares, (none, shares, rate[1], -rate[1])),
            "interaction": (rates * shares, (shares, -shares, rates, -rates)),
        }
    whole = (share[0], -share[1], rate[0], -rate[1])
    gap = float(share[0] @ rate[0] - share[1] @ rate[1])
    rows = [("gap", "", gap, _error(whole, rate, share, persons))]
    for name, (values, slopes) in terms.items():
        rows.append((name, "", float(values.sum()), _error(slopes, rate, share, persons)))
        for at, stratum in enumerate(strata):
            only = np.arange(rates.size) == at
            here = tuple(np.where(only, slope, 0.0) for slope in slopes)
            rows.append((name, str(stratum), float(values[at]), _error(here, rate, share, persons)))
    return _with_interval(rows, conf_level)


def _error(
    slopes: tuple[Floats, ...], rate: list[Floats], share: list[Floats], persons: list[Floats]
) -> float:
    """Delta method: rates are binomial within strata, shares multinomial, the groups independent."""
    variance = 0.0
    for at in (0, 1):
        total = persons[at].sum()
        by_rate, by_share = slopes[at], slopes[at + 2]
        variance += float((by_rate**2 * rate[at] * (1 - rate[at]) / persons[at]).sum())
        variance += float((share[at] @ by_share**2 - (share[at] @ by_share) ** 2) / total)
    return float(np.sqrt(variance))


def _with_interval(rows: list[tuple[str, str, float, float]], conf_level: float) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["term", "stratum", "estimate", "std_error"])
    reach = float(special.ndtri((1 + conf_level) / 2)) * frame["std_error"]
    return frame.assign(conf_low=frame["estimate"] - reach, conf_high=frame["estimate"] + reach)


def oaxaca_blinder(
    frame: pd.DataFrame,
    *,
    outcome: str,
    group: str,
    first: str,
    covariates: Sequence[str],
    weights: str = "pooled",
    parts: int = 2,
    draws: int = 500,
    seed: int = SEED,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Split a gap in means into what other characteristics explain and what they do not, through statsmodels.

    Parameters
    ----------
    frame : a row per person; rows with an absent value are left out, and counted in `note`
    group, first : column with exactly two groups, and the one from which the other is subtracted
    covariates : numeric columns
    weights : whose coefficients weigh the characteristics in two parts: "pooled" (with the group in the
        model), "neumark" (without it), "cotton" or "reimers"
    parts : 2 (explained, unexplained) or 3 (endowments, coefficients, interaction)
    draws : resamples of persons within each group, for the percentile interval

    Returns
    -------
    `term` (gap and the parts), `estimate`, `std_error`, `conf_low`, `conf_high`, `n`, `note`. What is
    explained is associated with the characteristics; neither part says what contributed to the gap.

    Raises
    ------
    ParameterError : a choice is not one, or a column is absent.
    DataError : there are not exactly two groups, or a group has too few persons for the covariates.

    References
    ----------
    Oaxaca (1973), International Economic Review 14:693-709. Blinder (1973), Journal of Human Resources
    8:436-455. Neumark (1988), Journal of Human Resources 23:279-295.
    """
    if weights not in OAXACA_WEIGHTS:
        raise ParameterError(f"weights is {weights!r}; use {', '.join(map(repr, OAXACA_WEIGHTS))}")
    if parts not in {2, 3}:
        raise ParameterError(f"parts is {parts}; use 2 or 3")
    absent = [name for name in (outcome, group, *covariates) if name not in frame.columns]
    if absent:
        raise ParameterError(f"no column {', '.join(map(repr, absent))} in the frame")
    known = frame[[outcome, group, *covariates]].dropna()
    names = sorted(known[group].astype(str).unique())
    if len(names) != 2 or first not in names:
        raise DataError(f"{group} has the groups {', '.join(names)}; needs two, one of them {first!r}")
    is_second = known[group].astype(str).ne(first).to_numpy()
    sizes = np.bincount(is_second.astype(int), minlength=2)
    if sizes.min() <= len(covariates) + 1:
        raise DataError(
            f"a group of {sizes.min()} persons is too small for {len(covariates)} characteristics"
        )
    y = known[outcome].to_numpy(dtype=float)
    columns = known[list(covariates)].to_numpy(dtype=float)
    terms, point = _oaxaca(y, columns, is_second, OAXACA_WEIGHTS[weights], parts)
    rng = np.random.default_rng(seed)
    sides = [np.flatnonzero(~is_second), np.flatnonzero(is_second)]
    drawn = np.empty((draws, len(terms)))
    for at in range(draws):
        rows = np.concatenate([rng.choice(side, side.size) for side in sides])
        drawn[at] = _oaxaca(y[rows], columns[rows], is_second[rows], OAXACA_WEIGHTS[weights], parts)[1]
    tail = (1 - conf_level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0) if draws else (np.full(len(terms), np.nan),) * 2
    left_out = len(frame) - len(known)
    return pd.DataFrame(
        {
            "term": terms,
            "estimate": point,
            "std_error": drawn.std(axis=0, ddof=1) if draws > 1 else np.nan,
            "conf_low": low,
            "conf_high": high,
            "n": len(known),
            "note": f"{left_out} rows with an absent value left out" if left_out else "",
        }
    )


def _oaxaca(
    y: Floats, columns: Floats, is_second: NDArray[np.bool_], weights: str, parts: int
) -> tuple[list[str], list[float]]:
    # statsmodels takes the lower code as the first group; swap=True would turn a negative gap round.
    design = np.column_stack([is_second.astype(float), columns])
    model = OaxacaBlinder(y, design, 0, hasconst=False, swap=False)
    if parts == 3:
        endowments, coefficients, interaction, gap = model.three_fold().params
        return (
            ["gap", "endowments", "coefficients", "interaction"],
            [gap, endowments, coefficients, interaction],
        )
    unexplained, explained, gap = model.two_fold(two_fold_type=weights).params
    return ["gap", "explained", "unexplained"], [gap, explained, unexplained]
