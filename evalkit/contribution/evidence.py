"""Bayesian updating of a hypothesis by items of evidence, with ranges and dependence carried through.

An item has s, its probability if the hypothesis is true, and e, its probability if it is false. Everything is
computed in natural log odds, where independent items add up.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Observed = Literal["yes", "no", "not_sought"]

LOWEST_PROBABILITY = 0.01  # probability; nobody may claim to be surer than 99 to 1 of what they would see
HIGHEST_PROBABILITY = 0.99
DECISIVE_RATIO = 10.0  # likelihood ratio; Jeffreys' border of strong evidence
SAME_SOURCE = 1.0  # correlation of two items from one source: the second adds nothing new
SAME_PARTY = 0.5  # correlation of two sources of one party, which share an interest
TEST_NAMES = ("straw in the wind", "hoop", "smoking gun", "doubly decisive")
OBSERVATIONS = ("no", "not_sought", "yes")


@dataclass(frozen=True)
class Ranged:
    """A number with the range that its inputs allow."""

    low: float
    point: float
    high: float


@dataclass(frozen=True)
class EvidenceItem:
    """One item as the arithmetic needs it; ranges are (low, high) probabilities.

    Items of one `cluster` hang together, whoever tells them; where it is blank, the items of one party do.
    """

    s: tuple[float, float]
    e: tuple[float, float]
    observed: Observed
    source: str
    party: str
    cluster: str = ""


@dataclass(frozen=True)
class Posterior:
    """Probability of a hypothesis after the evidence.

    Attributes
    ----------
    value : with the default dependence; `low` and `high` are what the ranges of prior, s and e allow
    independent : the point if every item told something new (correlation 0)
    dependent : the point if the items of a cluster all told the same thing (correlation 1)
    decibels : 10 log10 of the joint likelihood ratio
    """

    value: Ranged
    independent: float
    dependent: float
    decibels: float


def clip_probability(probability: ArrayLike) -> Floats:
    """Keep probabilities within [.01, .99], so that no single item can prove or refute."""
    return np.clip(np.asarray(probability, dtype=np.float64), LOWEST_PROBABILITY, HIGHEST_PROBABILITY)


def likelihood_ratio(s: ArrayLike, e: ArrayLike, *, observed: ArrayLike = "yes") -> Floats:
    """Say how many times likelier the observation is if the hypothesis is true than if it is false.

    Parameters
    ----------
    s, e : probability of the evidence if the hypothesis is true, if it is false; clipped to [.01, .99]
    observed : "yes" gives s/e, "no" (sought and absent) gives (1−s)/(1−e), "not_sought" gives 1

    Raises
    ------
    ValueError : an observation is none of the three words.
    """
    seen = np.asarray(observed)
    unknown = sorted(set(seen.ravel().tolist()) - set(OBSERVATIONS))
    if unknown:
        raise ValueError(f"observed is {unknown[0]!r}; use one of {', '.join(OBSERVATIONS)}")
    true, false = clip_probability(s), clip_probability(e)
    ratio = np.where(seen == "yes", true / false, (1 - true) / (1 - false))
    return np.where(seen == "not_sought", 1.0, ratio)


def likelihood_ratio_range(
    s_low: ArrayLike, s_high: ArrayLike, e_low: ArrayLike, e_high: ArrayLike, *, observed: ArrayLike = "yes"
) -> tuple[Floats, Floats]:
    """Return the lowest and the highest likelihood ratio that ranges of s and e allow.

    Seen: s_low/e_high to s_high/e_low; absent: (1−s_high)/(1−e_low) to (1−s_low)/(1−e_high).
    """
    absent = np.asarray(observed) == "no"
    low = likelihood_ratio(
        np.where(absent, s_high, s_low), np.where(absent, e_low, e_high), observed=observed
    )
    high = likelihood_ratio(
        np.where(absent, s_low, s_high), np.where(absent, e_high, e_low), observed=observed
    )
    return low, high


def posterior_probability(prior: ArrayLike, log_ratio: ArrayLike) -> Floats:
    """Update a prior probability by the natural logarithm of a likelihood ratio."""
    chance = clip_probability(prior)
    odds = np.log(chance) - np.log1p(-chance) + np.asarray(log_ratio, dtype=np.float64)
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)), dtype=np.float64)


def prior_needed(target: ArrayLike, log_ratio: ArrayLike) -> Floats:
    """Return the prior probability from which evidence of this strength would reach the target posterior."""
    return posterior_probability(target, -np.asarray(log_ratio, dtype=np.float64))


def decibels(log_ratio: ArrayLike) -> Floats:
    """Write a natural log likelihood ratio in decibels, 10 log10 of the ratio."""
    return np.asarray(10 * np.asarray(log_ratio, dtype=np.float64) / np.log(10), dtype=np.float64)


def evidence_test(s: ArrayLike, e: ArrayLike, *, k: float = DECISIVE_RATIO) -> NDArray[np.str_]:
    """Name the process-tracing test that an item is, whatever was observed.

    Parameters
    ----------
    k : s/e ≥ k is the smoking-gun condition (seeing it confirms), (1−s)/(1−e) ≤ 1/k the hoop condition (its
        absence disconfirms); both make it doubly decisive, neither a straw in the wind

    References
    ----------
    Van Evera (1997), Guide to Methods for Students of Political Science; Befani and Stedman-Bryce (2017),
    Evaluation 23:42-60.
    """
    # A tolerance keeps .9/.09, which floating point makes 9.999..., on the right side of the border.
    border = k * (1 - 1e-9)
    gun = likelihood_ratio(s, e, observed="yes") >= border
    hoop = likelihood_ratio(s, e, observed="no") <= 1 / border
    return np.asarray(TEST_NAMES)[hoop * 1 + gun * 2]


def cluster_log_ratio(log_ratios: ArrayLike, rho: float) -> float:
    """Join the m log likelihood ratios of a cluster: Σ log LR / (1 + (m−1)ρ).

    For items that speak the same way and weigh the same this is the whole rule. Where they differ, items for
    and items against the hypothesis are joined apart, and only as many of each (the strongest first) as make
    the sum largest: dividing by all m would let a weak item from the same source dilute a strong one, so
    that a claim could be raised by leaving evidence for it out of the log. The joint ratio thus never falls
    short of that of the strongest item, never exceeds that of independent items, and rises with every item
    for the hypothesis.

    Parameters
    ----------
    log_ratios : natural log likelihood ratios, one per item sought
    rho : correlation of the items in [0, 1]; 0 adds them up, 1 counts m like items as one
    """
    values = np.asarray(log_ratios, dtype=np.float64)
    return _strongest_sum(values[values > 0], rho) - _strongest_sum(-values[values < 0], rho)


def joint_log_ratio(
    items: Sequence[EvidenceItem], log_ratios: ArrayLike, *, rho: float | None = None
) -> float:
    """Join the log likelihood ratios of all items of a hypothesis, cluster by cluster.

    Parameters
    ----------
    items, log_ratios : of equal length; items not sought are left out of m
    rho : one correlation for all items of a cluster; by default 1 within a source, .5 between the sources of
        one party or one declared cluster, 0 otherwise
    """
    clusters: dict[str, dict[str, list[float]]] = {}
    for item, value in zip(items, np.asarray(log_ratios, dtype=np.float64), strict=True):
        if item.observed != "not_sought":
            key = f"cluster {item.cluster}" if item.cluster else f"party {item.party}"
            clusters.setdefault(key, {}).setdefault(item.source, []).append(value)
    if rho is not None:
        return _total(
            cluster_log_ratio([value for group in sources.values() for value in group], rho)
            for sources in clusters.values()
        )
    return _total(
        cluster_log_ratio([cluster_log_ratio(group, SAME_SOURCE) for group in sources.values()], SAME_PARTY)
        for sources in clusters.values()
    )


def update(items: Sequence[EvidenceItem], *, prior: tuple[float, float]) -> Posterior:
    """Update a prior range by every item; the point uses the middle of each range.

    Parameters
    ----------
    prior : (low, high) probability before the evidence

    References
    ----------
    Befani and Stedman-Bryce (2017), Evaluation 23:42-60; Fairfield and Charman (2017), Political Analysis
    25:363-380.
    """
    observed = [item.observed for item in items] or ["not_sought"]
    s = np.array([item.s for item in items] or [(0.5, 0.5)], dtype=np.float64)
    e = np.array([item.e for item in items] or [(0.5, 0.5)], dtype=np.float64)
    lowest, highest = likelihood_ratio_range(s[:, 0], s[:, 1], e[:, 0], e[:, 1], observed=observed)
    middle = likelihood_ratio(s.mean(axis=1), e.mean(axis=1), observed=observed)
    low, point, high = (np.log(ratios[: len(items)]) for ratios in (lowest, middle, highest))
    joint = joint_log_ratio(items, point)
    chance = (prior[0] + prior[1]) / 2
    return Posterior(
        value=Ranged(
            low=float(posterior_probability(prior[0], joint_log_ratio(items, low))),
            point=float(posterior_probability(chance, joint)),
            high=float(posterior_probability(prior[1], joint_log_ratio(items, high))),
        ),
        independent=float(posterior_probability(chance, joint_log_ratio(items, point, rho=0.0))),
        dependent=float(posterior_probability(chance, joint_log_ratio(items, point, rho=1.0))),
        decibels=float(decibels(joint)),
    )


def share_among_rivals(priors: ArrayLike, log_likelihoods: ArrayLike) -> Floats:
    """Share one unit of belief among explanations that exclude each other: p_i ∝ prior_i Π P(E|H_i).

    Parameters
    ----------
    priors : one per explanation; need not add up to 1
    log_likelihoods : natural log of Π P(E|H_i), one per explanation; a common constant does not matter
    """
    weights = np.log(np.asarray(priors, dtype=np.float64)) + np.asarray(log_likelihoods, dtype=np.float64)
    shares = np.exp(weights - weights.max())
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _strongest_sum(positive: Floats, rho: float) -> float:
    if positive.size == 0:
        return 0.0
    running = np.cumsum(np.sort(positive)[::-1])
    return float((running / (1 + np.arange(positive.size) * rho)).max())


def _total(values: Iterable[float]) -> float:
    # fsum, so that the order in which the log lists its items cannot move the last digit.
    return math.fsum(values)
