"""What the evidence log makes of each hypothesis, step by step and rival by rival."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from evalkit.contribution.draws import Floats, draw_posteriors
from evalkit.contribution.evidence import (
    EvidenceItem,
    Posterior,
    joint_log_ratio,
    likelihood_ratio,
    share_among_rivals,
    update,
)
from evalkit.contribution.graph import links_of
from evalkit.contribution.pathway import PathwayConfidence, pathway_confidence
from evalkit.contribution.rivals import DEFAULT_RIVALS, RIVAL_LABELS
from evalkit.contribution_model import ContributionModel, Evidence, Hypothesis

INDEPENDENT = "independent"
# What each audience may read of the evidence, by its confidentiality.
MAY_READ = {
    "internal": ("public", "partner", "restricted"),
    "partners": ("public", "partner"),
    "public": ("public",),
}


@dataclass(frozen=True)
class Belief:
    """One hypothesis with its belief before and after the evidence.

    Attributes
    ----------
    items : the evidence that names it, sought or not
    posterior : after the evidence
    log_ratio : joint natural log likelihood ratio, for comparing with rivals
    """

    hypothesis: Hypothesis
    items: tuple[Evidence, ...]
    posterior: Posterior
    log_ratio: float

    @property
    def prior(self) -> float:
        """Middle of the prior range."""
        return (self.hypothesis.prior_lo + self.hypothesis.prior_hi) / 2

    @property
    def sought(self) -> tuple[Evidence, ...]:
        """The items that somebody went to look for."""
        return tuple(item for item in self.items if item.observed != "not_sought")


@dataclass(frozen=True)
class Rival:
    """A rival explanation of one claim.

    Attributes
    ----------
    belief : None where the site's file does not name the rival, which every site has to face
    together : its share of one unit of belief among the claim and all examined rivals; NaN if unexamined
    """

    id: str
    label: str
    statement: str
    rival_type: str
    examined: bool
    finding: str
    belief: Belief | None
    together: float = math.nan


@dataclass(frozen=True)
class Chain:
    """How sure one may be of a claim's whole pathway; low and high are those of its weakest part.

    `ids` names the parts: the claim itself, then the steps that are judged on their own.
    """

    ids: tuple[str, ...]
    low: float
    high: float
    confidence: PathwayConfidence
    parts: int


def may_print(item: Evidence, model: ContributionModel, audience: str) -> bool:
    """Tell whether an audience may read an item: by its confidentiality and its source's consent."""
    consents = {source.id: source.consent for source in model.sources}
    return item.confidentiality in MAY_READ[audience] and (
        audience == "internal" or consents.get(item.source, False)
    )


def belief_in(hypothesis: Hypothesis, model: ContributionModel) -> Belief:
    """Update a hypothesis by every item that names it; restricted items count like the others."""
    items = tuple(item for item in model.evidence if hypothesis.id in item.hypotheses)
    ready = evidence_items(items, model)
    posterior, log_ratio = _weighed(tuple(ready), (hypothesis.prior_lo, hypothesis.prior_hi))
    return Belief(hypothesis, items, posterior, log_ratio)


@lru_cache(maxsize=4096)
def _weighed(items: tuple[EvidenceItem, ...], prior: tuple[float, float]) -> tuple[Posterior, float]:
    # Every claim faces the same rivals, and every prospect changes one item, so most are asked for again.
    return update(items, prior=prior), point_log_ratio(items)


def evidence_items(items: Sequence[Evidence], model: ContributionModel) -> list[EvidenceItem]:
    """Take from declared evidence what the arithmetic needs."""
    party = {source.id: source.party for source in model.sources}
    return [
        EvidenceItem(
            s=(item.s_lo, item.s_hi),
            e=(item.e_lo, item.e_hi),
            observed=item.observed,
            source=item.source,
            party=party.get(item.source, ""),
            cluster=item.cluster,
        )
        for item in items
    ]


