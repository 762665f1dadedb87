"""Verdicts and Wilson's interval worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evalkit.contribution.performance import performance_measures, verdict
from evalkit.contribution_model import MeasuredValue
from evalkit.errors import ParameterError
from evalkit.sites import Partner, Site


def site_of(*measures):
    partner = Partner.model_validate({"partner_id": "hub", "name": "Family hub", "measures": measures})
    return Site(site_id="made-up", name="Made-up Town", partners=(partner,))


def measure(question="better_off", values=(), **parts):
    return {"measure_id": "m", "label": "Children on track", "question": question, "values": values} | parts


def only(*measures, audience="public"):
    return performance_measures(site_of(*measures), audience=audience).frames["measures"].iloc[-1]


def test_a_count_reaches_its_target_or_it_does_not():
    enough = only(measure("how_much", [{"period": "2024", "count": 125}], target=125))
    short = only(measure("how_much", [{"period": "2024", "count": 124}], target=125))
    assert (enough["verdict"], short["verdict"]) == ("met", "not met")
    assert math.isnan(enough["conf_low"])
    assert enough["unit"] == "persons"


@pytest.mark.parametrize(
    ("target", "expected"), [(50, "met"), (60, "cannot be told"), (75, "cannot be told"), (80, "not met")]
)
def test_a_rate_meets_its_target_only_with_its_whole_interval(target, expected):
    # z² = 3.841459: centre (.7 + 3.841459/160) / (1 + 3.841459/80) = .690836, half width
    # 1.959964 √(.21/80 + 3.841459/25600) / (1 + 3.841459/80) = .098518.
    row = only(measure(values=[{"period": "2024", "count": 56, "of": 80}], target=target))
    assert (row["value"], row["unit"]) == (70, "percent")
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((59.2318, 78.9354), abs=1e-3)
    assert row["verdict"] == expected


def test_a_lower_measure_is_met_from_below():
    value = [{"period": "2024", "count": 20, "of": 200}]
    assert only(measure(values=value, target=20, favourable="lower"))["verdict"] == "met"
    assert only(measure(values=value, target=5, favourable="lower"))["verdict"] == "not met"


@pytest.mark.parametrize(
    ("count", "of", "hidden"), [(9, 80, True), (10, 80, False), (75, 80, True), (0, 80, True), (4, 8, True)]
)
def test_small_numbers_of_persons_are_hidden_from_all_but_the_internal_audience(count, of, hidden):
    values = [{"period": "2024", "count": count, "of": of}]
    row = only(measure(values=values, target=50))
    assert math.isnan(row["value"]) is hidden
    assert math.isnan(row["count"]) is hidden
    assert not math.isnan(only(measure(values=values, target=50), audience="internal")["value"])


def test_a_rate_that_a_release_would_show_as_a_tail_is_not_printed():
    # of 2000, up to 1% is a tail: 20 of them are in it, 21 are not
    rows = [only(measure(values=[{"period": "2024", "count": count, "of": 2000}])) for count in (20, 21)]
    assert [math.isnan(row["value"]) for row in rows] == [True, False]
    assert rows[0]["reason"] == "it lies too near 0% or 100%, and is not printed"


@pytest.mark.parametrize("count", [0, 12])
def test_all_or_none_of_a_few_is_said_in_words_without_a_number(count):
    result = performance_measures(
        site_of(measure(values=[{"period": "2024", "count": count, "of": 12}], target=50)),
        audience="partners",
    )
    assert "it rests on, or leaves, fewer than 10 persons, and is not printed" in result.summary()
    assert result.tidy["estimate"].isna().all()


def test_nobody_served_is_a_fact_and_is_shown():
    assert only(measure("how_much", [{"period": "2024", "count": 0}]))["count"] == 0


def test_visits_are_no_persons_and_are_shown():
    assert only(measure("how_much", [{"period": "2024", "count": 6}], counts="services"))["count"] == 6


def test_the_target_of_a_period_stands_before_that_of_the_measure():
    values = [{"period": "2023", "count": 50}, {"period": "2024", "count": 60, "target": 70}]
    frame = performance_measures(site_of(measure("how_much", values, target=40)), audience="public").frames[
        "measures"
    ]
    assert frame["verdict"].tolist() == ["met", "not met"]
    assert frame["latest"].tolist() == [False, True]


def test_the_story_says_what_a_partner_does_not_measure():
    result = performance_measures(
        site_of(measure("how_much", [{"period": "2024", "count": 125}], target=120)), audience="public"
    )
    assert result.summary() == (
        "Family hub. How much was done: Children on track (2023-24), 125 persons, target 120, met. "
        "Nothing on file says how well it was done or whether anyone is better off."
    )


def test_the_story_carries_the_interval_and_the_target():
    result = performance_measures(
        site_of(measure(values=[{"period": "2024", "count": 56, "of": 80}], target=75)), audience="public"
    )
    assert "70% of 80 (range 59 to 79%), target 75%, cannot be told" in result.summary()
    assert result.tidy["n"].tolist() == [80]


def test_a_site_without_measures_says_so():
    result = performance_measures(Site(site_id="made-up", name="Made-up Town"), audience="public")
    assert result.summary() == "No performance measure of a partner is on file for Made-up Town."
    assert result.tidy.empty


def test_more_persons_than_they_are_counted_of_are_refused():
    with pytest.raises(ValidationError, match="81 persons are more than the 80"):
        MeasuredValue(period="2024", count=81, of=80)


def test_an_unknown_audience_is_refused():
    with pytest.raises(ParameterError, match="'funders'"):
        performance_measures(site_of(), audience="funders")


@given(st.floats(0, 100), st.floats(0, 50), st.floats(0, 100))
def test_met_and_not_met_change_places_when_the_direction_does(value, width, target):
    low, high = value - width, value + width
    higher = verdict(value, low, high, target=target, favourable="higher")
    lower = verdict(value, low, high, target=target, favourable="lower")
    assert (higher, lower) != ("not met", "not met")
    if higher == "not met":
        assert lower == "met"


def test_a_measure_of_a_solution_that_the_partner_does_not_have_is_refused():
    partner = {
        "partner_id": "hub",
        "name": "Hub",
        "solutions": [{"solution_id": "coaching", "name": "Coaching", "kind": "family"}],
        "measures": [measure("how_much", solution="couching")],
    }
    with pytest.raises(ValidationError, match=r"names the solution 'couching'.*did you mean 'coaching'"):
        Partner.model_validate(partner)
