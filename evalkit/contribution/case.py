"""One claim weighed: the change it is about, the evidence for it, its rivals, its ceiling, its class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.contribution.attribution import lint_attribution
from evalkit.contribution.beliefs import (
    Belief,
    Chain,
    Rival,
    belief_in,
    chain_of,
    independent_sources,
    may_print,
    rivals_of,
)
from evalkit.contribution.ceiling import Ceiling
from evalkit.contribution.claim import Claim, Findings, classify
from evalkit.contribution.exposure import NO_REACH, Reached, ceiling_of, reached_by, too_few
from evalkit.contribution.graph import evidence_by_link, links_of
from evalkit.contribution.observed import ObservedChange, observed_change
from evalkit.contribution.rival_tests import RivalTest, rival_tests
from evalkit.contribution.rivals import RIVAL_LABELS
from evalkit.contribution.story import ceiling_sentence
from evalkit.contribution.theory import exposure_problems
from evalkit.contribution_model import ContributionModel, Hypothesis
from evalkit.dictionary import Indicator
from evalkit.results import Result
from evalkit.sites import Site


@dataclass(frozen=True)
class Case:
    """Everything about one claim: a main hypothesis and the indicator it ends at.

    Attributes
    ----------
    statement : as it may be printed: a statement that says more than its class allows is replaced
    tests : the rivals measured in the saved results
    ceiling : None where no count of people served is on file, or it may not be shown
    no_ceiling : the reason why there is none; "" where there is one
    sentence : the ceiling in words
    wording : what is wrong with the statement as declared
    withheld : number of its items of evidence that the audience may not read
    independent : number of independent sources that speak for it
    """

    indicator: Indicator
    statement: str
    belief: Belief
    chain: Chain
    rivals: Sequence[Rival]
    tests: Sequence[RivalTest]
    change: ObservedChange
    reached: Reached | None
    ceiling: Ceiling | None
    no_ceiling: str
    claim: Claim
    sentence: str
    wording: tuple[str, ...]
    withheld: int
    independent: int


def weigh(
    site: Site,
    model: ContributionModel,
    hypothesis: Hypothesis,
    indicator: Indicator,
    results: Mapping[str, Result],
    audience: str,
    conf_level: float,
    *,
    fewest: int,
) -> Case:
    """Weigh one main hypothesis against the change in its indicator; `fewest` is that of `reached_by`."""
    change = observed_change(
        results, indicator.id, site_id=site.site_id, start=site.start, conf_level=conf_level
    )
    belief = belief_in(hypothesis, model)
    chain = chain_of(hypothesis, model)
    rivals = rivals_of(belief, indicator.id, model)
    tests = rival_tests(site, model, indicator, change, results, conf_level=conf_level)
    reached = reached_by(
        hypothesis, model, indicator, start=site.start, last_period=change.last_period, fewest=fewest
    )
    ceiling = ceiling_of(reached, change, indicator, conf_level=conf_level)
    independent = independent_sources(belief, model)
    sign = 1 if indicator.favourable == "higher" else -1
    claim = classify(
        Findings(
            obstacle=_obstacle(model, hypothesis, indicator, change),
            change_covers_zero=change.covers_zero,
            change_is_favourable=sign * change.estimate > 0,
            share_high=ceiling.share_high if ceiling and ceiling.has_share else None,
            headroom=None if ceiling is None or math.isnan(ceiling.headroom) else ceiling.headroom,
            lower=chain.low,
            upper=chain.high,
            exposure_after_change=_began_too_late(site, model, hypothesis, indicator, change),
            rivals_unexamined=tuple(rival.label for rival in rivals if not rival.examined),
            rivals_measured=tuple(RIVAL_LABELS[test.rival_type] for test in tests if test.holds_back),
            strongest_rival=max(
                (rival.belief.posterior.value.point for rival in rivals if rival.examined and rival.belief),
                default=0.0,
            ),
            independent_sources=independent,
            counterfactual_excludes_zero=change.method == "interrupted_time_series"
            and not change.covers_zero,
        )
    )
    wording = tuple(lint_attribution(hypothesis.statement, claim.claim_class))
    # A statement that claims more than its class allows is not repeated; what it may say stands instead.
    statement = hypothesis.statement
    if wording:
        label = {node.id: node.label for node in model.nodes}
        statement = f"{label[hypothesis.pathway[0]]} contributed to {indicator.short_label.lower()}"
    no_ceiling = NO_REACH if reached is None else too_few(fewest) if reached.hidden else ""
    shown = None if no_ceiling else ceiling
    return Case(
        indicator=indicator,
        statement=statement,
        belief=belief,
        chain=chain,
        rivals=rivals,
        tests=tests,
        change=change,
        reached=reached,
        ceiling=shown,
        no_ceiling=no_ceiling,
        claim=claim,
        sentence=ceiling_sentence(
            shown,
            reason=no_ceiling,
            reach=reached.bounds if reached else (math.nan, math.nan),
            dose=reached.dose if reached else math.nan,
            lacking=reached.lacking(change) if reached else math.nan,
            conf_level=conf_level,
        ),
        wording=wording,
        withheld=sum(not may_print(item, model, audience) for item in belief.sought),
        independent=independent,
    )


def _obstacle(
    model: ContributionModel, hypothesis: Hypothesis, indicator: Indicator, change: ObservedChange
) -> str:
    """Say why no claim can be assessed: no estimate, a break in the window, or a link without evidence."""
    if change.reason:
        return f"its change could not be estimated ({change.reason.strip().rstrip('.')})"
    for item in indicator.breaks:
        if change.first_period < item.period <= change.last_period and change.first_period:
            return f"its definition changed in {item.period} ({item.reason.strip().rstrip('.')})"
    gathered = evidence_by_link(model)
    label = {node.id: node.label for node in model.nodes}
    bare = [
        f"“{label[src]}” to “{label[dst]}”" for src, dst in links_of(hypothesis) if not gathered[src, dst]
    ]
    if bare:
        others = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        return f"nobody has looked for evidence on the link from {bare[0]}{others}"
    return ""


def _began_too_late(
    site: Site, model: ContributionModel, hypothesis: Hypothesis, indicator: Indicator, change: ObservedChange
) -> bool:
    starts = {
        solution.solution_id: solution.start
        for partner in site.partners
        for solution in partner.solutions
        if solution.start and solution.solution_id in hypothesis.pathway
    }
    if not starts:
        for item in sorted(model.reach, key=lambda item: item.period, reverse=True):
            if item.solution in hypothesis.pathway and item.indicator == indicator.id and item.served:
                starts[item.solution] = item.period
    late = exposure_problems(starts, indicator=indicator.id, last_period=change.last_period)
    return bool(starts) and bool(change.last_period) and len(late) == len(starts)
