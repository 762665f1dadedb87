"""Which evidence that nobody has sought yet would tell most, if somebody went to look."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.contribution.beliefs import Belief, belief_in, may_print
from evalkit.contribution.case import Case, weigh
from evalkit.contribution.evidence import clip_probability
from evalkit.contribution.graph import links_of
from evalkit.contribution_model import ContributionModel, Evidence, Hypothesis
from evalkit.results import Result
from evalkit.sites import Site

CLASSES_FOR = 10  # items whose effect on the class is worked out; the others come after them in any event


@dataclass(frozen=True)
class Prospect:
    """One item not yet sought: what it would do to the probability of the hypothesis that it bears on.

    Attributes
    ----------
    chance_seen : of seeing it, as things stand
    if_seen, if_absent : probability of the hypothesis then
    information : expected information in bits: how far the probability is expected to move, by the
        Kullback-Leibler divergence of what it would be from what it is
    class_if_seen, class_if_absent : class of the claim then; "" where it was not worked out
    """

    item: Evidence
    hypothesis: Hypothesis
    chance_seen: float
    if_seen: float
    if_absent: float
    information: float
    class_if_seen: str = ""
    class_if_absent: str = ""


def expected_information(now: float, if_seen: float, if_absent: float, chance_seen: float) -> float:
    """Return the expected divergence, in bits, of a probability after looking from what it is now.

    Where items are independent of one another this is the mutual information of the hypothesis and the item.

    References
    ----------
    Lindley (1956), Annals of Mathematical Statistics 27:986-1005.
    """
    return chance_seen * _divergence(if_seen, now) + (1 - chance_seen) * _divergence(if_absent, now)


def prospects(
    site: Site,
    model: ContributionModel,
    case: Case,
    results: Mapping[str, Result],
    *,
    audience: str,
    conf_level: float,
    fewest: int,
) -> list[Prospect]:
    """List the items not sought on a claim, its steps and its rivals, the most telling first."""
    claim = case.belief.hypothesis
    about = [
        belief_in(hypothesis, model) for hypothesis in model.hypotheses if _bears(hypothesis, claim, case)
    ]
    found = [
        _prospect(item, belief, model)
        for belief in about
        for item in belief.items
        if item.observed == "not_sought"
    ]
    found.sort(key=lambda prospect: (-prospect.information, prospect.item.id))

    def class_if(item: Evidence, observed: str) -> str:
        changed = _with_outcome(model, item, observed)
        weighed = weigh(site, changed, claim, case.indicator, results, audience, conf_level, fewest=fewest)
        return weighed.claim.claim_class

    told = [
        Prospect(
            **{name: getattr(prospect, name) for name in _PLAIN},
            class_if_seen=class_if(prospect.item, "yes"),
            class_if_absent=class_if(prospect.item, "no"),
        )
        for prospect in found[:CLASSES_FOR]
    ]
    return [*told, *found[CLASSES_FOR:]]


_PLAIN = ("item", "hypothesis", "chance_seen", "if_seen", "if_absent", "information")


def prospect_rows(
    case: Case, found: Sequence[Prospect], model: ContributionModel, *, audience: str, withheld: str
) -> list[dict[str, object]]:
    """Make a row per prospect; of an item that the audience may not read, only its numbers."""
    rows: list[dict[str, object]] = []
    for prospect in found:
        printed = may_print(prospect.item, model, audience)
        rows.append(
            {
                "hypothesis": case.belief.hypothesis.id,
                "indicator": case.indicator.id,
                "id": prospect.item.id if printed else withheld,
                "bears_on": prospect.hypothesis.id,
                "statement": prospect.item.statement if printed else withheld,
                "chance_seen": prospect.chance_seen,
                "if_seen": prospect.if_seen,
                "if_absent": prospect.if_absent,
                "information": prospect.information,
                "class_now": case.claim.claim_class,
                "class_if_seen": prospect.class_if_seen,
                "class_if_absent": prospect.class_if_absent,
                "printed": printed,
            }
        )
    return rows


def _bears(hypothesis: Hypothesis, claim: Hypothesis, case: Case) -> bool:
    if hypothesis.kind == "rival":
        return hypothesis.indicator in (None, case.indicator.id)
    return hypothesis.id == claim.id or (
        bool(hypothesis.pathway) and set(links_of(hypothesis)) < set(links_of(claim))
    )


def _prospect(item: Evidence, belief: Belief, model: ContributionModel) -> Prospect:
    now = belief.posterior.value.point
    s, e = (float(clip_probability((low + high) / 2)) for low, high in _ranges(item))
    chance = s * now + e * (1 - now)
    seen, absent = (
        belief_in(belief.hypothesis, _with_outcome(model, item, observed)).posterior.value.point
        for observed in ("yes", "no")
    )
    return Prospect(
        item, belief.hypothesis, chance, seen, absent, expected_information(now, seen, absent, chance)
    )


def _ranges(item: Evidence) -> tuple[tuple[float, float], tuple[float, float]]:
    return (item.s_lo, item.s_hi), (item.e_lo, item.e_hi)


def _with_outcome(model: ContributionModel, item: Evidence, observed: str) -> ContributionModel:
    evidence = tuple(
        other.model_copy(update={"observed": observed}) if other.id == item.id else other
        for other in model.evidence
    )
    return model.model_copy(update={"evidence": evidence})


def _divergence(after: float, before: float) -> float:
    return sum(p * math.log2(p / q) for p, q in ((after, before), (1 - after, 1 - before)) if p > 0 and q > 0)