def draws_of(model: ContributionModel) -> dict[str, Floats]:
    """Draw the posterior of every hypothesis over the ranges of priors and evidence, by its id."""
    places = {
        hypothesis.id: [
            place for place, item in enumerate(model.evidence) if hypothesis.id in item.hypotheses
        ]
        for hypothesis in model.hypotheses
    }
    drawn = draw_posteriors(
        evidence_items(model.evidence, model),
        [(hypothesis.prior_lo, hypothesis.prior_hi) for hypothesis in model.hypotheses],
        [places[hypothesis.id] for hypothesis in model.hypotheses],
    )
    return {hypothesis.id: row for hypothesis, row in zip(model.hypotheses, drawn, strict=True)}


def point_log_ratio(items: Sequence[EvidenceItem]) -> float:
    """Join the items at the middle of their ranges."""
    if not items:
        return 0.0
    ratios = likelihood_ratio(
        np.array([item.s for item in items]).mean(axis=1),
        np.array([item.e for item in items]).mean(axis=1),
        observed=[item.observed for item in items],
    )
    return joint_log_ratio(items, np.log(ratios))


def claims_of(model: ContributionModel) -> list[tuple[Hypothesis, str]]:
    """List the main hypotheses that end at an indicator, each with that indicator, in the order of the file.

    A hypothesis about a part of another one's pathway is a step of that claim and no claim itself.
    """
    indicator_of = {node.id: node.indicator for node in model.nodes}
    mains = [item for item in model.hypotheses if item.kind == "main"]
    found = []
    for item in mains:
        indicator = item.indicator or (indicator_of.get(item.pathway[-1]) if item.pathway else None)
        is_step = any(set(links_of(item)) < set(links_of(other)) for other in mains)
        if indicator and not is_step:
            found.append((item, indicator))
    return found


def chain_of(claim: Hypothesis, model: ContributionModel) -> Chain:
    """Join the belief in a claim with those in the steps of its pathway that are judged on their own."""
    steps = [
        item
        for item in model.hypotheses
        if item.kind == "main" and item.pathway and set(links_of(item)) < set(links_of(claim))
    ]
    values = [belief_in(item, model).posterior.value for item in (claim, *steps)]
    return Chain(
        ids=(claim.id, *(item.id for item in steps)),
        low=min(value.low for value in values),
        high=min(value.high for value in values),
        confidence=pathway_confidence([value.point for value in values]),
        parts=len(values),
    )


def rivals_of(claim: Belief, indicator: str, model: ContributionModel) -> list[Rival]:
    """List the rivals of a claim: those of the site's file, then the default ones that it does not name."""
    declared = [
        item for item in model.hypotheses if item.kind == "rival" and item.indicator in (None, indicator)
    ]
    rivals = [_declared_rival(item, model) for item in declared]
    named = {rival.rival_type for rival in rivals}
    rivals += [
        Rival(rival_type, RIVAL_LABELS[rival_type], statement, rival_type, False, "", None)
        for rival_type, statement in DEFAULT_RIVALS.items()
        if rival_type not in named
    ]
    examined = [rival.belief for rival in rivals if rival.examined and rival.belief is not None]
    shares = share_among_rivals(
        [max(item.prior, 1e-12) for item in (claim, *examined)],
        [item.log_ratio for item in (claim, *examined)],
    )
    share = {item.hypothesis.id: float(value) for item, value in zip(examined, shares[1:], strict=True)}
    return [replace(rival, together=share.get(rival.id, math.nan)) for rival in rivals]


def independent_sources(belief: Belief, model: ContributionModel) -> int:
    """Count the sources of an independent party whose evidence, taken together, speaks for the hypothesis."""
    party = {source.id: source.party for source in model.sources}
    sources = {item.source for item in belief.sought if party.get(item.source) == INDEPENDENT}
    return sum(
        point_log_ratio(evidence_items([item for item in belief.sought if item.source == source], model)) > 0
        for source in sources
    )


def _declared_rival(hypothesis: Hypothesis, model: ContributionModel) -> Rival:
    belief = belief_in(hypothesis, model)
    rival_type = hypothesis.rival_type or ""
    examined = bool(belief.sought) or (hypothesis.examined and bool(hypothesis.finding.strip()))
    label = RIVAL_LABELS.get(rival_type, hypothesis.id.replace("_", " ").capitalize())
    return Rival(hypothesis.id, label, hypothesis.statement, rival_type, examined, hypothesis.finding, belief)
