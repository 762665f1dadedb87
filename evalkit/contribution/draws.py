"""What the ranges of prior, s and e make of a probability: drawn at random, not pushed to their ends."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.contribution.evidence import (
    SAME_PARTY,
    SAME_SOURCE,
    EvidenceItem,
    clip_probability,
    posterior_probability,
)

Floats = NDArray[np.float64]

DRAWS = 10_000
SEED = 2026
CENTRAL = 0.95  # share of the draws between the ends that are told


def draw_posteriors(
    items: Sequence[EvidenceItem],
    priors: Sequence[tuple[float, float]],
    bears_on: Sequence[Sequence[int]],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Floats:
    """Draw the posterior of every hypothesis, each prior, s and e uniform within its range.

    The ends of `evidence.update` take every range at its worst, or at its best, at once; draws tell how much
    of what lies between is likely. Dependence is that of `joint_log_ratio`, by its default.

    Parameters
    ----------
    items : all evidence; an item that bears on several hypotheses has the same s and e in each draw
    priors : (low, high) of each hypothesis
    bears_on : for each hypothesis, the positions of its items
    seed : of the draws; the order of the items does not matter to them

    Returns
    -------
    Probabilities, a row per hypothesis and a column per draw.
    """
    random = np.random.default_rng(seed)
    priors_at = random.random(draws)  # shared by all hypotheses: each by itself is uniform all the same
    log_ratios = _draw_log_ratios(items, random, draws)
    rows = []
    for (low, high), places in zip(priors, bears_on, strict=True):
        joint = np.zeros(draws)
        for cluster in _clusters(items, places):
            sources = np.stack([_strongest_sums(log_ratios[group], SAME_SOURCE) for group in cluster])
            joint += _strongest_sums(sources, SAME_PARTY)
        rows.append(posterior_probability(low + (high - low) * priors_at, joint))
    return np.stack(rows) if rows else np.empty((0, draws))


def central_range(draws: Floats, *, share: float = CENTRAL) -> tuple[float, float, float]:
    """Return low, median and high of one hypothesis' draws, with this share of them between the ends."""
    low, middle, high = np.quantile(draws, [(1 - share) / 2, 0.5, (1 + share) / 2])
    return float(low), float(middle), float(high)


def _draw_log_ratios(items: Sequence[EvidenceItem], random: np.random.Generator, draws: int) -> Floats:
    """Draw a row of log likelihood ratios per item; those not sought stay at 0."""
    drawn = np.zeros((len(items), draws))
    order = sorted(range(len(items)), key=lambda place: _key(items[place]))
    for place in order:
        item = items[place]
        true = clip_probability(item.s[0] + (item.s[1] - item.s[0]) * random.random(draws))
        false = clip_probability(item.e[0] + (item.e[1] - item.e[0]) * random.random(draws))
        if item.observed == "yes":
            drawn[place] = np.log(true / false)
        elif item.observed == "no":
            drawn[place] = np.log((1 - true) / (1 - false))
    return drawn


def _key(item: EvidenceItem) -> tuple[object, ...]:
    return item.s, item.e, item.observed, item.source, item.party, item.cluster


def _clusters(items: Sequence[EvidenceItem], places: Sequence[int]) -> list[list[list[int]]]:
    """Group the items sought of one hypothesis by cluster, and within it by source."""
    grouped: dict[str, dict[str, list[int]]] = {}
    for place in places:
        item = items[place]
        if item.observed != "not_sought":
            key = f"cluster {item.cluster}" if item.cluster else f"party {item.party}"
            grouped.setdefault(key, {}).setdefault(item.source, []).append(place)
    return [list(sources.values()) for sources in grouped.values()]


def _strongest_sums(values: Floats, rho: float) -> Floats:
    """Do in every draw (across) what `cluster_log_ratio` does with the items of a cluster (down)."""
    return _one_sided(np.maximum(values, 0.0), rho) - _one_sided(np.maximum(-values, 0.0), rho)


def _one_sided(positive: Floats, rho: float) -> Floats:
    # With a correlation of 1 the strongest item stands for all, and no sorting is needed.
    if rho == 1 or len(positive) == 1:
        return np.asarray(positive.max(axis=0), dtype=np.float64)
    running = np.cumsum(np.sort(positive, axis=0)[::-1], axis=0)
    sizes = 1 + rho * np.arange(len(positive))
    return np.asarray((running / sizes[:, None]).max(axis=0), dtype=np.float64)
