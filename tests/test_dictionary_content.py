"""The shipped dictionary against the lists of the field: ten results, GPRA 2011 and 2016, StriveTogether."""

from pathlib import Path

import pytest

from evalkit.dictionary import DataDictionary, read_dictionary


@pytest.fixture(scope="module")
def dictionary() -> DataDictionary:
    return read_dictionary(Path(__file__).resolve().parents[1] / "data_dictionary")


def numbers(dictionary: DataDictionary, numbering: str) -> set[str]:
    return {
        item.numbering[numbering] for item in dictionary.indicators.values() if numbering in item.numbering
    }


def test_there_are_ten_results_and_each_has_an_indicator(dictionary):
    assert list(dictionary.results) == list(range(1, 11))
    assert {item.result for item in dictionary.indicators.values()} >= set(range(1, 11))


def test_the_numbering_of_2011_is_complete(dictionary):
    expected = {f"G{number}" for number in range(1, 16)} - {"G4", "G7"}
    expected |= {"G4 math", "G4 ELA", "G7a", "G7b", "G7c", "G7d"}
    assert numbers(dictionary, "2011") == expected


def test_the_numbering_of_2016_is_complete_and_begins_with_the_number_of_the_result(dictionary):
    expected = {"1", "2.1", "2.2", "3.1", "3.2", "4", "5.1", "5.2", "6", "7", "8", "9.1", "9.2", "10"}
    assert numbers(dictionary, "2016") == expected
    for item in dictionary.indicators.values():
        if "2016" in item.numbering:
            assert item.numbering["2016"].split(".")[0] == str(item.result)


def test_all_seven_strivetogether_outcomes_map_to_one_indicator_each(dictionary):
    found = {
        item.numbering["strivetogether"]: item.id
        for item in dictionary.indicators.values()
        if "strivetogether" in item.numbering
    }
    assert found == {
        "1": "kindergarten_ready",
        "2": "early_grade_reading",
        "3": "middle_grade_math",
        "4": "graduation_rate",
        "5": "postsecondary_enrolment",
        "6": "postsecondary_completion",
        "7": "employment",
    }


def test_every_indicator_says_what_is_counted_out_of_what_and_how_it_must_be_split(dictionary):
    for item in dictionary.indicators.values():
        assert item.numerator, item.id
        assert item.denominator, item.id
        assert item.notes, item.id
        assert {"race_ethnicity", "income"} <= set(item.dimensions), item.id
        assert (item.unit, item.per) == ("percent", 100), item.id
        assert len(item.short_label) <= 24, item.id


def test_only_mobility_and_chronic_absence_are_better_when_lower(dictionary):
    lower = {item.id for item in dictionary.indicators.values() if item.favourable == "lower"}
    assert lower == {"mobility", "chronic_absence"}


def test_only_mobility_may_exceed_one_hundred_percent(dictionary):
    assert {item.id for item in dictionary.indicators.values() if item.may_exceed_one} == {"mobility"}


@pytest.mark.parametrize(
    ("indicator", "both"),
    [("feels_safe", ("at school", "to and from")), ("technology_access", ("school", "home"))],
)
def test_an_indicator_of_two_places_asks_for_both(dictionary, indicator, both):
    numerator = dictionary.indicator(indicator).numerator
    assert "both" in numerator
    assert all(place in numerator for place in both)


def test_two_generations_housing_and_milestones_are_there(dictionary):
    caregivers = {item.id for item in dictionary.indicators.values() if item.generation == "caregiver"}
    assert caregivers == {
        f"caregiver_{name}"
        for name in ("employed", "income_above", "credential", "stable_housing", "savings", "health")
    }
    assert {"housing_stability", "housing_quality", "housing_affordability", "neighborhood_context"} <= set(
        dictionary.indicators
    )
    assert set(dictionary.milestones) == {
        "organisational_change",
        "community_feedback",
        "new_funding",
        "new_partnership",
        "policy_change",
    }


def test_ordered_dimensions_run_from_less_to_more_advantaged(dictionary):
    ordered = {
        key: [part.id for part in item.subgroups]
        for key, item in dictionary.dimensions.items()
        if item.ordered
    }
    assert ordered == {"income": ["low income", "not low income"]}
