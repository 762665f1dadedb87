from dataclasses import replace

import pandas as pd
import pytest

from evalkit.parameters import Network
from evalkit.results import Result, tidy_frame
from evalkit.sites import Partner, Site, Solution
from evalkit.synthesis import compare_sites, learning_review
from evalkit.synthesis.questions import would_tell


def verdicts(site_id: str, **found: tuple[str, str]) -> Result:
    rows = [
        {
            "method": "turn_the_curve",
            "indicator": indicator,
            "site_id": site_id,
            "unit_id": "all",
            "population": "target_school",
            "dimension": "all",
            "subgroup": "All",
            "period": "2024",
            "term": "verdict",
            "note": verdict,
        }
        for indicator, (verdict, _) in found.items()
    ]
    glance = [
        {
            "indicator": indicator,
            "verdict": verdict,
            "verdict_because": because,
            "baseline": "",
            "last_period": "2024",
            "target": float("nan"),
        }
        for indicator, (verdict, because) in found.items()
    ]
    return Result(
        method="turn_the_curve", title="", design={}, tidy=tidy_frame(rows), glance=pd.DataFrame(glance)
    )


def claim(**found: str) -> Result:
    glance = pd.DataFrame(
        [{"indicator": name, "class": rated, "reason": "r"} for name, rated in found.items()]
    )
    return Result(method="contribution", title="", design={}, tidy=tidy_frame([]), glance=glance)


@pytest.fixture
def review(dictionary):
    coaching = Partner(
        partner_id="p",
        name="P",
        solutions=(
            Solution(solution_id="c", name="Coaching", kind="program", indicators=("graduation_rate",)),
        ),
    )
    sites = {
        "alder": Site(site_id="alder", name="Alder", stage="reaching_scale", partners=(coaching,)),
        "birch": Site(site_id="birch", name="Birch", partners=(coaching,)),
        "cedar": Site(site_id="cedar", name="Cedar"),
    }
    network = Network(network_id="n", name="Three", sites=sites)
    results = {
        "alder": {
            "turn_the_curve": verdicts(
                "alder", graduation_rate=("turned", "x"), caregiver_employed=("not yet", "x")
            ),
            "contribution": claim(graduation_rate="plausible"),
        },
        "birch": {"turn_the_curve": verdicts("birch", graduation_rate=("not yet", "inside"))},
        "cedar": {
            "turn_the_curve": verdicts(
                "cedar", graduation_rate=("cannot be told", "3 periods before the start and 3 from then on")
            )
        },
    }
    comparison = compare_sites(results, network, dictionary)
    return learning_review(comparison, results, network, dictionary)


def test_it_says_what_turned_where_at_which_stage_with_which_class(review):
    row = review.frames["turned"].set_index(["site_id", "indicator"]).loc[("alder", "graduation_rate")]
    assert (row["verdict"], row["stage"], row["claim"], row["program"]) == (
        *("turned", "reaching scale", "plausible"),
        1,
    )
    assert row["solutions"] == "Coaching (program)"
    text = "turned in Alder; not yet in Birch; cannot be told in Cedar"
    assert f"Students who graduate from high school in four years: {text}." in review.narrative


def test_it_counts_the_mix_of_solutions_and_warns_that_counts_do_not_explain(review):
    row = review.frames["mix"].set_index(["indicator", "kind"]).loc[("Graduation", "program")]
    # Alder and Birch have a program, Alder turned; Cedar cannot be told and is in neither count.
    assert row.tolist() == [2, 1, 0, 0]
    assert "answers none" in review.summary()


def test_it_puts_the_generations_side_by_side(review):
    frame = review.frames["two_generation"].set_index("site_id")["two_generation"]
    assert frame["alder"] == "both measured"
    assert frame["birch"] == "one generation only, so not two-generation"


def test_every_silence_comes_with_the_data_that_would_break_it(review):
    row = review.frames["untold"].iloc[0]
    assert row["site"] == "Cedar"
    assert row["would_tell"] == "earlier years of the same measure; four before the start are the least"


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("the site declares no start, so there is no pre-period", "the school year in which"),
        ("it depends on the hidden values: turned at worst", "exact counts under a data-sharing agreement"),
        ("a new test: a definition break inside the window", "by the old and the new definition"),
        ("something never seen", "a longer or more exact series"),
    ],
)
def test_reasons_are_matched_to_data(reason, data):
    assert would_tell(reason).startswith(data) or data in would_tell(reason)


def test_every_site_gets_its_next_questions(review):
    asked = review.frames["questions"].groupby("site_id")["question"].apply(" ".join)
    assert "Nobody is on file as working on Caregiver employed" in asked["alder"]
    assert "Graduation has not turned although solutions aim at it" in asked["birch"]
    assert "Graduation cannot be told. Who has earlier years" in asked["cedar"]
    assert "parents and caregivers" in asked["birch"]


def test_the_strongest_of_several_claims_is_told(dictionary):
    site = Site(site_id="alder", name="Alder")
    network = Network(network_id="n", name="One", sites={"alder": site})
    two = pd.DataFrame(
        [
            {"indicator": "graduation_rate", "class": "possible", "reason": "a"},
            {"indicator": "graduation_rate", "class": "supported", "reason": "b"},
        ]
    )
    results = {
        "alder": {
            "turn_the_curve": verdicts("alder", graduation_rate=("turned", "x")),
            "contribution": replace(claim(graduation_rate="possible"), glance=two),
        }
    }
    review = learning_review(compare_sites(results, network, dictionary), results, network, dictionary)
    assert review.frames["turned"]["claim"].tolist() == ["supported"]


def test_a_network_without_results_says_so(dictionary):
    network = Network(network_id="n", name="None", sites={"a": Site(site_id="a", name="A")})
    review = learning_review(compare_sites({}, network, dictionary), {}, network, dictionary)
    assert review.narrative == ("No site has saved results yet.",)
