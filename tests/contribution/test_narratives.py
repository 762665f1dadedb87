import pytest
from made_up_town import MODEL, changed, site_with, time_series

from evalkit.contribution import contribution_analysis
from evalkit.contribution.attribution import lint_attribution
from evalkit.contribution.narratives import lint_network, lint_results, lint_site, lowest_class
from evalkit.parameters import Network
from evalkit.sites import Decision, Milestone

MILESTONE = Milestone(
    date="2020-05", kind="new_partnership", text="The hub’s work led to it.", source="Minutes"
)


def telling(**parts):
    return site_with(changed()).model_copy(update=parts)


def test_a_milestone_that_claims_attribution_is_told_with_its_place_and_mend():
    (problem,) = lint_site(telling(milestones=(MILESTONE,)), {"main": "plausible"})
    assert problem.location == ("milestones", 0, "text")
    assert problem.text == (
        '`text`: "led to" claims attribution, which the class "plausible" does not allow; '
        'write "contributed to"'
    )


@pytest.mark.parametrize(
    ("classes", "count"),
    [
        ({}, 1),
        ({"main": "supported"}, 1),
        ({"main": "strongly supported", "other": "possible"}, 1),
        ({"main": "strongly supported"}, 0),
    ],
)
def test_such_words_stand_only_where_every_claim_is_in_the_top_class(classes, count):
    assert len(lint_site(telling(milestones=(MILESTONE,)), classes)) == count


def test_decisions_and_statements_are_read_too_but_not_rivals():
    decision = Decision(date="2020", by="Table", decision="Go on", because="Calls caused it", then="")
    hypotheses = [
        MODEL["hypotheses"][0] | {"statement": "Coaching caused the fall."},
        MODEL["hypotheses"][1] | {"statement": "A new mix caused the fall."},
        *MODEL["hypotheses"][2:],
    ]
    site = telling(decisions=(decision,), contribution=changed(hypotheses=hypotheses))
    places = [problem.location for problem in lint_site(site, {"main": "plausible"})]
    assert places == [("decisions", 0, "because"), ("contribution", "hypotheses", 0, "statement")]


def test_the_sites_of_a_network_are_listed_by_id():
    sites = {"made-up": telling(milestones=(MILESTONE,)), "silent": telling()}
    network = Network(network_id="little", name="Little", sites=sites)
    assert list(lint_network(network)) == ["made-up"]
    assert lint_network(network, {"made-up": {"main": "strongly supported"}}) == {}


def test_what_the_analysis_writes_itself_claims_no_attribution(dictionary):
    results = time_series()
    results["contribution"] = contribution_analysis(
        telling(), results, audience="public", dictionary=dictionary
    )
    assert lint_results(results) == []


def test_a_saved_narrative_that_claims_attribution_is_told():
    results = time_series()
    series = results["interrupted_time_series"]
    told = type(series)(**{**vars(series), "narrative": ("All is well.", "The fall is due to the hub.")})
    (found,) = lint_results({"interrupted_time_series": told})
    assert found.startswith('interrupted_time_series, paragraph 2: "is due to" claims attribution')


@pytest.mark.parametrize(
    ("classes", "lowest"),
    [
        ({}, "not yet assessed"),
        ({"a": "supported", "b": "too small"}, "too small"),
        ({"a": "odd"}, "not yet assessed"),
    ],
)
def test_a_text_about_all_claims_is_held_to_the_lowest_class(classes, lowest):
    assert lowest_class(classes) == lowest


@pytest.mark.parametrize("text", ["Test results in the spring.", "Results from the survey came in May."])
def test_results_that_are_a_noun_claim_nothing(text):
    assert lint_attribution(text, "possible") == []
