"""The theory of change as a graph, checked before anything is made of it."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import networkx as nx

from evalkit.dictionary import DataDictionary
from evalkit.documents import suggestion
from evalkit.parameters import ContributionModel, Evidence, Hypothesis

KINDS = ("partner", "solution", "output", "outcome", "indicator")  # left to right


def theory_graph(model: ContributionModel) -> "nx.DiGraph[str]":
    """Make the graph of the declared nodes and of the links between them."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in model.nodes:
        graph.add_node(node.id, rank=KINDS.index(node.kind), kind=node.kind)
    graph.add_edges_from((link.src, link.dst) for link in model.links if {link.src, link.dst} <= set(graph))
    return graph


def check_theory(model: ContributionModel, dictionary: DataDictionary) -> list[str]:
    """List everything that is wrong with a theory of change and its evidence log.

    Returns
    -------
    One sentence for each problem, each with its mend: repeated and dangling ids, cycles (with their path),
    links without mechanism, indicators that the dictionary does not have, evidence that names an unknown
    hypothesis or source, probabilities outside [0, 1], ranges upside down, evidence without rationale,
    pathways that follow no link, rivals said to be examined without a finding, impossible reach and effects.
    """
    return [
        *_repeated_ids(model),
        *_graph_problems(model),
        *_unknown_indicators(model, dictionary),
        *_hypothesis_problems(model),
        *_evidence_problems(model),
        *_reach_problems(model),
    ]


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


def links_of(hypothesis: Hypothesis) -> list[tuple[str, str]]:
    """List the links (src, dst) on a hypothesis' pathway."""
    return list(pairwise(hypothesis.pathway))


def evidence_by_link(model: ContributionModel) -> dict[tuple[str, str], list[Evidence]]:
    """Gather for each link the sought evidence on main hypotheses whose pathway runs along it.

    A hypothesis about a single link speaks for that link alone: where one stands, evidence on a longer
    pathway does not count for the link.
    """
    gathered: dict[tuple[str, str], list[Evidence]] = {(link.src, link.dst): [] for link in model.links}
    mains = [hypothesis for hypothesis in model.hypotheses if hypothesis.kind == "main"]
    own = {links_of(item)[0]: item.id for item in mains if len(item.pathway) == 2}
    for hypothesis in mains:
        items = [
            item
            for item in model.evidence
            if hypothesis.id in item.hypotheses and item.observed != "not_sought"
        ]
        for link in links_of(hypothesis):
            if link in gathered and own.get(link, hypothesis.id) == hypothesis.id:
                gathered[link].extend(items)
    return gathered


def _repeated_ids(model: ContributionModel) -> Iterator[str]:
    kinds = (
        ("node", model.nodes),
        ("hypothesis", model.hypotheses),
        ("evidence", model.evidence),
        ("source", model.sources),
    )
    for what, items in kinds:
        ids = [item.id for item in items]
        for repeated in sorted({name for name in ids if ids.count(name) > 1}):
            yield f"{what} {repeated!r} is declared {ids.count(repeated)} times; give each its own id"
    pairs = [(link.src, link.dst) for link in model.links]
    for src, dst in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        yield f"link {src} → {dst} is declared {pairs.count((src, dst))} times; keep one"


def _graph_problems(model: ContributionModel) -> Iterator[str]:
    known = {node.id for node in model.nodes}
    for link in model.links:
        for end in (link.src, link.dst):
            if end not in known:
                yield (
                    f"link {link.src} → {link.dst} names {end!r}, which is no node; "
                    + (suggestion(end, known) or "declare it under nodes")
                )
        if not link.mechanism.strip():
            yield f"link {link.src} → {link.dst} has no mechanism; say how the one brings about the other"
    graph = theory_graph(model)
    if not nx.is_directed_acyclic_graph(graph):
        for circle in sorted(nx.simple_cycles(graph)):
            start = circle.index(min(circle))
            path = " → ".join([*circle[start:], *circle[:start], circle[start]])
            yield f"the links run in a circle: {path}; take out the link that does not hold"
    touched = {end for link in model.links for end in (link.src, link.dst)}
    for node in model.nodes:
        if model.links and node.id not in touched:
            yield f"node {node.id!r} has no link; link it or take it out"
        if node.kind == "indicator" and not node.indicator:
            yield f"node {node.id!r} is of kind indicator but names none; add `indicator`"


