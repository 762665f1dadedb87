"""A count of one to nine people served is told by no number that partners or the public are given."""

import math

import pytest
from made_up_town import MODEL, changed, site_with, time_series

from evalkit.contribution import contribution_analysis

REACH = MODEL["reach"][0]
REASON = "the count of people served is, or leaves, fewer than 10 persons"
CITED = {
    "id": "series",
    "hypotheses": ["main"],
    "statement": "The curve broke.",
    "rationale": "Whoever contributes breaks the curve.",
    "source": "university",
    "confidentiality": "public",
    "estimate": "its:chronic_absence:effect_average",
}
CEILING = ["ceiling", "share", "effect_needed", "headroom"]


def analysed(dictionary, *served, audience="public", population=400, **parts):
    reach = [
        REACH | {"served": count, "population": population, "period": str(2021 + place)}
        for place, count in enumerate(served)
    ]
    model = changed(reach=reach, evidence=[*MODEL["evidence"], CITED], **parts)
    return contribution_analysis(site_with(model), time_series(), audience=audience, dictionary=dictionary)


def numbers_of(result):
    frames = result.all_frames().items()
    return "\n".join([*(f"{name}\n{frame.to_csv()}" for name, frame in frames), *result.narrative])


@pytest.mark.parametrize("audience", ["partners", "public"])
@pytest.mark.parametrize("group", [range(1, 10), range(391, 400)])
def test_any_small_count_gives_the_very_same_bytes(dictionary, audience, group):
    said = {numbers_of(analysed(dictionary, served, audience=audience)) for served in group}
    assert len(said) == 1


@pytest.mark.parametrize(
    ("served", "shown"),
    [(0, True), (1, False), (9, False), (10, True), (390, True), (391, False), (400, True)],
)
def test_reach_and_ceiling_of_a_small_count_are_not_shown_and_the_reason_is(dictionary, served, shown):
    result = analysed(dictionary, served)
    row = result.frames["ceilings"].iloc[0]
    numbers = row[["ceiling", "headroom", "reach_low", "reach_high", "dose"]].astype(float)
    assert numbers.notna().all() == shown
    assert numbers.isna().all() != shown
    tidy = result.tidy[result.tidy["term"].isin(CEILING)]
    assert (tidy["note"] == REASON).all() != shown
    assert ("what they could account for is not shown here" in result.summary()) != shown
    assert row["observed"] == 8  # the change itself is no count of people served
    inside = analysed(dictionary, served, audience="internal").frames["ceilings"].iloc[0]
    assert inside["reach_high"] == pytest.approx(served / 400)


def test_one_small_year_hides_the_ceiling_of_all(dictionary):
    assert math.isnan(analysed(dictionary, 160, 4).frames["ceilings"]["reach_high"].iloc[0])


@pytest.mark.parametrize(
    ("joint", "shown"), [(160, True), (165, False), (170, True), (255, False), (260, True)]
)
def test_a_joint_count_that_tells_of_a_few_more_or_of_a_few_served_twice_is_not_shown(
    dictionary, joint, shown
):
    # 160 and 100 served: 165 by either are 5 beyond the larger, 255 are 5 served by both
    nodes = [*MODEL["nodes"], {"id": "clinic", "kind": "solution", "label": "Clinic"}]
    links = [*MODEL["links"], {"src": "clinic", "dst": "absence", "mechanism": "Fewer sick days"}]
    hypotheses = [MODEL["hypotheses"][0] | {"pathway": ["coaching", "calls", "barriers", "absence"]}]
    together = {"indicator": "chronic_absence", "period": "2022", "served": joint, "population": 400}
    model = changed(
        nodes=nodes,
        links=links,
        hypotheses=[*hypotheses, *MODEL["hypotheses"][1:]],
        reach=[REACH, REACH | {"solution": "clinic", "served": 100}],
        reach_together=[together],
    )
    result = contribution_analysis(site_with(model), time_series(), audience="public", dictionary=dictionary)
    assert result.frames["partners"]["share"].notna().all() == shown


def test_what_each_partner_could_account_for_is_hidden_with_the_reason(dictionary):
    result = analysed(dictionary, 4)
    row = result.frames["partners"].iloc[0]
    assert all(math.isnan(row[name]) for name in ("alone", "share", "claimed"))
    assert row["note"] == REASON
    assert "so what each partner could account for is not shown" in result.summary()


def test_the_ceiling_chart_says_that_too_few_were_served(dictionary):
    axes = analysed(dictionary, 4).plot(chart="ceiling")
    said = " ".join(text.get_text() for text in axes.texts)
    assert "not shown: too few persons" in said


def test_a_network_may_ask_for_more_persons(dictionary):
    site = site_with(changed(reach=[REACH | {"served": 15}]))
    result = contribution_analysis(
        site, time_series(), audience="public", dictionary=dictionary, minimum_cell=20
    )
    assert "fewer than 20 persons" in result.summary()
