import math
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_town import MODEL, changed, site_with, time_series

from evalkit.contribution import contribution_analysis, lint_attribution
from evalkit.contribution.claim import CLASSES
from evalkit.errors import ParameterError
from evalkit.results import TIDY_COLUMNS, read_result, save_result

SECRETS = ("Statement of interviews", "Rationale of interviews", "Residents asked", "Statement of logs")


def analysed(model, dictionary, results=None, *, audience="public", **site):
    place = site_with(model).model_copy(update=site)
    return contribution_analysis(
        place, time_series() if results is None else results, audience=audience, dictionary=dictionary
    )


def only(result, term):
    return result.tidy[result.tidy["term"] == term].iloc[0]


def class_of(result):
    return result.glance["class"].iloc[0]


def test_the_claim_and_its_numbers_come_out_as_worked_by_hand(model, dictionary):
    result = analysed(model, dictionary)
    assert tuple(result.tidy.columns) == TIDY_COLUMNS
    assert class_of(result) == "strongly supported"
    # Four items of ratio .7/.075; the two independent sources share a party and count 2/1.5 between them.
    joint = math.log(0.7 / 0.075) * (2 / 1.5 + 2)
    assert only(result, "posterior")["estimate"] == pytest.approx(1 / (1 + math.exp(-joint)))
    lowest = math.log(0.6 / 0.1) * (2 / 1.5 + 2) + math.log(0.4 / 0.6)
    assert only(result, "posterior")["conf_low"] == pytest.approx(1 / (1 + math.exp(-lowest)))
    # Reach .40, dose .75, effect .15 on a fall of 8 points from a projected 34 %.
    assert only(result, "ceiling")["estimate"] == pytest.approx(4.5)
    assert only(result, "share")["estimate"] == pytest.approx(0.5625)
    assert only(result, "effect_needed")["estimate"] == pytest.approx(8 / 0.30)
    assert only(result, "headroom")["estimate"] == pytest.approx(0.40 * 34)
    assert only(result, "claim")["note"] == "strongly supported"


def test_evidence_that_may_not_be_read_counts_and_is_printed_nowhere(model, dictionary, tmp_path):
    public, internal = (analysed(model, dictionary, audience=who) for who in ("public", "internal"))
    assert only(public, "posterior")["estimate"] == only(internal, "posterior")["estimate"]
    folder = save_result(public, tmp_path, inputs={}).parent
    written = "".join(path.read_text("utf-8") for path in folder.iterdir() if path.suffix != ".parquet")
    frames = "".join(frame.to_csv() for frame in read_result(folder, "contribution").all_frames().values())
    for secret in SECRETS:
        assert secret not in written + frames + repr(public)
    assert "2 of the 4 items of evidence come from confidential sources" in public.summary()
    assert public.frames["evidence"]["statement"].tolist().count("withheld") == 2
    assert internal.frames["evidence"]["printed"].all()


def test_partners_read_what_is_for_partners_but_not_what_is_restricted(model, dictionary):
    evidence = analysed(model, dictionary, audience="partners").frames["evidence"]
    assert evidence["statement"].tolist() == [
        "Statement of audit.",
        "Statement of records.",
        "Statement of logs.",
        "withheld",
    ]


def test_a_source_without_consent_is_read_inside_only(dictionary):
    sources = [item | {"consent": item["id"] != "university"} for item in MODEL["sources"]]
    evidence = analysed(changed(sources=sources), dictionary).frames["evidence"]
    assert evidence["statement"].iloc[0] == "withheld"


def test_a_site_without_a_theory_gets_a_plain_reason_and_nothing_invented(dictionary):
    result = analysed(None, dictionary)
    assert class_of(result) == "not assessable"
    assert result.glance["reason"].iloc[0] == "no theory of change or evidence log has been supplied"
    assert result.tidy["indicator"].tolist() == ["chronic_absence"]
    assert result.tidy["estimate"].isna().all()
    assert all(frame.empty for frame in result.frames.values())
    assert "no theory of change" in result.plot().get_figure().get_label().lower()


