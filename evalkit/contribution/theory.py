"""The theory of change and its evidence log, checked before anything is made of them."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import networkx as nx

from evalkit.contribution.cited import citation_problem
from evalkit.contribution.graph import links_of, theory_graph
from evalkit.contribution_model import ContributionModel
from evalkit.dictionary import DataDictionary
from evalkit.documents import Location, suggestion
from evalkit.sites import Site


class Problem(NamedTuple):
    """One sentence, and where in the site's file (`contribution`, or `partners`) it belongs."""

    location: Location
    text: str


def check_theory(model: ContributionModel, dictionary: DataDictionary) -> list[str]:
    """List everything that is wrong with a theory of change and its evidence log.

    Returns
    -------
    One sentence for each problem, each with its mend: repeated and dangling ids, cycles (with their path),
    links without mechanism, indicators that the dictionary does not have, evidence that names an unknown
    hypothesis or source, probabilities outside [0, 1], ranges upside down, evidence without rationale,
    estimates that nobody saves, pathways that follow no link, rivals said to be examined without a finding,
    impossible reach and effects. `theory_problems` tells where in the file each one is.
    """
    return [problem.text for problem in theory_problems(model, dictionary)]


def theory_problems(model: ContributionModel, dictionary: DataDictionary) -> list[Problem]:
    """List the problems that `check_theory` tells, each with the place of what is wrong.

    Returns
    -------
    Locations begin with "contribution" and use the positions of the model's tuples.
    """
    found = [
        *_repeated_ids(model),
        *_graph_problems(model),
        *_unknown_indicators(model, dictionary),
        *_hypothesis_problems(model),
        *_evidence_problems(model, dictionary),
        *_reach_problems(model),
        *_joint_reach_problems(model),
        *_unknown_nodes(model),
    ]
    return [Problem(("contribution", *problem.location), problem.text) for problem in found]


def late_exposure(site: Site, last_periods: Mapping[str, str]) -> list[Problem]:
    """List the solutions on a claim's pathway that began only after its indicator was last measured.

    Parameters
    ----------
    last_periods : indicator -> its last measured period, ISO text
    """
    if site.contribution is None:
        return []
    indicator_of = {node.id: node.indicator for node in site.contribution.nodes}
    found = []
    for hypothesis in site.contribution.hypotheses:
        ends_at = hypothesis.indicator or (
            indicator_of.get(hypothesis.pathway[-1]) if hypothesis.pathway else None
        )
        if hypothesis.kind != "main" or ends_at not in last_periods:
            continue
        for place, partner in enumerate(site.partners):
            for position, solution in enumerate(partner.solutions):
                if solution.start and solution.solution_id in hypothesis.pathway:
                    location = ("partners", place, "solutions", position, "start")
                    texts = exposure_problems(
                        {solution.solution_id: solution.start},
                        indicator=str(ends_at),
                        last_period=last_periods[str(ends_at)],
                    )
                    found += [Problem(location, text) for text in texts]
    return list(dict.fromkeys(found))


def exposure_problems(starts: Mapping[str, str], *, indicator: str, last_period: str) -> list[str]:
    """List the solutions that began only after the outcome had been measured for the last time.

    Parameters
    ----------
    starts : solution -> its first period, ISO text
    last_period : last measured period of the indicator, ISO text
    """
    return [
        f"solution {solution!r} began in {start}, after {indicator} was last measured ({last_period}), so it "
        "cannot have contributed to the change; correct the date or take it out of the pathway"
        for solution, start in starts.items()
        if start[:4] > last_period[:4] or (len(start) == len(last_period) and start > last_period)
    ]


def _repeated_ids(model: ContributionModel) -> Iterator[Problem]:
    kinds = (
        ("node", "nodes", model.nodes),
        ("hypothesis", "hypotheses", model.hypotheses),
        ("evidence", "evidence", model.evidence),
        ("source", "sources", model.sources),
    )
    for what, key, items in kinds:
        ids = [item.id for item in items]
        for repeated in sorted({name for name in ids if ids.count(name) > 1}):
            count, last = ids.count(repeated), len(ids) - 1 - ids[::-1].index(repeated)
            yield Problem(
                (key, last, "id"), f"{what} {repeated!r} is declared {count} times; give each its own id"
            )
    pairs = [(link.src, link.dst) for link in model.links]
    for src, dst in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        last = len(pairs) - 1 - pairs[::-1].index((src, dst))
        count = pairs.count((src, dst))
        yield Problem(("links", last), f"link {src} → {dst} is declared {count} times; keep one")


