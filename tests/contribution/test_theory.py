from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_town import MODEL, changed

from evalkit.contribution.graph import evidence_by_link, theory_graph
from evalkit.contribution.layout import lay_out
from evalkit.contribution.theory import check_theory, exposure_problems


def one_of(items, index, **change):
    return [item | change if place == index else item for place, item in enumerate(items)]


TOGETHER = {"indicator": "chronic_absence", "period": "2022", "population": 400}
LINKS, HYPOTHESES, EVIDENCE = MODEL["links"], MODEL["hypotheses"], MODEL["evidence"]


def test_a_sound_theory_has_no_problem(model, dictionary):
    assert check_theory(model, dictionary) == []


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"links": [*LINKS, {"src": "barriers", "dst": "calls", "mechanism": "back"}]},
         "circle: barriers → calls → barriers"),
        ({"links": [*LINKS, {"src": "calls", "dst": "absense", "mechanism": "typo"}]},
         "names 'absense', which is no node; did you mean 'absence'?"),
        ({"links": one_of(LINKS, 1, mechanism=" ")}, "link coaching → calls has no mechanism"),
        ({"links": [*LINKS, LINKS[0]]}, "link hub → coaching is declared 2 times"),
        ({"links": LINKS[1:]}, "node 'hub' has no link"),
        ({"nodes": one_of(MODEL["nodes"], 4, indicator="chronic_absense")},
         "did you mean 'chronic_absence'?"),
        ({"nodes": one_of(MODEL["nodes"], 4, indicator=None)}, "is of kind indicator but names none"),
        ({"evidence": one_of(EVIDENCE, 0, hypotheses=["mian"])}, "names the hypothesis 'mian'"),
        ({"evidence": one_of(EVIDENCE, 0, hypotheses=[])}, "evidence 'audit' names no hypothesis"),
        ({"evidence": one_of(EVIDENCE, 0, source="unversity")}, "did you mean 'university'?"),
        ({"evidence": one_of(EVIDENCE, 0, s_lo=0.9)}, "s_lo 0.9 is above s_hi 0.8; swap them"),
        ({"evidence": one_of(EVIDENCE, 0, rationale="")}, "evidence 'audit' has no rationale"),
        ({"evidence": [*EVIDENCE, EVIDENCE[0]]}, "evidence 'audit' is declared 2 times"),
        ({"hypotheses": one_of(HYPOTHESES, 0, prior_lo=0.7)}, "prior_lo 0.7 is above prior_hi 0.6"),
        ({"hypotheses": one_of(HYPOTHESES, 0, pathway=["coaching", "absence"])},
         "no link joins coaching to absence"),
        ({"hypotheses": one_of(HYPOTHESES, 0, pathway=[])}, "hypothesis 'main' has no pathway"),
        ({"hypotheses": one_of(HYPOTHESES, 1, finding="")}, "counts as examined without finding or evidence"),
        ({"hypotheses": one_of(HYPOTHESES, 1, rival_type=None)}, "has no rival_type"),
        ({"reach": one_of(MODEL["reach"], 0, served=500)}, "500 served is more than the denominator, 400"),
        ({"reach": one_of(MODEL["reach"], 0, effect=15.0, effect_hi=25.0)}, "effects are proportions"),
        ({"reach": one_of(MODEL["reach"], 0, effect_source="")}, "the effect has no source"),
        ({"reach": one_of(MODEL["reach"], 0, effect_lo=0.2)}, "must lie between effect_lo and effect_hi"),
        ({"reach": one_of(MODEL["reach"], 0, solution="couching")}, "did you mean 'coaching'?"),
        ({"partner_claims": [{"partner": "hubb", "indicator": "chronic_absence", "value": 3}]},
         "partner_claims names the partner 'hubb'"),
        ({"reach_together": [TOGETHER | {"served": 500}]}, "500 served is more than the denominator, 400"),
        ({"reach_together": [TOGETHER | {"served": 170}]}, "between the largest single count, 160"),
        ({"evidence": one_of(EVIDENCE, 0, estimate="its:chronic_absence")},
         "evidence 'audit' cites 'its:chronic_absence'; write method, indicator and term"),
    ],
)  # fmt: skip
def test_each_problem_is_one_sentence_with_its_mend(parts, words, dictionary):
    problems = check_theory(changed(**parts), dictionary)
    assert any(words in problem for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_probabilities_outside_zero_to_one_are_named(model, dictionary):
    wrong = model.evidence[0].model_copy(update={"s_hi": 1.2})
    odd = model.model_copy(update={"evidence": (wrong, *model.evidence[1:])})
    assert check_theory(odd, dictionary) == [
        "evidence 'audit': s runs from 0.6 to 1.2; probabilities lie between 0 and 1"
    ]


@pytest.mark.parametrize(("start", "late"), [("2022", False), ("2023", True), ("2022-09", False)])
def test_exposure_after_the_outcome_is_a_problem(start, late):
    found = exposure_problems({"coaching": start}, indicator="chronic_absence", last_period="2022")
    assert bool(found) is late


def test_evidence_on_a_pathway_counts_for_its_links_and_no_others(model):
    gathered = evidence_by_link(model)
    assert len(gathered["coaching", "calls"]) == 4
    assert gathered["hub", "coaching"] == []


def test_a_hypothesis_about_one_link_alone_needs_its_own_evidence():
    step = {"id": "step", "statement": "Coaching brings calls.", "pathway": ["coaching", "calls"]}
    gathered = evidence_by_link(changed(hypotheses=[*HYPOTHESES, step]))
    assert gathered["coaching", "calls"] == []
    assert len(gathered["calls", "barriers"]) == 4


def test_every_box_stands_right_of_what_it_depends_on(model):
    layout = lay_out(theory_graph(model))
    assert all(layout.layers[link.src] < layout.layers[link.dst] for link in model.links)
    assert [layout.layers[node.id] for node in model.nodes] == [0, 1, 2, 3, 4]


def test_a_layout_without_need_of_crossings_has_none():
    graph = nx.DiGraph([("a", "z"), ("b", "y"), ("c", "x")])
    nx.set_node_attributes(graph, {node: 0 if node in "abc" else 1 for node in graph}, "rank")
    nx.set_node_attributes(graph, "output", "kind")
    places = lay_out(graph).places
    pairs = sorted((places[src], places[dst]) for src, dst in graph.edges)
    assert [end for _, end in pairs] == sorted(end for _, end in pairs)


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 25))
    graph = nx.DiGraph()
    for node in range(size):
        graph.add_node(f"n{node}", rank=draw(st.integers(0, 4)), kind="output")
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    graph.add_edges_from((f"n{a}", f"n{b}") for a, b in draw(st.lists(pairs, max_size=40)) if a < b)
    return graph


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_boxes_of_one_column_never_overlap_and_links_run_between_them(graph):
    layout = lay_out(graph)
    columns = {}
    for node, layer in layout.layers.items():
        columns.setdefault(layer, []).append((layout.places[node], 1.0))
    for route in layout.routes.values():
        for layer, y in route:
            columns.setdefault(layer, []).append((y, 0.5))
    for column in columns.values():
        for (y, room), (next_y, next_room) in pairwise(sorted(column)):
            assert next_y - y >= (room + next_room) / 2 - 1e-9