def test_without_an_estimate_of_the_change_no_claim_is_assessed(model, dictionary):
    nothing = analysed(model, dictionary, {})
    assert class_of(nothing) == "not assessable"
    refused = time_series(math.nan, math.nan, math.nan, note="3 periods before 2019; at least 4 are needed")
    result = analysed(model, dictionary, refused)
    assert class_of(result) == "not assessable"
    assert "3 periods before 2019" in result.summary()
    assert only(result, "observed_change")["note"] == "3 periods before 2019; at least 4 are needed"


def test_no_share_is_estimated_of_a_change_that_may_be_none(model, dictionary):
    result = analysed(model, dictionary, time_series(-2, -6, 2))
    assert class_of(result) == "no change to explain"
    assert "no share can be estimated" in result.summary()
    assert math.isnan(only(result, "share")["estimate"])
    assert only(result, "ceiling")["estimate"] == pytest.approx(4.5)


def test_a_change_for_the_worse_is_no_gain_to_explain(model, dictionary):
    result = analysed(model, dictionary, time_series(8, 5, 11))
    assert class_of(result) == "no change to explain"
    assert "went the wrong way" in result.summary()


def test_turn_the_curve_serves_where_there_is_no_time_series(model, dictionary):
    forecast = time_series()["interrupted_time_series"]
    tidy = forecast.tidy.assign(method="turn_the_curve", term="baseline_forecast_difference")
    result = analysed(
        model, dictionary, {"turn_the_curve": replace(forecast, method="turn_the_curve", tidy=tidy)}
    )
    # A forecast is no counterfactual, so the top class is out of reach.
    assert class_of(result) == "supported"


def test_a_default_rival_that_nobody_names_holds_the_claim_back(dictionary):
    hypotheses = [item for item in MODEL["hypotheses"] if item["id"] != "composition"]
    result = analysed(changed(hypotheses=hypotheses), dictionary)
    assert class_of(result) == "possible"
    rivals = result.frames["rivals"].set_index("id")
    assert rivals.loc["composition", "examined"] == "no"
    assert "Not examined: a different mix of students." in result.summary()


def test_a_link_that_nobody_looked_at_makes_the_claim_not_assessable(dictionary):
    step = {"id": "step", "statement": "Coaching brings calls.", "pathway": ["coaching", "calls"]}
    result = analysed(changed(hypotheses=[*MODEL["hypotheses"], step]), dictionary)
    assert class_of(result) == "not assessable"
    assert "“Family coaching” to “Families are called within a day”" in result.summary()


def test_a_doubtful_step_weakens_the_whole_pathway(dictionary):
    step = {"id": "step", "statement": "Coaching brings calls.", "pathway": ["coaching", "calls"]}
    weak = MODEL["evidence"][0] | {"id": "weak", "hypotheses": ["step"], "s_lo": 0.5, "s_hi": 0.5}
    weak |= {"e_lo": 0.5, "e_hi": 0.5}
    result = analysed(
        changed(hypotheses=[*MODEL["hypotheses"], step], evidence=[*MODEL["evidence"], weak]), dictionary
    )
    row = result.glance.iloc[0]
    assert row["class"] == "possible"
    assert row["weakest"] == pytest.approx(0.5)
    assert row["guaranteed"] <= row["product"] <= row["weakest"]
    assert len(result.glance) == 1


def test_a_definition_that_changed_within_the_series_makes_the_claim_not_assessable(model, dictionary):
    indicator = dictionary.indicator("chronic_absence")
    broken = type(indicator).model_validate(
        indicator.model_dump() | {"breaks": [{"period": "2021", "reason": "a new rule on half days"}]}
    )
    changed_dictionary = dictionary.model_copy(
        update={"indicators": {**dictionary.indicators, "chronic_absence": broken}}
    )
    result = analysed(model, changed_dictionary)
    assert class_of(result) == "not assessable"
    assert "its definition changed in 2021 (a new rule on half days)" in result.summary()


def test_work_that_began_after_the_last_measurement_is_not_supported(model, dictionary):
    from evalkit.sites import Partner

    solution = {"solution_id": "coaching", "name": "Family coaching", "kind": "family", "start": "2023"}
    late = Partner.model_validate({"partner_id": "hub", "name": "Hub", "solutions": [solution]})
    assert class_of(analysed(model, dictionary, partners=(late,))) == "not supported"


