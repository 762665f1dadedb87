"""What agreements allow: by source, indicator, dimension, audience, purpose and day."""

from datetime import date

import pytest

from evalkit.agreements import DataAgreement, expiring, missing_agreement
from evalkit.errors import ParameterError

ASKED = {
    "source": "roster",
    "indicator": "chronic_absence",
    "dimension": "all",
    "audience": "public",
    "day": date(2026, 9, 30),
}


def agreement(**more):
    given = {"agreement_id": "dsa-1", "source": "roster", "parties": ["Hub", "Schools"]}
    return DataAgreement(**{**given, "audiences": ["public"], **more})


@pytest.mark.parametrize(
    ("terms", "asked", "words"),
    [
        ({}, {}, ""),
        ({"expires": "2026-09-30"}, {}, ""),
        ({"expires": "2026-09-29"}, {}, "ended on 2026-09-29"),
        ({"starts": "2026-10-01"}, {}, "only begins on 2026-10-01"),
        ({}, {"source": "survey"}, "there is no data agreement on the source survey"),
        ({"audiences": ["partners"]}, {}, "no data agreement on the source roster allows it"),
        ({"audiences": []}, {"audience": "internal"}, ""),
        ({"indicators": ["ela_proficient"]}, {}, "allows it for this audience"),
        ({"indicators": ["chronic_absence"]}, {}, ""),
        ({"dimensions": ["income"]}, {}, ""),
        ({"dimensions": ["income"]}, {"dimension": "race_ethnicity"}, "allows it for this audience"),
        ({"dimensions": ["income", "grade"]}, {"dimension": "grade*income"}, "allows it for this audience"),
        ({"dimensions": ["income*grade"]}, {"dimension": "grade*income"}, ""),
        ({"dimensions": ["income*grade"]}, {"dimension": "grade"}, ""),
        ({"purposes": ["outreach"]}, {}, "allows it for this audience"),
    ],
)
def test_cells_are_shared_only_as_an_agreement_in_force_allows(terms, asked, words):
    said = missing_agreement([agreement(**terms)], **{**ASKED, **asked})
    assert (words in said) if words else said == ""


def test_what_ends_within_ninety_days_is_told_and_what_has_ended():
    terms = {"a": "2026-12-29", "b": "2026-12-30", "c": "2026-09-29", "d": None}
    items = [agreement(agreement_id=name, expires=day) for name, day in terms.items()]
    told = expiring(items, today="2026-09-30")  # 90 days from 30 September are 29 December
    assert [text.split()[2] for text in told] == ["c", "a"]
    assert "ended on 2026-09-29" in told[0]
    assert "in 90 days" in told[1]


def test_a_day_that_is_none_is_told():
    with pytest.raises(ParameterError, match="write it as 2026-09-30"):
        expiring([agreement()], today="30 September")
    with pytest.raises(ValueError, match="is not a day"):
        agreement(expires="2026-02-30")
    with pytest.raises(ValueError, match="is before `starts`"):
        agreement(starts="2026-02-03", expires="2026-02-02")