def _graph_problems(model: ContributionModel) -> Iterator[Problem]:
    known = {node.id for node in model.nodes}
    for place, link in enumerate(model.links):
        for key, end in (("src", link.src), ("dst", link.dst)):
            if end not in known:
                yield Problem(
                    ("links", place, key),
                    f"link {link.src} → {link.dst} names {end!r}, which is no node; "
                    + (suggestion(end, known) or "declare it under nodes"),
                )
        if not link.mechanism.strip():
            yield Problem(
                ("links", place),
                f"link {link.src} → {link.dst} has no mechanism; say how the one brings about the other",
            )
    graph = theory_graph(model)
    if not nx.is_directed_acyclic_graph(graph):
        pairs = [(link.src, link.dst) for link in model.links]
        for circle in sorted(nx.simple_cycles(graph)):
            start = circle.index(min(circle))
            round_trip = [*circle[start:], *circle[:start], circle[start]]
            path = " → ".join(round_trip)
            # The link that closes the circle is the likeliest slip: the last of them in the file.
            last = max(pairs.index(pair) for pair in pairwise(round_trip))
            yield Problem(
                ("links", last), f"the links run in a circle: {path}; take out the link that does not hold"
            )
    touched = {end for link in model.links for end in (link.src, link.dst)}
    for place, node in enumerate(model.nodes):
        if model.links and node.id not in touched:
            yield Problem(("nodes", place), f"node {node.id!r} has no link; link it or take it out")
        if node.kind == "indicator" and not node.indicator:
            yield Problem(
                ("nodes", place), f"node {node.id!r} is of kind indicator but names none; add `indicator`"
            )


def _unknown_indicators(model: ContributionModel, dictionary: DataDictionary) -> Iterator[Problem]:
    named = [
        *(("nodes", place, f"node {item.id!r}", item.indicator) for place, item in enumerate(model.nodes)),
        *(
            ("hypotheses", place, f"hypothesis {item.id!r}", item.indicator)
            for place, item in enumerate(model.hypotheses)
        ),
        *(
            ("reach", place, f"reach of {item.solution!r}", item.indicator)
            for place, item in enumerate(model.reach)
        ),
    ]
    for key, place, where, indicator in named:
        if indicator is not None and indicator not in dictionary.indicators:
            hint = suggestion(indicator, dictionary.indicators) or "add it to data_dictionary/indicators.yml"
            yield Problem(
                (key, place, "indicator"),
                f"{where} names the indicator {indicator!r}, which the dictionary does not have; {hint}",
            )


def _hypothesis_problems(model: ContributionModel) -> Iterator[Problem]:
    links = {(link.src, link.dst) for link in model.links}
    evidenced = {name for item in model.evidence for name in item.hypotheses}
    for place, item in enumerate(model.hypotheses):
        here = ("hypotheses", place)
        yield from _range_problems(here, f"hypothesis {item.id!r}", "prior", item.prior_lo, item.prior_hi)
        for src, dst in links_of(item):
            if (src, dst) not in links:
                yield Problem(
                    (*here, "pathway"),
                    f"hypothesis {item.id!r}: no link joins {src} to {dst} on its pathway; add the link",
                )
        if item.kind == "main" and len(item.pathway) < 2:
            yield Problem(
                here,
                f"hypothesis {item.id!r} has no pathway; list the nodes it runs through, at least two",
            )
        if item.kind == "rival" and item.rival_type is None:
            yield Problem(
                here, f"rival {item.id!r} has no rival_type; add one, e.g. rival_type: regional_trend"
            )
        if item.examined and not item.finding.strip() and item.id not in evidenced:
            yield Problem(
                (*here, "examined"),
                f"hypothesis {item.id!r} counts as examined without finding or evidence; add what was found",
            )


