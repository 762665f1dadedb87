"""The slope of a rate over the ridits of an ordered dimension, from the most disadvantaged to the least."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.equity.strata import Strata

Floats = NDArray[np.float64]

NEWTON_STEPS = 30  # a logistic fit with two parameters settles in fewer than ten
STEP_LIMIT = 4.0  # logits: keeps the first steps of a steep fit from overshooting


@dataclass(frozen=True)
class SlopeIndex:
    """Fitted ends of the line, and how each subgroup's rate moves them; arrays end in strata.

    Attributes
    ----------
    absolute, relative : top minus bottom, top over bottom
    absolute_gradient, relative_gradient : (J, strata), change for one unit of a subgroup's rate
    """

    absolute: Floats
    relative: Floats
    absolute_gradient: Floats
    relative_gradient: Floats


def slope_index(strata: Strata, place: Floats) -> SlopeIndex:
    """Fit rates to ridits, weighted once by population: logistic with a scale, a straight line without.

    References
    ----------
    Mackenbach and Kunst (1997), Social Science and Medicine 44:757-771.
    """
    if strata.scale is None:
        return _linear(strata, place)
    return _logistic(strata, place, strata.scale)


def linear_slope_index(strata: Strata, place: Floats) -> SlopeIndex:
    """Fit a straight line whatever the scale."""
    return _linear(strata, place)


def _linear(strata: Strata, place: Floats) -> SlopeIndex:
    share, rate = strata.share, strata.rate
    middle = (share * place).sum(axis=0)
    mean = (share * rate).sum(axis=0)
    spread = (share * (place - middle) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope_gradient = share * (place - middle) / spread
        slope = (slope_gradient * rate).sum(axis=0)
        bottom_gradient = share - slope_gradient * middle
        bottom = mean - slope * middle
        top = bottom + slope
        relative = top / bottom
        gradient = (bottom_gradient + slope_gradient - relative * bottom_gradient) / bottom
    return SlopeIndex(slope, relative, slope_gradient, gradient)


def _logistic(strata: Strata, place: Floats, scale: float) -> SlopeIndex:
    share, rate = strata.share, strata.rate / scale
    mean = np.clip((share * rate).sum(axis=0), 1e-12, 1 - 1e-12)
    level, slope = np.log(mean / (1 - mean)), np.zeros_like(mean)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(NEWTON_STEPS):
            fitted = _expit(level + slope * place)
            inverse = _inverse_information(share * fitted * (1 - fitted), place)
            left = share * (rate - fitted)
            steps = _times(inverse, left.sum(axis=0), (left * place).sum(axis=0))
            level = level + np.clip(steps[0], -STEP_LIMIT, STEP_LIMIT)
            slope = slope + np.clip(steps[1], -STEP_LIMIT, STEP_LIMIT)
            if not np.nanmax(np.abs(steps), initial=0.0) > 1e-13:
                break
        bottom, top = _expit(level), _expit(level + slope)
        level_gradient, slope_gradient = _times(inverse, share, share * place)
        top_gradient = top * (1 - top) * (level_gradient + slope_gradient)
        bottom_gradient = bottom * (1 - bottom) * level_gradient
        relative = top / bottom
        relative_gradient = (top_gradient - relative * bottom_gradient) / bottom / scale
    return SlopeIndex(scale * (top - bottom), relative, top_gradient - bottom_gradient, relative_gradient)


def _inverse_information(weight: Floats, place: Floats) -> tuple[Floats, Floats, Floats]:
    zeroth, first, second = ((weight * place**power).sum(axis=0) for power in (0, 1, 2))
    determinant = zeroth * second - first**2
    return second / determinant, -first / determinant, zeroth / determinant


def _times(inverse: tuple[Floats, Floats, Floats], first: Floats, second: Floats) -> tuple[Floats, Floats]:
    return inverse[0] * first + inverse[1] * second, inverse[1] * first + inverse[2] * second


def _expit(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)
