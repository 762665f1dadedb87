import pytest
from made_up_town import site_with, time_series

from evalkit.contribution.qca_cases import combinations_across_sites, site_cases
from evalkit.results import read_result, save_result
from evalkit.sites import Partner


def site_of(*solutions):
    partner = Partner.model_validate({"partner_id": "hub", "name": "Hub", "solutions": solutions})
    return site_with(None).model_copy(update={"partners": (partner,)})


def solution(kind, start="2019", indicators=("chronic_absence",)):
    return {"solution_id": kind, "name": kind, "kind": kind, "start": start, "indicators": indicators}


def cases(dictionary, *solutions, series=None):
    results = {"made-up": time_series() if series is None else series}
    return site_cases({"made-up": site_of(*solutions)}, results, dictionary=dictionary)


def test_a_case_holds_the_kinds_of_solutions_that_aim_at_the_indicator_and_began_in_time(dictionary):
    found = cases(
        dictionary,
        solution("family"),
        solution("system"),
        solution("program", start="2024"),
        solution("policy", indicators=["mobility"]),
    )
    assert found.index.tolist() == ["made-up: Chronic absence"]
    assert found.iloc[0][["family", "program", "policy_or_system"]].tolist() == [1, 0, 1]


def test_membership_in_improved_follows_the_standard_errors(dictionary):
    # One standard error better is the crossover, two are the anchor of inclusion.
    z = 1.959963984540054
    for errors, degree in ((1, 0.5), (2, 0.95), (0, 0.05), (-1, 0.0027624)):
        low, high = -errors - z, -errors + z
        found = cases(dictionary, series=time_series(-errors, low, high))
        assert found["improved"].iloc[0] == pytest.approx(degree, abs=1e-6)


def test_an_indicator_without_an_estimate_is_no_case(dictionary):
    nan = float("nan")
    assert cases(dictionary, series=time_series(nan, nan, nan, note="too short")).empty


def test_cases_that_allow_no_answer_are_told_in_words_not_raised(dictionary, tmp_path):
    site = site_of(solution("family"))
    result = combinations_across_sites({"made-up": site}, {"made-up": time_series()}, dictionary=dictionary)
    assert "cannot be told" in result.summary()
    assert result.tidy["note"].iloc[0]
    save_result(result, tmp_path, inputs={})
    assert read_result(tmp_path, "qca").summary() == result.summary()
