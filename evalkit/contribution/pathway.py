"""Confidence in a chain of causal links: no stronger than its weakest link."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# Lower bound of a posterior -> the words for it (Befani and Stedman-Bryce 2017, Evaluation 23:42-60).
GRADES = (
    (0.99, "practical certainty"),
    (0.95, "reasonable certainty"),
    (0.85, "high confidence"),
    (0.70, "cautious confidence"),
    (0.50, "more likely than not"),
)
BELOW_GRADES = "not established"


@dataclass(frozen=True)
class PathwayConfidence:
    """How sure one may be of a whole chain.

    Attributes
    ----------
    weakest : probability of the weakest link, an upper bound of the chain's
    guaranteed : Fréchet lower bound max(0, Σp − (m−1)), which holds however the links depend on each other
    product : right only if the links are independent; shown beside the other two, never alone
    """

    weakest: float
    guaranteed: float
    product: float


def pathway_confidence(links: ArrayLike) -> PathwayConfidence:
    """Join the probabilities of the links of one chain.

    Raises
    ------
    ValueError : the chain has no link.
    """
    chances = np.asarray(links, dtype=np.float64)
    if chances.size == 0:
        raise ValueError("a pathway has at least one link")
    return PathwayConfidence(
        weakest=float(chances.min()),
        guaranteed=float(max(0.0, chances.sum() - (chances.size - 1))),
        product=float(chances.prod()),
    )


def grade(lower_bound: float) -> str:
    """Put the lower bound of a posterior into words."""
    return next((words for border, words in GRADES if lower_bound >= border), BELOW_GRADES)
