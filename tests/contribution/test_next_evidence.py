import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_town import MODEL, changed, site_with, time_series

from evalkit.contribution import contribution_analysis
from evalkit.contribution.next_evidence import expected_information

UNSOUGHT = MODEL["evidence"][0] | {"id": "roster", "observed": "not_sought", "source": "district"}
probability = st.floats(0.02, 0.98)


def analysed(dictionary, *items, audience="public", **parts):
    model = changed(evidence=[*MODEL["evidence"][:1], *items], **parts)
    return contribution_analysis(site_with(model), time_series(), audience=audience, dictionary=dictionary)


@given(probability, probability, probability)
def test_expected_information_is_the_mutual_information_of_hypothesis_and_item(now, s, e):
    seen = s * now + e * (1 - now)
    after, otherwise = s * now / seen, (1 - s) * now / (1 - seen)
    joint = {(1, 1): s * now, (1, 0): (1 - s) * now, (0, 1): e * (1 - now), (0, 0): (1 - e) * (1 - now)}
    mutual = sum(
        p * math.log2(p / ((now if true else 1 - now) * (seen if there else 1 - seen)))
        for (true, there), p in joint.items()
    )
    assert expected_information(now, after, otherwise, seen) == pytest.approx(mutual, abs=1e-12)


def test_a_coin_that_is_always_right_tells_one_bit():
    assert expected_information(0.5, 1.0, 0.0, 0.5) == pytest.approx(1)


def test_an_item_nobody_sought_shows_what_it_would_do(dictionary):
    row = analysed(dictionary, UNSOUGHT).frames["next_evidence"].iloc[0]
    # One item of ratio .7/.075 is in; prior .5. The other comes from another source of the same party.
    now = 0.7 / 0.775
    assert row["chance_seen"] == pytest.approx(0.7 * now + 0.075 * (1 - now))
    joint = 2 * math.log(0.7 / 0.075) / 1.5
    assert row["if_seen"] == pytest.approx(1 / (1 + math.exp(-joint)))
    # Sought and absent it speaks against, and is not diluted by what speaks for the claim.
    assert row["if_absent"] == pytest.approx(0.7 * 0.3 / (0.7 * 0.3 + 0.075 * 0.925))
    assert row["class_now"] == "plausible"
    assert (row["class_if_seen"], row["class_if_absent"]) == ("supported", "possible")


def test_the_most_telling_item_comes_first_and_is_told(dictionary):
    weak = UNSOUGHT | {"id": "weak", "e_lo": 0.5, "e_hi": 0.6}
    result = analysed(dictionary, weak, UNSOUGHT)
    assert result.frames["next_evidence"]["id"].tolist() == ["roster", "weak"]
    assert "What would tell most, if somebody went to look: “Statement of audit”." in result.summary()


def test_items_on_rivals_are_prospects_too(dictionary):
    audit = UNSOUGHT | {"id": "about-rival", "hypotheses": ["composition"]}
    frame = analysed(dictionary, audit).frames["next_evidence"]
    assert frame["bears_on"].tolist() == ["composition"]
    assert frame["class_if_seen"].tolist() == ["possible"]


def test_an_item_that_may_not_be_read_is_a_prospect_without_words(dictionary):
    secret = UNSOUGHT | {"confidentiality": "restricted", "statement": "A secret."}
    result = analysed(dictionary, secret)
    row = result.frames["next_evidence"].iloc[0]
    assert (row["id"], row["statement"]) == ("withheld", "withheld")
    assert "A secret" not in result.summary()
    assert "an item that may not be printed here" in result.summary()
    assert analysed(dictionary, secret, audience="internal").frames["next_evidence"]["printed"].all()


def test_nothing_is_told_where_everything_was_sought(dictionary):
    result = analysed(dictionary)
    assert result.frames["next_evidence"].empty
    assert "went to look:" not in result.summary()
