"""Contribution analysis of one site: what may be claimed, how sure it is, and what else could explain it."""

from collections.abc import Mapping

from evalkit.agreements import AUDIENCES
from evalkit.contribution.beliefs import claims_of, draws_of, may_print
from evalkit.contribution.case import Case, weigh
from evalkit.contribution.cited import with_estimates
from evalkit.contribution.claim import Claim
from evalkit.contribution.exposure import with_coded_counts
from evalkit.contribution.next_evidence import prospect_rows, prospects
from evalkit.contribution.partners import partner_rows, partners_sentence
from evalkit.contribution.rows import METHOD, ceiling_row, glance_row, tidy_rows
from evalkit.contribution.story import (
    WITHOUT_MODEL,
    belief_sentence,
    change_sentence,
    claim_sentence,
    next_sentence,
    rivals_sentence,
    tests_sentence,
    withheld_sentence,
)
from evalkit.contribution.tables import (
    COLUMNS,
    WITHHELD,
    belief_rows,
    evidence_frame,
    measured_rows,
    rival_rows,
    theory_frames,
    typed_frame,
)
from evalkit.contribution.theory import check_theory
from evalkit.dictionary import DataDictionary
from evalkit.errors import ParameterError, raise_together
from evalkit.parameters import MINIMUM_CELL
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site


def contribution_analysis(
    site: Site,
    results: Mapping[str, Result],
    *,
    audience: str,
    dictionary: DataDictionary,
    minimum_cell: int = MINIMUM_CELL,
    conf_level: float = 0.95,
) -> Result:
    """Weigh the claims of a site's theory of change against the change that was observed.

    Parameters
    ----------
    site : its `contribution` holds theory, hypotheses, evidence and reach; without it no claim is assessable
    results : by method; the change is taken from `interrupted_time_series`, else from `turn_the_curve`
    audience : internal, partners or public; evidence it may not read counts, but is not printed
    minimum_cell : where a count of people served is, or leaves, 1 to `minimum_cell` − 1 persons, all but the
        internal audience are shown no reach, ceiling or partner's share; for their classes and probabilities
        the count stands at the most that it may be
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    Result with, for each claim, tidy rows `observed_change`, `prior`, `posterior` (probabilities; the
    interval is the range that prior, s and e allow), `posterior_independent`, `posterior_dependent`,
    `ceiling`, `share`, `effect_needed`, `headroom` and `claim` (its class in `note`), and one `glance` row.
    `posterior_drawn` is the median of 10,000 draws over the ranges, with 95 % of them between its ends.
    The observed change keeps the indicator's own direction; the last three numbers are improvements.
    Frames: nodes, links, routes, evidence, rivals, rival_tests (rivals measured in the saved results),
    beliefs, ceilings, partners (Shapley shares and claims), next_evidence (items nobody has sought yet, by
    what they would tell).

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
    fewest = 1 if audience == "internal" else minimum_cell
    model = with_coded_counts(model, fewest=fewest)
    model = with_estimates(model, results, site=site, dictionary=dictionary, conf_level=conf_level)
    cases = [
        weigh(
            site,
            model,
            hypothesis,
            dictionary.indicator(indicator),
            results,
            audience,
            conf_level,
            fewest=fewest,
        )
        for hypothesis, indicator in claims_of(model)
    ]
    indicators = {case.belief.hypothesis.id: case.indicator for case in cases}
    total, withheld = (
        len(model.evidence),
        sum(not may_print(item, model, audience) for item in model.evidence),
    )
    draws = draws_of(model)
    looked_ahead = [
        prospects(site, model, case, results, audience=audience, conf_level=conf_level, fewest=fewest)
        for case in cases
    ]
    ahead = [
        prospect_rows(case, found, model, audience=audience, withheld=WITHHELD)
        for case, found in zip(cases, looked_ahead, strict=True)
    ]
    by_indicator = {case.indicator.id: case for case in cases}
    partners = {
        name: partner_rows(site, model, case.indicator, case.change, fewest=fewest)
        for name, case in by_indicator.items()
    }
    frames = {
        **theory_frames(model),
        "evidence": evidence_frame(model, audience=audience),
        "rivals": typed_frame(
            "rivals",
            [row for case in cases for row in rival_rows(case.belief, case.indicator.id, case.rivals)],
        ),
        "beliefs": typed_frame("beliefs", belief_rows(model, indicators, draws)),
        "rival_tests": typed_frame(
            "rival_tests",
            [
                row
                for case in cases
                for row in measured_rows(case.belief.hypothesis.id, case.indicator.id, case.tests)
            ],
        ),
        "next_evidence": typed_frame("next_evidence", [row for rows in ahead for row in rows]),
        "partners": typed_frame("partners", [row for rows in partners.values() for row in rows]),
        "ceilings": typed_frame("ceilings", [ceiling_row(case) for case in cases if case.reached]),
    }
    story = [
        paragraph
        for case, rows in zip(cases, ahead, strict=True)
        for paragraph in (*_paragraphs(case, conf_level), next_sentence(rows))
    ]
    story += [
        f"{case.indicator.short_label}: {sentence}"
        for name, case in by_indicator.items()
        if (sentence := partners_sentence(partners[name], case.indicator, case.change))
    ]
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
        tidy=tidy_frame([row for case in cases for row in tidy_rows(site, case, draws)]),
        glance=typed_frame("glance", [glance_row(case, draws) for case in cases]),
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
        tests_sentence(case.tests),
    ]


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