def _unknown_indicators(model: ContributionModel, dictionary: DataDictionary) -> Iterator[str]:
    named = [
        *((f"node {item.id!r}", item.indicator) for item in model.nodes),
        *((f"hypothesis {item.id!r}", item.indicator) for item in model.hypotheses),
        *((f"reach of {item.solution!r}", item.indicator) for item in model.reach),
    ]
    for where, indicator in named:
        if indicator is not None and indicator not in dictionary.indicators:
            hint = suggestion(indicator, dictionary.indicators) or "add it to data_dictionary/indicators.yml"
            yield f"{where} names the indicator {indicator!r}, which the dictionary does not have; {hint}"


def _hypothesis_problems(model: ContributionModel) -> Iterator[str]:
    links = {(link.src, link.dst) for link in model.links}
    evidenced = {name for item in model.evidence for name in item.hypotheses}
    for item in model.hypotheses:
        yield from _range_problems(f"hypothesis {item.id!r}", "prior", item.prior_lo, item.prior_hi)
        for src, dst in links_of(item):
            if (src, dst) not in links:
                yield f"hypothesis {item.id!r}: no link joins {src} to {dst} on its pathway; add the link"
        if item.kind == "main" and len(item.pathway) < 2:
            yield f"hypothesis {item.id!r} has no pathway; list the nodes it runs through, at least two"
        if item.kind == "rival" and item.rival_type is None:
            yield f"rival {item.id!r} has no rival_type; add one, e.g. rival_type: regional_trend"
        if item.examined and not item.finding.strip() and item.id not in evidenced:
            yield f"hypothesis {item.id!r} counts as examined without finding or evidence; add what was found"


def _evidence_problems(model: ContributionModel) -> Iterator[str]:
    hypotheses = {item.id for item in model.hypotheses}
    sources = {item.id for item in model.sources}
    for item in model.evidence:
        where = f"evidence {item.id!r}"
        for name in item.hypotheses:
            if name not in hypotheses:
                hint = suggestion(name, hypotheses) or "declare it under hypotheses"
                yield f"{where} names the hypothesis {name!r}, which is not declared; {hint}"
        if not item.hypotheses:
            yield f"{where} names no hypothesis; say which it bears on"
        if item.source not in sources:
            hint = suggestion(item.source, sources) or "declare it under sources with its party"
            yield f"{where} names the source {item.source!r}, which is not declared; {hint}"
        yield from _range_problems(where, "s", item.s_lo, item.s_hi)
        yield from _range_problems(where, "e", item.e_lo, item.e_hi)
        if not item.rationale.strip():
            yield f"{where} has no rationale; say why s and e have these values"


def _reach_problems(model: ContributionModel) -> Iterator[str]:
    for item in model.reach:
        where = f"reach of {item.solution!r} for {item.indicator} in {item.period}"
        if item.served > item.population:
            yield (
                f"{where}: {item.served} served is more than the denominator, {item.population}; "
                "count every person once"
            )
        if not 0 <= item.dose <= 1:
            yield f"{where}: dose {item.dose} lies outside [0, 1]"
        effect = (item.effect_lo, item.effect, item.effect_hi)
        given = [value for value in effect if value is not None]
        if given != sorted(given):
            yield f"{where}: the effect {item.effect} must lie between effect_lo and effect_hi"
        if any(abs(value) > 1 for value in given):
            yield f"{where}: effects are proportions between −1 and 1 (15 percentage points are 0.15)"
        if item.effect is not None and not item.effect_source.strip():
            yield f"{where}: the effect has no source; name the study it comes from"


def _range_problems(where: str, name: str, low: float, high: float) -> Iterator[str]:
    if not (0 <= low <= 1 and 0 <= high <= 1):
        yield f"{where}: {name} runs from {low} to {high}; probabilities lie between 0 and 1"
    if low > high:
        yield f"{where}: {name}_lo {low} is above {name}_hi {high}; swap them"
