"""A release as its audience gets it, attacked by a program of its own that reads only the released frame."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from evalkit.agreements import DataAgreement
from evalkit.checks import KEY
from evalkit.dictionary import Indicator, read_dictionary
from evalkit.disclosure import release
from evalkit.errors import ParameterError
from evalkit.indicators import IndicatorTable

DICTIONARY = read_dictionary(Path(__file__).resolve().parents[2] / "data_dictionary")
MEAN = Indicator(
    id="reading_score",
    label="Mean reading score",
    short_label="Reading score",
    kind="mean",
    unit="points",
    per=1,
    favourable="higher",
    generation="child",
    population="resident",
    frequency="school_year",
)
WITH_MEAN = DICTIONARY.model_copy(update={"indicators": {**DICTIONARY.indicators, MEAN.id: MEAN}})
RACES = ("Asian", "Black", "Latinx", "Native American", "Two or more", "White")
GRADES = ("grade 1", "grade 2", "grade 3", "grade 4")
INCOMES = ("low income", "not low income")


def row(dimension, subgroup, x, n, *, indicator="chronic_absence", period="2019", source="roster", **more):
    return {
        "status": "reported",
        "indicator": indicator,
        "site_id": "s",
        "population": "target_school",
        "period": period,
        "dimension": dimension,
        "subgroup": subgroup,
        "numerator": x,
        "denominator": n,
        "source": source,
        **more,
    }


def table_of(rows, dictionary=DICTIONARY):
    return IndicatorTable.from_frame(pd.DataFrame(rows), dictionary=dictionary)


def crossed(counted, persons, second, names, **more):
    """Make the total, both margins and the crossed cells of a race table; empty cells are absent."""
    rows = [row("all", "All", counted.sum(), persons.sum(), **more)]
    for i, race in enumerate(RACES[: len(persons)]):
        rows.append(row("race_ethnicity", race, counted[i].sum(), persons[i].sum(), **more))
    for j, name in enumerate(names):
        rows.append(row(second, name, counted[:, j].sum(), persons[:, j].sum(), **more))
    for (i, race), (j, name) in product(enumerate(RACES[: len(persons)]), enumerate(names)):
        rows.append(row(f"race_ethnicity*{second}", f"{race}*{name}", counted[i, j], persons[i, j], **more))
    return table_of([item for item in rows if item["denominator"] > 0])


def by_subgroup(released):
    return released.table.frame.set_index("subgroup")


def attack(frame, second):
    """Least and greatest persons and counts of every cell, from what the frame shows and its rule says."""
    shown = {(item.dimension, item.subgroup): item for item in frame.itertuples()}
    keys = list(shown)
    size = len(keys)
    bounds = []
    for key in keys:  # persons
        n = shown[key].denominator
        bounds.append((n, n) if not np.isnan(n) else (1, None))
    for key in keys:  # counted
        item = shown[key]
        if item.status == "reported":
            bounds.append((item.numerator, item.numerator))
        elif item.status == "censored":
            low, high = item.lower * item.denominator, item.upper * item.denominator
            bounds.append((np.ceil(low - 1e-9), np.floor(high + 1e-9)))
        elif np.isnan(item.denominator):
            bounds.append((0, None))
        else:
            bounds.append((0, item.denominator))
    sums = []
    race = [key for key in keys if key[0] == "race_ethnicity"]
    other = [key for key in keys if key[0] == second]
    both = [key for key in keys if "*" in key[0]]
    sums += [(("all", "All"), race), (("all", "All"), other)]
    sums += [(key, [cell for cell in both if cell[1].startswith(f"{key[1]}*")]) for key in race]
    sums += [(key, [cell for cell in both if cell[1].endswith(f"*{key[1]}")]) for key in other]
    equal = []
    for total, parts in sums:
        for offset in (0, size):
            line = np.zeros(2 * size)
            line[keys.index(total) + offset] -= 1
            for part in parts:
                line[keys.index(part) + offset] += 1
            equal.append(line)
    within = np.hstack([-np.eye(size), np.eye(size)])
    found = {}
    for at, key in enumerate(keys):
        if shown[key].status == "reported":
            continue
        for what, weights in {
            "n": np.eye(2 * size)[at],
            "x": np.eye(2 * size)[size + at],
            "rest": np.eye(2 * size)[at] - np.eye(2 * size)[size + at],
        }.items():
            ends = []
            for sign in (1, -1):
                answer = optimize.linprog(
                    sign * weights,
                    A_ub=within,
                    b_ub=np.zeros(size),
                    A_eq=np.array(equal),
                    b_eq=np.zeros(len(equal)),
                    bounds=bounds,
                )
                assert answer.status in {0, 3}
                ends.append(sign * answer.fun if answer.status == 0 else np.inf)
            found[(*key, what)] = ends[1] - ends[0]
    return found


def check_release_against_attack(tables, seed):
    rng = np.random.default_rng(seed)
    for _ in range(tables):
        persons = rng.multinomial(
            rng.integers(150, 500), np.outer(rng.dirichlet(np.full(5, 1.5)), [0.6, 0.4]).ravel()
        ).reshape(5, 2)
        counted = rng.binomial(persons, rng.uniform(0.2, 0.7))
        table = crossed(counted, persons, "income", INCOMES)
        frame = release(table, audience="public").table.frame
        exact = table.frame
        total = exact[exact["dimension"].eq("all")].iloc[0]
        room = {"n": 5, "x": min(5, total.numerator), "rest": min(5, total.denominator - total.numerator)}
        statuses = frame.set_index(["dimension", "subgroup"])
        for (dimension, subgroup, what), width in attack(frame, "income").items():
            cell = statuses.loc[(dimension, subgroup)]
            if cell["status"] == "censored":
                if what == "x":
                    counts = (cell["upper"] - cell["lower"]) * cell["denominator"]
                    assert width >= min(4, np.floor(counts + 1e-9)) - 1e-6
            elif not (what == "n" and not np.isnan(cell["denominator"])):
                assert width >= room[what] - 1e-6
        small = exact["denominator"].lt(10) | exact["numerator"].lt(10)
        small |= (exact["denominator"] - exact["numerator"]).lt(10)
        assert not frame.loc[small.to_numpy(), "status"].eq("reported").any()


def test_nothing_hidden_can_be_worked_out_of_a_release():
    check_release_against_attack(4, seed=1)


@pytest.mark.slow
def test_nothing_hidden_can_be_worked_out_of_many_releases():
    check_release_against_attack(60, seed=2)


@pytest.mark.parametrize(
    ("x", "n", "status"),
    [
        (0, 60, "censored"),
        (1, 60, "censored"),
        (9, 60, "censored"),
        (10, 60, "reported"),
        (50, 60, "reported"),
        (51, 60, "censored"),
        (60, 60, "censored"),
        (5, 9, "suppressed"),
        (1, 1, "suppressed"),
        (5, 10, "censored"),
    ],
)
def test_the_boundaries_of_a_single_cell(x, n, status):
    shown = release(table_of([row("all", "All", x, n)]), audience="public").table.frame.iloc[0]
    assert shown["status"] == status
    if status != "reported":
        assert np.isnan(shown["numerator"])
    if status == "suppressed":
        assert np.isnan(shown["denominator"])


def test_internal_evaluators_see_everything():
    table = table_of([row("all", "All", 3, 8), row("all", "All", 1, 60, period="2020")])
    released = release(table, audience="internal")
    pd.testing.assert_frame_equal(released.table.frame, table.frame)
    assert released.hidden.empty
    assert released.explanation()[0].startswith("Everything is shown")


def test_the_callers_table_is_unchanged():
    table = table_of([row("all", "All", 3, 8), row("all", "All", 1, 60, period="2020")])
    before = table.frame
    release(table, audience="public")
    pd.testing.assert_frame_equal(table.frame, before)


def test_one_small_group_takes_the_next_smallest_with_it():
    rows = [row("all", "All", 120, 306)]
    rows += [row("race_ethnicity", name, x, n) for name, x, n in (("Asian", 3, 6), ("Black", 80, 200))]
    rows += [row("race_ethnicity", name, x, n) for name, x, n in (("Latinx", 19, 40), ("White", 18, 60))]
    shown = by_subgroup(release(table_of(rows), audience="partners"))
    assert shown["status"].to_dict() == {
        "All": "reported",
        "Asian": "suppressed",
        "Latinx": "suppressed",
        "Black": "reported",
        "White": "reported",
    }
    assert (
        shown.loc[["Asian", "Latinx"], ["numerator", "denominator", "lower", "upper"]].isna().all(axis=None)
    )


def test_the_partner_of_a_small_count_keeps_its_number_of_persons():
    rows = [
        row("all", "All", 33, 160),
        row("income", "low income", 26, 100),
        row("income", "not low income", 7, 60),
    ]
    shown = by_subgroup(release(table_of(rows), audience="public"))
    assert shown.loc["not low income", "status"] == "censored"
    assert (shown.loc["not low income", "lower"], shown.loc["not low income", "upper"]) == (4 / 60, 9 / 60)
    assert shown.loc["low income", "status"] == "suppressed"
    assert shown.loc["low income", "denominator"] == 100


def test_one_reason_stands_for_small_groups_and_for_those_hidden_to_protect_them():
    rows = [row("all", "All", 120, 306)]
    rows += [row("race_ethnicity", name, x, n) for name, x, n in (("Asian", 3, 6), ("Black", 80, 200))]
    rows += [row("race_ethnicity", name, x, n) for name, x, n in (("Latinx", 19, 40), ("White", 18, 60))]
    released = release(table_of(rows), audience="public")
    assert len(set(released.hidden["reason"])) == 1
    assert released.hidden["subgroup"].tolist() == ["Asian", "Latinx"]
    text = " ".join(released.explanation())
    assert "2 of 5 cells" in text
    assert "fewer than 10 persons" in text


def test_the_explanation_never_tells_a_hidden_number():
    rows = [row("all", "All", 1203, 3006), row("income", "low income", 1196, 2983)]
    rows += [row("income", "not low income", 7, 23)]
    text = " ".join(release(table_of(rows), audience="public").explanation())
    for number in ("1196", "1,196", "2983", "2,983", " 7 ", " 23 "):
        assert number not in text


def test_a_source_that_protects_its_own_rows_passes_unchanged():
    rows = [row("all", "All", 3, 8, source="edfacts"), row("all", "All", 3, 8, period="2020")]
    table = table_of(rows)
    released = release(table, audience="public", protected_sources=("edfacts",))
    shown = released.table.frame.set_index("source")
    assert shown.loc["edfacts", "numerator"] == 3
    assert shown.loc["roster", "status"] == "suppressed"


def test_means_are_hidden_with_small_groups_and_with_unstated_numbers_of_persons():
    def mean(subgroup, n, period):
        return row("all", subgroup, np.nan, n, indicator=MEAN.id, period=period, value=51.5, std_error=1.5)

    table = table_of(
        [mean("All", 9, "2019"), mean("All", 10, "2020"), mean("All", np.nan, "2021")], WITH_MEAN
    )
    shown = release(table, audience="public").table.frame.set_index("period")
    assert shown["status"].to_dict() == {"2019": "suppressed", "2020": "reported", "2021": "suppressed"}
    assert shown.loc["2020", ["value", "std_error"]].tolist() == [51.5, 1.5]
    assert shown.loc[["2019", "2021"], ["value", "std_error", "denominator"]].isna().all(axis=None)


def test_a_rate_given_as_a_value_is_as_telling_as_its_count():
    table = table_of(
        [row("all", "All", np.nan, 60, value=0.05), row("all", "All", np.nan, 60, value=0.5, period="2020")]
    )
    shown = release(table, audience="public").table.frame.set_index("period")
    assert shown["status"].to_dict() == {"2019": "censored", "2020": "reported"}


def test_moves_may_outnumber_children():
    shown = release(
        table_of([row("all", "All", 80, 60, indicator="mobility")]), audience="public"
    ).table.frame
    assert shown["status"].tolist() == ["reported"]


def test_a_cell_its_source_hid_is_protected_from_subtraction():
    rows = [
        row("all", "All", 120, 300),
        row("race_ethnicity", "Black", 80, 200),
        row("race_ethnicity", "White", 38, 92),
    ]
    rows += [row("race_ethnicity", "Asian", np.nan, np.nan, status="suppressed")]
    shown = by_subgroup(release(table_of(rows), audience="public"))
    assert shown["status"].eq("suppressed").sum() == 2
    assert shown.loc["White", "status"] == "suppressed"


def test_missing_stays_missing():
    rows = [row("all", "All", np.nan, np.nan, status="missing"), row("all", "All", 30, 60, period="2020")]
    assert release(table_of(rows), audience="public").table.frame["status"].tolist() == [
        "missing",
        "reported",
    ]


def test_a_release_of_a_release_hides_nothing_new():
    rng = np.random.default_rng(7)
    persons = rng.integers(3, 80, size=(6, 4))
    table = crossed(rng.binomial(persons, 0.4), persons, "grade", GRADES)
    once = release(table, audience="public")
    twice = release(once.table, audience="public")
    changed = twice.table.frame["status"].ne(once.table.frame["status"])
    assert not (changed & once.table.frame["dimension"].eq("all")).any()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"audience": "press"}, "unknown audience 'press'"),
        ({"audience": "public", "minimum": 0}, "1 person or more"),
    ],
)
def test_an_impossible_choice_is_one_clear_sentence(choice, words):
    with pytest.raises(ParameterError, match=words):
        release(table_of([row("all", "All", 30, 60)]), **choice)


def test_the_rule_says_when_everything_is_as_published():
    table = table_of([row("all", "All", 3, 8, source="edfacts")])
    released = release(table, audience="public", protected_sources=("edfacts",))
    assert released.rule.startswith("All cells are shown as their publisher")
    mixed = table_of([row("all", "All", 3, 8, source="edfacts"), row("all", "All", 30, 80, period="2020")])
    assert (
        "Cells of protected sources" in release(mixed, audience="public", protected_sources=("edfacts",)).rule
    )


def agreement(**more):
    terms = {"agreement_id": "dsa-1", "source": "roster", "parties": ["Hub", "Schools"]}
    return DataAgreement(**{**terms, "audiences": ["public"], **more})


def shared_table():
    rows = [row("all", "All", 120, 306), row("income", "low income", 60, 200)]
    rows += [
        row("income", "not low income", 60, 106),
        row("all", "All", 40, 90, source="survey", period="2020"),
    ]
    return table_of(rows)


@pytest.mark.parametrize("audience", ["internal", "partners", "public"])
def test_without_an_agreement_in_force_nothing_of_a_source_is_shown_and_the_reason_is(audience):
    released = release(
        shared_table(), audience=audience, agreement=agreement(expires="2026-06-30"), today="2026-07-01"
    )
    frame = released.table.frame
    assert frame["status"].eq("suppressed").all()
    assert frame[["numerator", "denominator"]].isna().all(axis=None)
    assert set(released.hidden["reason"]) == {
        "not shared, because the data agreement on the source roster ended on 2026-06-30"
        if audience != "partners"
        else "not shared, because no data agreement on the source roster allows it for this audience",
        "not shared, because there is no data agreement on the source survey",
    }


def test_an_agreement_shows_the_totals_and_only_the_dimensions_it_names():
    terms = agreement(dimensions=["race_ethnicity"])
    released = release(
        shared_table(), audience="public", agreement=[terms], today="2026-07-01", open_sources=("survey",)
    )
    shown = released.table.frame.set_index(["dimension", "period"])["status"]
    assert shown["all"].eq("reported").all()
    assert shown["income"].eq("suppressed").all()
    assert released.agreements == ("dsa-1",)
    assert released.not_shown()[["cells", "of"]].to_numpy().tolist() == [[2, 4]]


def test_an_agreement_may_ask_for_larger_cells_than_the_network():
    table = table_of([row("all", "All", 12, 300)])
    assert release(table, audience="public").table.frame["status"].tolist() == ["reported"]
    released = release(table, audience="public", agreement=agreement(minimum_cell=16), today="2026-07-01")
    assert released.table.frame["status"].tolist() == ["censored"]


def test_agreements_without_a_day_are_refused():
    with pytest.raises(ParameterError, match="give the day"):
        release(shared_table(), audience="public", agreement=agreement())


def test_every_release_leaves_a_record_that_tells_no_hidden_number():
    rows = [row("all", "All", 1203, 3006), row("income", "low income", 1196, 2983)]
    rows += [row("income", "not low income", 7, 23)]
    released = release(table_of(rows), audience="public")
    again = release(table_of(rows[::-1]), audience="public")
    assert released.record == again.record
    text = json.dumps(released.record)
    assert all(number not in text for number in ("1196", "2983", " 7,", " 23"))
    # one count is a range of 3 to 9 and the other hidden; both numbers of persons are shown
    assert released.record["attack"] == {
        "numbers_attacked": 2,
        "width_wanted": 5.0,
        "narrowest_share_of_wanted": 1.0,
        "narrower_than_wanted": 0,
        "blocks_chosen_exactly": 1,
        "blocks_chosen_by_heuristic": 0,
        "blocks_where_totals_allow_no_more": 0,
    }
    assert sum(released.record["cells_by_reason"].values()) == len(released.hidden)


def test_only_internal_evaluators_get_the_hash_of_what_came_in():
    rows = [row("all", "All", 1203, 3006), row("income", "low income", 1196, 2983)]
    for audience in ("partners", "public"):
        assert "input_sha256" not in release(table_of(rows), audience=audience).record
    first, second = (release(table_of(some), audience="internal").record for some in (rows, rows[:1]))
    assert len(first["input_sha256"]) == 64
    assert first["input_sha256"] != second["input_sha256"]


def test_what_a_source_has_hidden_itself_is_told_as_its_own_reason():
    rows = [
        row("all", "All", 120, 306),
        row("all", "All", np.nan, np.nan, period="2020", status="suppressed"),
    ]
    released = release(table_of(rows), audience="public")
    told = released.not_shown()
    assert told[["cells", "of", "indicators", "why"]].to_numpy().tolist() == [
        [1, 2, 1, "already hidden or blurred by their source"]
    ]
    assert released.explanation()[1:] == [
        "No cell had to be hidden.",
        "1 of 2 cells: already hidden or blurred by their source.",
    ]


ASIAN_IS_UNKNOWN = row("race_ethnicity", "Asian", np.nan, np.nan, status="missing")
WHITE, BLACK = row("race_ethnicity", "White", 25, 60), row("race_ethnicity", "Black", 33, 86)


@pytest.mark.parametrize(
    "rows",
    [
        # 4 of 100 are not low income, and nobody says so
        [row("all", "All", 50, 100), row("income", "low income", 47, 96)],
        # 150 less 60 and 86 leave 4
        [row("all", "All", 60, 150), WHITE, BLACK],
        [row("all", "All", 60, 150), WHITE, BLACK, ASIAN_IS_UNKNOWN],
        # a school of 4 has no row
        [
            row("all", "All", 60, 150, unit_id="all"),
            row("all", "All", 40, 100, unit_id="north"),
            row("all", "All", 18, 46, unit_id="south"),
        ],
    ],
)
def test_what_the_listed_groups_leave_over_is_protected_like_a_group(rows):
    shown = release(table_of(rows), audience="public").table.frame
    hidden = shown[shown["status"].eq("suppressed")]
    assert len(hidden) == 1
    assert hidden["denominator"].isna().all()
    total = shown[shown["dimension"].eq("all") & shown["unit_id"].eq("all")]
    assert total["status"].tolist() == ["reported"]


def test_a_small_count_that_is_left_over_hides_a_count_but_no_number_of_persons():
    # 3 of the 60 who are not low income
    shown = by_subgroup(
        release(
            table_of([row("all", "All", 50, 160), row("income", "low income", 47, 100)]), audience="public"
        )
    )
    assert shown.loc["low income", ["status", "denominator"]].tolist() == ["suppressed", 100]


def test_a_large_group_that_is_not_listed_hides_nothing():
    table = table_of([row("all", "All", 60, 150), row("income", "low income", 40, 100)])
    assert release(table, audience="public").hidden.empty


def test_a_miscount_does_not_switch_protection_off():
    # the parts are 151 of 150; a reader would take the hidden 5 for 4
    rows = [row("all", "All", 60, 150), WHITE, BLACK, row("race_ethnicity", "Asian", 3, 5)]
    shown = by_subgroup(release(table_of(rows), audience="public"))
    assert shown.loc[["Asian", "White"], "status"].tolist() == ["suppressed", "suppressed"]
    assert shown.loc[["All", "Black"], "status"].tolist() == ["reported", "reported"]


def test_the_total_of_a_protected_source_is_part_of_the_sums_and_stays():
    rows = [row("all", "All", 60, 150, source="edfacts")]
    rows += [row("income", "low income", 56, 145), row("income", "not low income", 4, 5)]
    shown = by_subgroup(release(table_of(rows), audience="public", protected_sources=["edfacts"]))
    assert shown.loc["All", ["status", "numerator", "denominator"]].tolist() == ["reported", 60, 150]
    assert shown.loc[["low income", "not low income"], "denominator"].isna().all()


def crossed_table():
    """150 persons by race and by income, 4 of them White and not low income."""
    counts = {("White", "low income"): (22, 56), ("White", "not low income"): (2, 4)}
    counts |= {("Black", "low income"): (20, 50), ("Black", "not low income"): (14, 40)}
    rows = [row("all", "All", 58, 150)]
    for at, dimension in enumerate(("race_ethnicity", "income")):
        for name in dict.fromkeys(key[at] for key in counts):
            own = [value for key, value in counts.items() if key[at] == name]
            rows.append(row(dimension, name, sum(x for x, _ in own), sum(n for _, n in own)))
    rows += [row("race_ethnicity*income", "*".join(key), x, n) for key, (x, n) in counts.items()]
    return table_of(rows)


def test_who_holds_the_releases_of_two_audiences_learns_no_more_than_from_one():
    terms = [
        agreement(agreement_id="a", audiences=["partners"], dimensions=["race_ethnicity*income"]),
        agreement(agreement_id="b", audiences=["public"], dimensions=["income"], minimum_cell=12),
    ]
    partners, public = (
        release(crossed_table(), audience=audience, agreement=terms, today="2026-07-01")
        for audience in ("partners", "public")
    )
    assert partners.record["minimum_cell"] == public.record["minimum_cell"] == 12
    both = partners.table.frame.merge(public.table.frame, on=list(KEY), suffixes=("", "_public"))
    assert both["status_public"].eq("reported").any()
    shown = both["status_public"].ne("suppressed")
    assert both.loc[shown, "dimension"].isin(["all", "income"]).all()
    for name in ("status", "numerator", "denominator", "lower", "upper"):
        assert both.loc[shown, name].equals(both.loc[shown, f"{name}_public"].rename(name))


@pytest.mark.parametrize("minimum", [0, -1, float("nan"), 10.5, "10", None])
def test_a_smallest_count_that_is_none_is_refused(minimum):
    with pytest.raises(ParameterError, match="must be a whole number of 1 person or more"):
        release(table_of([row("all", "All", 3, 8)]), audience="public", minimum=minimum)


def test_a_frame_in_place_of_a_table_and_a_text_in_place_of_a_list_are_refused():
    table = table_of([row("all", "All", 3, 8)])
    with pytest.raises(ParameterError, match="made from an IndicatorTable, not from a DataFrame"):
        release(table.frame, audience="public")
    with pytest.raises(ParameterError, match=r"such as \['edfacts'\], not as one text"):
        release(table, audience="public", protected_sources="edfacts")
