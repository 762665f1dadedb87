"""Rival explanations: those every site has to face, and the composition rival in numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# Rivals that every neighborhood initiative has to face, with the question each puts.
DEFAULT_RIVALS = {
    "composition": "The mix of students changed, so the rate would have moved with nobody doing better.",
    "definition_or_roster": "The definition, the test or the roster changed, so the two do not compare.",
    "regional_trend": "The same change happened in the region without the initiative.",
    "regression_to_mean": "The start was unusually bad, and such figures tend to recover by themselves.",
}
RIVAL_LABELS = {
    "direct": "Another program",
    "commingled": "Another program at work beside this one",
    "implementation": "Ordinary improvement in the schools",
    "composition": "A different mix of students",
    "definition_or_roster": "A new definition, test or roster",
    "regional_trend": "A trend in the whole region",
    "regression_to_mean": "Recovery from an unusually bad start",
    "chance": "Chance",
}


@dataclass(frozen=True)
class Decomposition:
    """A change in an overall rate, split in two; the parts add up to `total`, in the unit of the rates."""

    total: float
    composition: float
    rate: float


def kitagawa(
    weights_before: ArrayLike, weights_after: ArrayLike, rates_before: ArrayLike, rates_after: ArrayLike
) -> Decomposition:
    """Split the change of an overall rate into a change of mix and a change of the groups' rates.

    Parameters
    ----------
    weights_before, weights_after : each group's share of the population, adding up to 1
    rates_before, rates_after : each group's rate, in the same order

    Raises
    ------
    ValueError : the shares do not add up to 1, or the lengths differ.

    References
    ----------
    Kitagawa (1955), Journal of the American Statistical Association 50:1168-1194.
    """
    w0, w1, r0, r1 = (
        np.asarray(values, dtype=np.float64)
        for values in (weights_before, weights_after, rates_before, rates_after)
    )
    if not w0.shape == w1.shape == r0.shape == r1.shape:
        raise ValueError("shares and rates must have one value for each group")
    if not (np.isclose(w0.sum(), 1) and np.isclose(w1.sum(), 1)):
        raise ValueError("the shares of the groups must add up to 1")
    return Decomposition(
        total=float((w1 * r1 - w0 * r0).sum()),
        composition=float(((w1 - w0) * (r0 + r1) / 2).sum()),
        rate=float(((r1 - r0) * (w0 + w1) / 2).sum()),
    )


def kitagawa_error(
    counts_before: ArrayLike, counts_after: ArrayLike, rates_before: ArrayLike, rates_after: ArrayLike
) -> float:
    """Give the standard error of Kitagawa's composition part, by the delta method.

    Parameters
    ----------
    counts_before, counts_after : persons of each group; their mix is taken as multinomial, the groups' rates
        as binomial, before and after as independent
    rates_before, rates_after : each group's rate as a proportion, in the same order
    """
    n0, n1, r0, r1 = (
        np.asarray(values, dtype=np.float64)
        for values in (counts_before, counts_after, rates_before, rates_after)
    )
    middle, moved = (r0 + r1) / 2, n1 / n1.sum() - n0 / n0.sum()
    variance = 0.0
    for counts, rates in ((n0, r0), (n1, r1)):
        share = counts / counts.sum()
        spread = (middle**2 * share).sum() - (middle * share).sum() ** 2
        variance += spread / counts.sum() + (moved**2 * rates * (1 - rates) / (4 * counts)).sum()
    return float(np.sqrt(variance))
