"""Contribution analysis of one site: what may be claimed, how sure it is, and what else could explain it."""

import math
from collections.abc import Mapping
from typing import Any

from evalkit.contribution.beliefs import claims_of, may_print
from evalkit.contribution.case import Case, weigh
from evalkit.contribution.cited import with_estimates
from evalkit.contribution.claim import Claim
from evalkit.contribution.pathway import grade
from evalkit.contribution.story import (
    WITHOUT_MODEL,
    belief_sentence,
    change_sentence,
    claim_sentence,
    rivals_sentence,
    withheld_sentence,
)
from evalkit.contribution.tables import (
    COLUMNS,
    belief_rows,
    evidence_frame,
    rival_rows,
    theory_frames,
    typed_frame,
)
from evalkit.contribution.theory import check_theory
from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP, DataDictionary
from evalkit.errors import ParameterError, raise_together
from evalkit.parameters import AUDIENCES, Site
from evalkit.results import Result, tidy_frame

METHOD = "contribution"
NO_REACH = "no count of the people served has been supplied"


def contribution_analysis(
    site: Site,
    results: Mapping[str, Result],
    *,
    audience: str,
    dictionary: DataDictionary,
    conf_level: float = 0.95,
) -> Result:
    """Weigh the claims of a site's theory of change against the change that was observed.

    Parameters
    ----------
    site : its `contribution` holds theory, hypotheses, evidence and reach; without it no claim is assessable
    results : by method; the change is taken from `interrupted_time_series`, else from `turn_the_curve`
    audience : internal, partners or public; evidence it may not read counts, but is not printed
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    Result with, for each claim, tidy rows `observed_change`, `prior`, `posterior` (probabilities; the
    interval is the range that prior, s and e allow), `posterior_independent`, `posterior_dependent`,
    `ceiling`, `share`, `effect_needed`, `headroom` and `claim` (its class in `note`), and one `glance` row.
    The observed change keeps the indicator's own direction; the last three numbers are improvements.
    Frames: nodes, links, routes, evidence, rivals, beliefs, ceilings.

    Raises
    ------
    ParameterError : the theory or the evidence log is wrong (every problem), or the audience is unknown.

    References
    ----------
    Mayne (2012), Evaluation 18:270-280; Befani and Stedman-Bryce (2017), Evaluation 23:42-60.
    """
    if audience not in AUDIENCES:
        raise ParameterError(f"audience is {audience!r}; use one of {', '.join(AUDIENCES)}")
    model = site.contribution
    if model is None:
        return _without_model(site, results, dictionary, audience)
    raise_together(
        ParameterError, (f"{site.site_id}: {problem}" for problem in check_theory(model, dictionary))
    )
    model = with_estimates(model, results, site=site, dictionary=dictionary, conf_level=conf_level)
    cases = [
        weigh(site, model, hypothesis, dictionary.indicator(indicator), results, audience, conf_level)
        for hypothesis, indicator in claims_of(model)
    ]
    indicators = {case.belief.hypothesis.id: case.indicator for case in cases}
    total, withheld = (
        len(model.evidence),
        sum(not may_print(item, model, audience) for item in model.evidence),
    )
    frames = {
        **theory_frames(model),
        "evidence": evidence_frame(model, audience=audience),
        "rivals": typed_frame(
            "rivals",
            [row for case in cases for row in rival_rows(case.belief, case.indicator.id, case.rivals)],
        ),
        "beliefs": typed_frame("beliefs", belief_rows(model, indicators)),
        "ceilings": typed_frame("ceilings", [_ceiling_row(case) for case in cases if case.ceiling]),
    }
    story = [paragraph for case in cases for paragraph in _paragraphs(case, conf_level)]
    return Result(
        method=METHOD,
        title=_title(site),
        design={
            "question": model.question,
            "audience": audience,
            "conf_level": conf_level,
            "claims": [case.belief.hypothesis.id for case in cases],
            "evidence_items": total,
            "withheld_items": withheld,
        },
        tidy=tidy_frame([row for case in cases for row in _tidy_rows(site, case)]),
        glance=typed_frame("glance", [_glance_row(case) for case in cases]),
        frames=frames,
        narrative=tuple(
            text
            for text in (
                f"The question: {model.question.strip()}",
                *story,
                "" if cases else "No hypothesis ends at an indicator, so there is no claim to assess.",
                withheld_sentence(withheld, total),
            )
            if text
        ),
    )


def _paragraphs(case: Case, conf_level: float) -> list[str]:
    change = change_sentence(case.indicator, case.change, conf_level=conf_level)
    evidence = belief_sentence(case.belief, case.chain, withheld=case.withheld)
    return [
        claim_sentence(case.indicator, case.statement, case.claim),
        f"{change} {case.sentence}",
        f"{evidence} {rivals_sentence(case.rivals)}".strip(),
    ]


