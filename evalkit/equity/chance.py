"""What chance alone makes of a summary measure, and what is left when that is taken away."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evalkit.equity.measure_intervals import second_order
from evalkit.equity.measures import PERCENT
from evalkit.equity.strata import Strata, end_weights

Floats = NDArray[np.float64]

GRID = 49  # points at which the greatest of several normal values is worked out
GRID_REACH = 5.0  # standard errors beyond the outermost rate
SHRINKAGES = 9  # steps from all equal (0) to as observed (1)


def expected_at(strata: Strata, centre: Floats) -> dict[str, Floats]:
    """Give what each measure would show on average if `centre` were the true rates.

    Measures that are linear in the rates are not in it: chance adds nothing to them on average.
    """
    error, share, mean, sign = strata.std_error, strata.share, strata.mean, strata.sign
    present, count = strata.present, strata.count
    evenly = np.where(present, 1 / np.maximum(count, 1), 0.0)
    out: dict[str, Floats] = {}
    with np.errstate(all="ignore"):
        middle = (share * centre).sum(axis=0)
        highest = _expected_greatest(centre, error, present)
        lowest = -_expected_greatest(-centre, error, present)
        best = highest if sign > 0 else lowest
        if strata.rank is None:
            out["d"] = highest - lowest
            logs, relative = np.log(centre), error / centre
            out["r"] = np.exp(
                _expected_greatest(logs, relative, present) + _expected_greatest(-logs, relative, present)
            )
        bias, _ = second_order(strata)["bgv"]
        out["bgv"] = (share * (centre - middle) ** 2).sum(axis=0) + bias
        out["bgsd"] = np.sqrt(out["bgv"])
        out["covar"] = PERCENT * out["bgsd"] / mean
        spread = np.sqrt(error**2 * (1 - 2 * share) + (share**2 * error**2).sum(axis=0))
        folded = np.where(present, _folded(centre - middle, spread), 0.0)
        out["mdmu"], out["mdmw"] = (evenly * folded).sum(axis=0), (share * folded).sum(axis=0)
        out["idisu"], out["idisw"] = PERCENT * out["mdmu"] / mean, PERCENT * out["mdmw"] / mean
        out["mdbu"] = np.abs(best - (evenly * centre).sum(axis=0))
        out["mdbw"] = np.abs(best - middle)
        if strata.reference is not None:
            out |= _at_reference(strata, centre, evenly)
        out["par"] = sign * out["mdbw"]
        if strata.rank is not None:
            end = end_weights(strata, top=True) - share
            lead = sign * (end * centre).sum(axis=0)
            out["par"] = sign * _positive_part(lead, np.sqrt((end**2 * error**2).sum(axis=0)))
        out["paf"] = PERCENT * out["par"] / mean
    return out


def expected_if_equal(strata: Strata) -> dict[str, Floats]:
    """Give what each measure would show on average if all subgroups had the stratum's mean."""
    equal = np.broadcast_to(strata.mean, strata.rate.shape).astype(np.float64)
    out = expected_at(strata, equal)
    extra = second_order(strata.with_rate(equal))
    return out | {name: extra[name][0] for name in ("mld", "ti")}


def corrected(strata: Strata, estimates: dict[str, Floats]) -> dict[str, Floats]:
    """Take away what chance adds.

    bgv less Σ p (1 − p) se² is unbiased, and may be negative; bgsd and covar are made from it and end at 0;
    mld and ti are treated likewise, to second order. For the others the rates are drawn in towards their mean
    until the measure would on average show what was observed; the measure of those rates is the corrected
    value. A measure no larger than its value under equality is corrected to equality.
    """
    mean = strata.mean
    out: dict[str, Floats] = {}
    with np.errstate(all="ignore"):
        for name, (bias, _) in second_order(strata).items():
            out[name] = estimates[name] - bias
        out["bgsd"] = np.sqrt(np.maximum(out["bgv"], 0))
        out["covar"] = PERCENT * out["bgsd"] / mean
        steps = np.linspace(0, 1, SHRINKAGES)
        shown = [expected_at(strata, mean + step * (strata.rate - mean)) for step in steps]
        for name in shown[0]:
            if name in out:
                continue
            step = _inverse(np.stack([np.abs(item[name]) for item in shown]), steps, np.abs(estimates[name]))
            if name == "r":
                centre = mean + step * (strata.rate - mean)
                low = np.where(strata.present, centre, np.inf).min(axis=0)
                out[name] = np.where(strata.present, centre, -np.inf).max(axis=0) / low
            else:
                out[name] = step * estimates[name]
    return out


def _inverse(shown: Floats, steps: Floats, observed: Floats) -> Floats:
    """Find the step at which a rising curve passes what was observed, straight between its points."""
    rising = np.maximum.accumulate(shown, axis=0)
    upper = np.clip((rising < observed).sum(axis=0), 1, steps.size - 1)
    after = np.take_along_axis(rising, upper[None, :], axis=0)[0]
    before = np.take_along_axis(rising, upper[None, :] - 1, axis=0)[0]
    part = np.where(after > before, (observed - before) / np.where(after > before, after - before, 1), 1.0)
    found = steps[upper - 1] + np.clip(part, 0, 1) * (steps[upper] - steps[upper - 1])
    unknown = np.isnan(observed) | np.isnan(shown).any(axis=0)
    return np.asarray(np.where(unknown, np.nan, found), dtype=np.float64)


def _at_reference(strata: Strata, centre: Floats, evenly: Floats) -> dict[str, Floats]:
    flag = strata.reference
    if flag is None:
        return {}
    base, own = (np.where(flag, values, 0.0).sum(axis=0) for values in (centre, strata.std_error))
    folded = _folded(centre - base, np.hypot(strata.std_error, own))
    folded = np.where(strata.present & ~flag, folded, 0.0)
    known = np.any(flag, axis=0)
    return {
        "mdru": np.where(known, (evenly * folded).sum(axis=0), np.nan),
        "mdrw": np.where(known, (strata.share * folded).sum(axis=0), np.nan),
    }


def _expected_greatest(centre: Floats, error: Floats, present: NDArray[np.bool_]) -> Floats:
    """Integrate the distribution of the greatest of independent normal values."""
    error = np.where(present, error, 0.0)
    top = np.where(present, centre + GRID_REACH * error, -np.inf).max(axis=0)
    bottom = np.where(present, centre - GRID_REACH * error, -np.inf).max(axis=0)
    width = (top - bottom) / (GRID - 1)
    below = np.zeros_like(top)
    for step in range(GRID):
        at = bottom + step * width
        share_below = np.where(present, special.ndtr((at - centre) / np.maximum(error, 1e-12)), 1.0)
        below += share_below.prod(axis=0) * (0.5 if step in {0, GRID - 1} else 1.0)
    return np.asarray(np.where(width > 0, top - below * width, top), dtype=np.float64)


def _folded(mean: Floats, spread: Floats) -> Floats:
    """Give the expected absolute value of a normal one."""
    return _positive_part(mean, spread) + _positive_part(-mean, spread)


def _positive_part(mean: Floats, spread: Floats) -> Floats:
    standard = np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0)
    density = np.exp(-(standard**2) / 2) / np.sqrt(2 * np.pi)
    smooth = mean * special.ndtr(standard) + spread * density
    return np.asarray(np.where(spread > 0, smooth, np.maximum(mean, 0.0)), dtype=np.float64)
