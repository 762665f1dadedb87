"""Summary measures of inequality over all subgroups of many strata at once: the point estimates.

Names and scales are WHO's: mld and ti are in thousandths, covar, idis and paf in percent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.equity.slope_index import slope_index
from evalkit.equity.strata import Strata, end_weights, ridit

Floats = NDArray[np.float64]

PER_THOUSAND = 1000.0  # WHO reports mld and ti in thousandths
PERCENT = 100.0
ROUNDING = 1e-13  # share of the mean: a deviation no larger is an error of arithmetic


@dataclass(frozen=True)
class Measure:
    """What a summary measure is called, its unit, what it needs and what it is at equality."""

    name: str
    label: str
    unit: str
    needs: str = ""
    at_equality: float = 0.0


MEASURES = {
    item.name: item
    for item in (
        Measure("d", "Difference", "rate"),
        Measure("r", "Ratio", "ratio", at_equality=1.0),
        Measure("bgv", "Between-group variance", "rate squared"),
        Measure("bgsd", "Between-group standard deviation", "rate"),
        Measure("covar", "Coefficient of variation", "percent of the mean"),
        Measure("mdmu", "Mean difference from the mean, unweighted", "rate"),
        Measure("mdmw", "Mean difference from the mean, weighted", "rate"),
        Measure("mdbu", "Mean difference from the best-off, unweighted", "rate"),
        Measure("mdbw", "Mean difference from the best-off, weighted", "rate"),
        Measure("mdru", "Mean difference from the reference, unweighted", "rate", "reference"),
        Measure("mdrw", "Mean difference from the reference, weighted", "rate", "reference"),
        Measure("idisu", "Index of disparity, unweighted", "percent of the mean"),
        Measure("idisw", "Index of disparity, weighted", "percent of the mean"),
        Measure("mld", "Mean log deviation", "thousandths"),
        Measure("ti", "Theil index", "thousandths"),
        Measure("par", "Population attributable risk", "rate"),
        Measure("paf", "Population attributable fraction", "percent of the mean"),
        Measure("aci", "Absolute concentration index", "rate", "order"),
        Measure("rci", "Relative concentration index", "share", "order"),
        Measure("rci_wagstaff", "Concentration index, Wagstaff's", "share", "order and scale"),
        Measure("rci_erreygers", "Concentration index, Erreygers'", "share", "order and scale"),
        Measure("sii", "Slope index of inequality", "rate", "order"),
        Measure("rii", "Relative index of inequality", "ratio", "order", 1.0),
    )
}
UNORDERED = tuple(name for name, item in MEASURES.items() if "order" not in item.needs)


def point_estimates(strata: Strata) -> dict[str, Floats]:
    """Give every measure that the strata allow, one value a stratum.

    Returns
    -------
    Measure -> values. `d` and `r` set the ends of an ordered dimension against each other (higher is better:
    most over least advantaged; lower is better: least over most), else the highest and the lowest rate. `par`
    compares the mean with the most advantaged, or without an order with the best-off; a `par` of the wrong
    sign is 0. `mdb` is against the best-off, `mdr` against the reference. `mld` is inf where a rate is 0.

    References
    ----------
    Schlotheuber and Hosseinpoor (2022), IJERPH 19:3697. Wagstaff (2005), Health Economics 14:429-432.
    Erreygers (2009), Journal of Health Economics 28:504-515.
    """
    rate, share, mean, sign = strata.rate, strata.share, strata.mean, strata.sign
    everyone = bool(strata.present.all())
    away = rate - mean
    away[np.abs(away) <= ROUNDING * np.abs(mean)] = 0.0
    size = np.abs(away)
    highest = rate.max(axis=0)
    lowest = rate.min(axis=0)
    best = highest if sign > 0 else lowest
    count = strata.count
    out: dict[str, Floats] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        if strata.rank is None:
            first, second = highest, lowest
        else:
            ends = [(end_weights(strata, top=top) * rate).sum(axis=0) for top in (True, False)]
            first, second = ends if sign > 0 else ends[::-1]
        out["d"], out["r"] = first - second, first / second
        weighted = share * away
        out["bgv"] = (weighted * away).sum(axis=0)
        out["bgsd"] = np.sqrt(out["bgv"])
        out["covar"] = PERCENT * out["bgsd"] / mean
        out["mdmu"] = size.sum(axis=0) / count
        out["mdmw"] = np.abs(weighted).sum(axis=0)
        total = rate.sum(axis=0) if everyone else np.where(strata.present, rate, 0.0).sum(axis=0)
        out["mdbu"] = np.abs(best - total / count)
        out["mdbw"] = np.abs(best - mean)
        if strata.reference is not None:
            from_reference = np.abs(rate - _of_reference(strata, rate))
            counted = from_reference if everyone else np.where(strata.present, from_reference, 0.0)
            out["mdru"] = counted.sum(axis=0) / count
            out["mdrw"] = (share * from_reference).sum(axis=0)
        out["idisu"], out["idisw"] = PERCENT * out["mdmu"] / mean, PERCENT * out["mdmw"] / mean
        log_ratio = np.log(rate / mean)
        out["mld"] = -PER_THOUSAND * _sum_of_products(share, log_ratio)
        # x ln x is 0 at 0, where the log alone is endless.
        inner = log_ratio if not np.isneginf(log_ratio).any() else np.where(rate > 0, log_ratio, 0.0)
        out["ti"] = PER_THOUSAND * (share * rate * inner).sum(axis=0) / mean
        goal = best if strata.rank is None else (end_weights(strata, top=True) * rate).sum(axis=0)
        out["par"] = sign * np.maximum(sign * (goal - mean), 0.0) + 0.0
        out["paf"] = PERCENT * out["par"] / mean
        if strata.rank is not None:
            out |= _ordered(strata, mean)
    alone = count < 2
    if alone.any():
        out = {name: np.where(alone, np.nan, values) for name, values in out.items()}
    return out


def _ordered(strata: Strata, mean: Floats) -> dict[str, Floats]:
    place = ridit(strata)
    absolute = 2 * (strata.share * (place - 0.5) * strata.rate).sum(axis=0)
    out = {"aci": absolute, "rci": absolute / mean}
    if strata.scale is not None:
        out["rci_wagstaff"] = absolute / mean / (1 - mean / strata.scale)
        out["rci_erreygers"] = 4 * absolute / strata.scale
    slope = slope_index(strata, place)
    return out | {"sii": slope.absolute, "rii": slope.relative}


def _of_reference(strata: Strata, values: Floats) -> Floats:
    """Take the reference's value in each stratum; NaN where it is absent."""
    flag = strata.reference
    if flag is None:
        return np.full(values.shape[1:], np.nan)
    return np.where(flag.any(axis=0), np.where(flag, values, 0.0).sum(axis=0), np.nan)


def _sum_of_products(share: Floats, values: Floats) -> Floats:
    """Sum share times value; a share of 0 takes no part even where the value is endless."""
    product = share * values
    if not np.isfinite(product).all():
        product = np.where(share > 0, product, 0.0)
    total: Floats = product.sum(axis=0)
    return total