def _tidy_rows(site: Site, case: Case) -> list[dict[str, object]]:
    about = f"about {case.belief.hypothesis.id}"
    common: dict[str, object] = {
        "method": METHOD,
        "indicator": case.indicator.id,
        "site_id": site.site_id,
        "unit_id": "all",
        "population": case.indicator.population,
        "dimension": TOTAL_DIMENSION,
        "subgroup": TOTAL_SUBGROUP,
        "period": case.change.last_period,
        "note": about,
    }

    def row(
        term: str, estimate: float, unit: str, low: float = math.nan, high: float = math.nan, **more: Any
    ) -> dict[str, object]:
        values = {"term": term, "estimate": estimate, "conf_low": low, "conf_high": high, "unit": unit}
        return common | values | more

    hypothesis, posterior, change = case.belief.hypothesis, case.belief.posterior, case.change
    unit = case.indicator.difference_unit
    rows = [
        row(
            "observed_change",
            change.estimate,
            unit,
            change.conf_low,
            change.conf_high,
            std_error=change.std_error,
            note=change.reason or f"{change.term} of {change.method}",
        ),
        row("prior", case.belief.prior, "probability", hypothesis.prior_lo, hypothesis.prior_hi),
        row(
            "posterior",
            posterior.value.point,
            "probability",
            posterior.value.low,
            posterior.value.high,
            n=len(case.belief.sought),
        ),
        row("posterior_independent", posterior.independent, "probability"),
        row("posterior_dependent", posterior.dependent, "probability"),
    ]
    ceiling, per = case.ceiling, case.indicator.per
    if ceiling is None:
        rows += [
            row(term, math.nan, "share" if term == "share" else unit, note=NO_REACH)
            for term in ("ceiling", "share", "effect_needed", "headroom")
        ]
    else:
        no_effect = (
            {"note": "no study of the effect has been supplied"} if math.isnan(ceiling.ceiling) else {}
        )
        no_share: dict[str, Any] = (
            {} if ceiling.has_share else no_effect or {"note": "no share can be estimated"}
        )
        rows += [
            row(
                "ceiling",
                per * ceiling.ceiling,
                unit,
                per * ceiling.low,
                per * ceiling.high,
                std_error=per * ceiling.std_error,
                **no_effect,
            ),
            row("share", ceiling.share, "share", ceiling.share_low, ceiling.share_high, **no_share),
            row("effect_needed", per * ceiling.effect_needed, unit),
            row("headroom", per * ceiling.headroom, unit),
        ]
    return [*rows, row("claim", math.nan, "", note=case.claim.claim_class)]


def _glance_row(case: Case) -> dict[str, object]:
    value = case.belief.posterior.value
    return {
        "hypothesis": case.belief.hypothesis.id,
        "statement": case.statement,
        "indicator": case.indicator.id,
        "class": case.claim.claim_class,
        "grade": grade(case.chain.low),
        "reason": case.claim.reason,
        "posterior": value.point,
        "posterior_low": value.low,
        "posterior_high": value.high,
        "weakest": case.chain.confidence.weakest,
        "guaranteed": case.chain.confidence.guaranteed,
        "product": case.chain.confidence.product,
        "items": len(case.belief.sought),
        "withheld": case.withheld,
        "independent_sources": case.independent,
        "rivals_examined": sum(rival.examined for rival in case.rivals),
        "rivals_unexamined": sum(not rival.examined for rival in case.rivals),
        "wording": " ".join(case.wording),
    }


def _ceiling_row(case: Case) -> dict[str, object]:
    ceiling, reached, per = case.ceiling, case.reached, case.indicator.per
    assert ceiling is not None
    assert reached is not None
    sign = 1 if case.indicator.favourable == "higher" else -1
    low, high = sorted((sign * case.change.conf_low, sign * case.change.conf_high))
    return {
        "hypothesis": case.belief.hypothesis.id,
        "indicator": case.indicator.id,
        "label": case.indicator.short_label,
        "unit": case.indicator.difference_unit,
        "observed": per * ceiling.observed,
        "observed_low": low,
        "observed_high": high,
        "ceiling": per * ceiling.ceiling,
        "ceiling_low": per * ceiling.low,
        "ceiling_high": per * ceiling.high,
        "share": ceiling.share,
        "share_low": ceiling.share_low,
        "share_high": ceiling.share_high,
        "effect_needed": per * ceiling.effect_needed,
        "headroom": per * ceiling.headroom,
        "reach_low": reached.bounds[0],
        "reach_high": reached.bounds[1],
        "dose": reached.dose,
        "effect_source": reached.effect_source,
        "sentence": case.sentence,
    }


def _without_model(
    site: Site, results: Mapping[str, Result], dictionary: DataDictionary, audience: str
) -> Result:
    """Say that nothing can be claimed where no theory of change and no evidence have been supplied."""
    measured = {
        indicator
        for method in ("interrupted_time_series", "turn_the_curve")
        if method in results
        for indicator in results[method].tidy["indicator"]
        if indicator in dictionary.indicators
    }
    order = [*site.headline, *sorted(measured - set(site.headline))]
    claim = Claim("not assessable", WITHOUT_MODEL)
    common = {"method": METHOD, "site_id": site.site_id, "unit_id": "all", "term": "claim"}
    rows = [{"indicator": indicator, "note": f"{claim.claim_class}: {claim.reason}"} for indicator in order]
    return Result(
        method=METHOD,
        title=_title(site),
        design={"question": "", "audience": audience, "claims": []},
        tidy=tidy_frame([common | row for row in rows or [{"note": f"{claim.claim_class}: {claim.reason}"}]]),
        glance=typed_frame(
            "glance",
            [
                {"indicator": indicator, "class": claim.claim_class, "reason": claim.reason}
                | dict.fromkeys(("items", "withheld", "independent_sources"), 0)
                | dict.fromkeys(("rivals_examined", "rivals_unexamined"), 0)
                for indicator in order or [""]
            ],
        ),
        frames={name: typed_frame(name, []) for name in COLUMNS if name != "glance"},
        narrative=(f"No claim of contribution can be assessed for {site.name}: {WITHOUT_MODEL}.",),
    )


def _title(site: Site) -> str:
    return f"What contributed to the change at {site.name}?"