def test_without_counts_of_people_served_the_ceiling_is_said_to_be_unknown(dictionary):
    result = analysed(changed(reach=[]), dictionary)
    assert "No count of the people served has been supplied" in result.summary()
    assert only(result, "ceiling")["note"] == "no count of the people served has been supplied"


def test_a_statement_that_says_too_much_is_mended_and_reported(dictionary):
    boast = MODEL["hypotheses"][0] | {"statement": "Family coaching caused the fall.", "prior_lo": 0.05}
    quiet = [MODEL["evidence"][0]]
    result = analysed(changed(hypotheses=[boast, *MODEL["hypotheses"][1:]], evidence=quiet), dictionary)
    assert "caused" not in result.summary()
    assert "Family coaching contributed to chronic absence" in result.summary()
    assert '"caused" claims attribution' in result.glance["wording"].iloc[0]


@pytest.mark.parametrize(
    "results",
    [time_series(), time_series(-2, -6, 2), time_series(8, 5, 11), {}],
    ids=["fall", "none", "rise", "no"],
)
def test_no_narrative_of_ours_claims_attribution(results, model, dictionary):
    assert lint_attribution(analysed(model, dictionary, results).summary(), "possible") == []


def test_every_problem_of_a_theory_is_raised_at_once(dictionary):
    links = [item | {"mechanism": ""} for item in MODEL["links"]]
    with pytest.raises(ParameterError) as raised:
        analysed(changed(links=links), dictionary)
    assert len(raised.value.problems) == 4
    assert all(problem.startswith("made-up: ") for problem in raised.value.problems)


def test_an_unknown_audience_is_refused(model, dictionary):
    with pytest.raises(ParameterError, match="use one of internal, partners, public"):
        analysed(model, dictionary, audience="everybody")


def test_the_results_given_are_left_as_they_were(model, dictionary):
    results = time_series()
    before = results["interrupted_time_series"].tidy.copy()
    analysed(model, dictionary, results)
    pd.testing.assert_frame_equal(results["interrupted_time_series"].tidy, before)


def test_a_saved_result_reads_back_the_same_and_draws_itself(model, dictionary, tmp_path):
    result = analysed(model, dictionary)
    save_result(result, tmp_path, inputs={})
    again = read_result(tmp_path, "contribution")
    assert again.summary() == result.summary()
    for name, frame in result.frames.items():
        pd.testing.assert_frame_equal(again.frames[name], frame)
    assert again.plot().get_figure().get_label() == result.plot().get_figure().get_label()


probability = st.floats(0.05, 0.95)


@st.composite
def supporting(draw, number):
    low = draw(probability)
    high = draw(st.floats(low, 0.95))
    e_high = draw(st.floats(0.03, low))
    return MODEL["evidence"][number % 4] | {
        "id": f"item-{number}",
        "s_lo": low,
        "s_hi": high,
        "e_lo": draw(st.floats(0.02, e_high)),
        "e_hi": e_high,
        "cluster": draw(st.sampled_from(["", "together"])),
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_taking_out_evidence_for_the_claim_never_raises_its_class(data, dictionary):
    items = [data.draw(supporting(number)) for number in range(data.draw(st.integers(1, 5)))]
    gone = data.draw(st.integers(0, len(items) - 1))
    before = analysed(changed(evidence=items), dictionary)
    after = analysed(changed(evidence=[*items[:gone], *items[gone + 1 :]]), dictionary)
    assert CLASSES.index(class_of(after)) <= CLASSES.index(class_of(before))


@pytest.mark.parametrize(
    "rival", ["composition", "definition_or_roster", "regional_trend", "regression_to_mean"]
)
def test_a_rival_that_goes_unexamined_never_raises_the_class(rival, model, dictionary):
    hypotheses = [
        item | {"examined": item["id"] != rival, "finding": ""} if item["id"] == rival else item
        for item in MODEL["hypotheses"]
    ]
    after = class_of(analysed(changed(hypotheses=hypotheses), dictionary))
    assert after == "possible"
    assert CLASSES.index(after) <= CLASSES.index(class_of(analysed(model, dictionary)))