def _evidence_problems(model: ContributionModel, dictionary: DataDictionary) -> Iterator[Problem]:
    hypotheses = {item.id for item in model.hypotheses}
    sources = {item.id for item in model.sources}
    for place, item in enumerate(model.evidence):
        where, here = f"evidence {item.id!r}", ("evidence", place)
        for name in item.hypotheses:
            if name not in hypotheses:
                hint = suggestion(name, hypotheses) or "declare it under hypotheses"
                yield Problem(
                    (*here, "hypotheses"),
                    f"{where} names the hypothesis {name!r}, which is not declared; {hint}",
                )
        if not item.hypotheses:
            yield Problem(here, f"{where} names no hypothesis; say which it bears on")
        if item.source not in sources:
            hint = suggestion(item.source, sources) or "declare it under sources with its party"
            yield Problem(
                (*here, "source"), f"{where} names the source {item.source!r}, which is not declared; {hint}"
            )
        yield from _range_problems(here, where, "s", item.s_lo, item.s_hi)
        yield from _range_problems(here, where, "e", item.e_lo, item.e_hi)
        if not item.rationale.strip():
            yield Problem(
                (*here, "rationale"), f"{where} has no rationale; say why s and e have these values"
            )
        wrong = citation_problem(item.estimate, dictionary)
        if wrong:
            yield Problem((*here, "estimate"), f"{where} {wrong}")


def _reach_problems(model: ContributionModel) -> Iterator[Problem]:
    for place, item in enumerate(model.reach):
        where, here = f"reach of {item.solution!r} for {item.indicator} in {item.period}", ("reach", place)
        if item.served > item.population:
            yield Problem(
                (*here, "served"),
                f"{where}: {item.served} served is more than the denominator, {item.population}; "
                "count every person once",
            )
        if not 0 <= item.dose <= 1:
            yield Problem((*here, "dose"), f"{where}: dose {item.dose} lies outside [0, 1]")
        effect = (item.effect_lo, item.effect, item.effect_hi)
        given = [value for value in effect if value is not None]
        if given != sorted(given):
            yield Problem(
                (*here, "effect"),
                f"{where}: the effect {item.effect} must lie between effect_lo and effect_hi",
            )
        if any(abs(value) > 1 for value in given):
            yield Problem(
                (*here, "effect"),
                f"{where}: effects are proportions between −1 and 1 (15 percentage points are 0.15)",
            )
        if item.effect is not None and not item.effect_source.strip():
            yield Problem(
                (*here, "effect"), f"{where}: the effect has no source; name the study it comes from"
            )


def _joint_reach_problems(model: ContributionModel) -> Iterator[Problem]:
    for place, item in enumerate(model.reach_together):
        single = [
            row.served for row in model.reach if (row.indicator, row.period) == (item.indicator, item.period)
        ]
        where = f"reach_together for {item.indicator} in {item.period}"
        if item.served > item.population:
            text = f"{item.served} served is more than the denominator, {item.population}"
            yield Problem(("reach_together", place, "served"), f"{where}: {text}; count every person once")
        elif single and not max(single) <= item.served <= sum(single):
            yield Problem(
                ("reach_together", place, "served"),
                f"{where}: {item.served} served by any solution must lie between the largest single count, "
                f"{max(single)}, and their sum, {sum(single)}; correct one of the counts",
            )


def _unknown_nodes(model: ContributionModel) -> Iterator[Problem]:
    """Tell where reach, entry scores or claims name a solution or partner that the theory does not have."""
    named: list[tuple[str, int, str, str, str]] = [
        *(("reach", place, "solution", item.solution, "solution") for place, item in enumerate(model.reach)),
        *(
            ("entry_scores", place, "solution", item.solution, "solution")
            for place, item in enumerate(model.entry_scores)
        ),
        *(
            ("partner_claims", place, "partner", item.partner, "partner")
            for place, item in enumerate(model.partner_claims)
        ),
    ]
    for key, place, field, name, kind in named:
        known = {node.id for node in model.nodes if node.kind == kind}
        if name not in known:
            hint = suggestion(name, known) or "declare it under nodes"
            yield Problem(
                (key, place, field), f"{key} names the {kind} {name!r}, which is no such node; {hint}"
            )


def _range_problems(here: Location, where: str, name: str, low: float, high: float) -> Iterator[Problem]:
    if not (0 <= low <= 1 and 0 <= high <= 1):
        yield Problem(
            (*here, f"{name}_lo"),
            f"{where}: {name} runs from {low} to {high}; probabilities lie between 0 and 1",
        )
    if low > high:
        yield Problem((*here, f"{name}_lo"), f"{where}: {name}_lo {low} is above {name}_hi {high}; swap them")
