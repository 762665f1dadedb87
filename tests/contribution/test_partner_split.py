"""Partners of the made-up town; expected numbers by hand."""

import pytest
from made_up_town import MODEL, changed, site_with, time_series

from evalkit.contribution import contribution_analysis
from evalkit.contribution.exposure import reached_by

REACH = MODEL["reach"][0]
LINKED = {
    "nodes": [
        *MODEL["nodes"],
        {"id": "school", "kind": "partner", "label": "School"},
        {"id": "clinic", "kind": "solution", "label": "Clinic"},
    ],
    "links": [
        *MODEL["links"],
        {"src": "school", "dst": "clinic", "mechanism": "It opens a room"},
        {"src": "clinic", "dst": "absence", "mechanism": "Fewer sick days"},
    ],
}


def partners(dictionary, **parts):
    reach = [REACH, REACH | {"solution": "clinic", "served": 100, "dose": 1.0, "effect": 0.1}]
    reach[1] |= {"effect_lo": 0.05, "effect_hi": 0.15}
    result = contribution_analysis(
        site_with(changed(**LINKED, reach=reach, **parts)),
        time_series(),
        audience="public",
        dictionary=dictionary,
    )
    return result, result.frames["partners"].set_index("partner")


def test_each_partner_gets_what_its_solutions_could_account_for(dictionary):
    # .4 · .75 · .15 = 4.5 points and .25 · 1 · .1 = 2.5; the headroom of 34 % does not bind.
    result, frame = partners(dictionary)
    assert frame["alone"].to_dict() == pytest.approx({"hub": 4.5, "school": 2.5})
    assert frame["share"].to_dict() == pytest.approx({"hub": 4.5, "school": 2.5})
    assert frame.loc["hub", "name"] == "Family hub"
    assert "Of the 7.0 points that all partners together could account for" in result.summary()
    assert "Alarm" not in result.summary()


def test_claims_past_the_upper_end_of_the_change_raise_the_alarm(dictionary):
    claims = [
        {"partner": "hub", "indicator": "chronic_absence", "value": 7, "source": "Annual report"},
        {"partner": "school", "indicator": "chronic_absence", "value": 5, "source": "Newsletter"},
    ]
    result, frame = partners(dictionary, partner_claims=claims)
    assert frame["claimed"].to_dict() == {"hub": 7, "school": 5}
    assert (
        "Alarm: what partners claim adds up to 12.0 points, more than the 11.0 by which the indicator "
        "improved at the very most" in result.summary()
    )


def test_a_partner_without_a_stated_effect_has_no_share(dictionary):
    bare = {key: value for key, value in REACH.items() if not key.startswith("effect")}
    result = contribution_analysis(
        site_with(changed(reach=[bare])), time_series(), audience="public", dictionary=dictionary
    )
    assert result.frames["partners"]["share"].isna().all()


def test_a_count_of_persons_served_by_anyone_stands_in_for_the_bounds(dictionary):
    # 160 and 100 of 400 served; 200 by either, so half and not between .40 and .65.
    together = {"indicator": "chronic_absence", "period": "2022", "served": 200, "population": 400}
    for counted, expected in (((), (0.40, 0.65)), ((together,), (0.5, 0.5))):
        both = [REACH, REACH | {"solution": "clinic", "served": 100}]
        model = changed(**LINKED, reach=both, reach_together=list(counted))
        reached = reached_by(
            None, model, dictionary.indicator("chronic_absence"), start="2019", last_period=""
        )
        assert reached.bounds == pytest.approx(expected)
