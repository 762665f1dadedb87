"""The theory of change as a graph: its links, the links of a pathway, and the evidence on each."""

from itertools import pairwise

import networkx as nx

from evalkit.contribution_model import ContributionModel, Evidence, Hypothesis

KINDS = ("partner", "solution", "output", "outcome", "indicator")  # left to right


def theory_graph(model: ContributionModel) -> "nx.DiGraph[str]":
    """Make the graph of the declared nodes and of the links between them."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in model.nodes:
        graph.add_node(node.id, rank=KINDS.index(node.kind), kind=node.kind)
    graph.add_edges_from((link.src, link.dst) for link in model.links if {link.src, link.dst} <= set(graph))
    return graph


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
