"""The whole result of one site: every row, every reason, and the words."""

import numpy as np
import pandas as pd
import pytest
from maple_cells import cell, hidden
from scipy.stats import chi2_contingency
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evalkit.dictionary import Break
from evalkit.equity import equity_gaps
from evalkit.errors import ParameterError
from evalkit.results import TIDY_COLUMNS, read_result, save_result

REFERENCES = {"race_ethnicity": "White"}


def one(result, **wanted):
    rows = result.tidy
    for column, value in wanted.items():
        rows = rows[rows[column].eq(value)]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def readiness():
    """Three years of readiness by race: White 60 of 80, Black a little better each year, Latinx steady."""
    rows = []
    for year, black in (("2019", 33), ("2020", 36), ("2021", 39)):
        rows += [cell("White", 60, 80, period=year), cell("Black", black, 60, period=year)]
        rows += [cell("Latinx", 30, 50, period=year)]
        rows += [cell("All", 90 + black, 190, period=year, dimension="all")]
    return rows


def test_levels_carry_wilsons_interval_in_percent(table_of, maple):
    result = equity_gaps(table_of(readiness()), maple, references=REFERENCES)
    level = one(result, term="rate", subgroup="Latinx", period="2019")
    assert level["unit"] == "percent"
    assert level["n"] == 50
    low, high = proportion_confint(30, 50, method="wilson")
    assert level[["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx([60, 100 * low, 100 * high])


def test_the_tidy_frame_keeps_the_contract_and_survives_a_file(table_of, maple, tmp_path):
    result = equity_gaps(table_of(readiness()), maple, references=REFERENCES)
    assert tuple(result.tidy.columns) == TIDY_COLUMNS
    save_result(result, tmp_path / "results", inputs={})
    back = read_result(tmp_path / "results", "equity_gaps")
    pd.testing.assert_frame_equal(back.tidy, result.tidy)
    assert back.narrative == result.narrative


def test_p_values_of_the_latest_period_are_adjusted_within_indicator_and_dimension(table_of, maple):
    result = equity_gaps(table_of(readiness()), maple, references=REFERENCES)
    raw = {
        name: chi2_contingency([[x, n - x], [60, 20]], correction=False).pvalue
        for name, x, n in (("Black", 39, 60), ("Latinx", 30, 50))
    }
    adjusted = multipletests(list(raw.values()), method="holm")[1]
    for name, expected in zip(raw, adjusted, strict=True):
        row = one(result, term="difference", subgroup=name, period="2021")
        assert row["p_value"] == pytest.approx(expected, rel=1e-9)
    earlier = result.tidy.query("term == 'difference' and period != '2021'")
    assert earlier["p_value"].isna().all()


def test_children_to_parity_stand_for_the_latest_period_only(table_of, maple):
    result = equity_gaps(table_of(readiness()), maple, references=REFERENCES)
    rows = result.tidy[result.tidy["term"].eq("additional_to_parity")]
    assert set(rows["period"]) == {"2021"}
    # 60 * .75 - 39 = 6; 50 * .75 - 30 = 7.5, so 8.
    assert rows.set_index("subgroup")["estimate"].to_dict() == {"Black": 6, "Latinx": 8}
    assert (rows["conf_low"] <= rows["estimate"]).all()
    assert (rows["estimate"] <= rows["conf_high"]).all()
    assert set(rows["unit"]) == {"persons"}


def test_a_range_gives_a_worst_and_a_best_case(table_of, maple):
    rows = [
        cell("White", 60, 80),
        cell("Black", np.nan, 40, status="censored", lower=0.05, upper=0.225),
    ]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    worst = one(result, term="difference_worst_case")
    best = one(result, term="difference_best_case")
    assert worst["estimate"] == pytest.approx(5 - 75)
    assert best["estimate"] == pytest.approx(22.5 - 75)
    assert worst["conf_low"] < worst["estimate"] < worst["conf_high"] < 0
    assert np.isnan(one(result, term="difference")["estimate"])
    assert one(result, term="difference")["note"] == "known only as a range"
    assert one(result, term="rate", subgroup="Black")["note"] == "known only as a range: 5.0 to 22.5"


def test_the_worst_case_of_an_unfavourable_outcome_is_the_highest(table_of, maple):
    rows = [
        cell("White", 20, 80, indicator="chronic_absence"),
        cell("Black", np.nan, 40, status="censored", lower=0.05, upper=0.225, indicator="chronic_absence"),
    ]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    assert one(result, term="difference_worst_case")["estimate"] == pytest.approx(-2.5)
    assert one(result, term="difference_best_case")["estimate"] == pytest.approx(-20)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([cell("Black", 20, 40), hidden("White")], "reference White: not shown, to protect small groups"),
        ([cell("Black", 20, 40)], "no row for the reference White"),
        ([hidden("Black"), cell("White", 20, 40)], "not shown, to protect small groups"),
        (
            [cell("Black", np.nan, np.nan, status="missing"), cell("White", 20, 40)],
            "no value for this period",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_row_with_its_reason(table_of, maple, rows, note):
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    for term in ("difference", "ratio"):
        row = one(result, term=term)
        assert np.isnan(row["estimate"])
        assert row["note"] == note


def test_an_indicator_that_is_not_split_is_a_row_with_its_reason(table_of, maple):
    rows = [*readiness(), cell("All", 20, 40, indicator="technology_access", dimension="all")]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    assert one(result, indicator="technology_access")["note"] == "not split by race_ethnicity in these data"
    unknown = equity_gaps(
        table_of(rows), maple, references=REFERENCES, indicators=["medical_home", "nonsense"]
    )
    assert unknown.tidy["note"].tolist()[0] == "no rows of this indicator"
    assert "unknown indicator 'nonsense'" in unknown.tidy["note"].tolist()[1]


def test_other_sites_and_single_schools_stay_out(table_of, maple):
    rows = [{**row, "unit_id": "all"} for row in readiness()]
    rows += [cell("Black", 1, 60, site_id="oak", unit_id="all"), cell("Black", 1, 60, unit_id="school-1")]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    assert set(result.tidy["unit_id"]) == {"all"}
    assert one(result, term="rate", subgroup="Black", period="2019")["estimate"] == pytest.approx(55)


def test_populations_are_studied_apart(table_of, maple):
    rows = readiness() + [{**row, "population": "target_school"} for row in readiness()]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    counts = result.tidy["population"].value_counts()
    assert counts["resident"] == counts["target_school"]


def test_the_row_order_of_the_data_does_not_matter(table_of, maple):
    rows = readiness()
    forward = equity_gaps(table_of(rows), maple, references=REFERENCES)
    backward = equity_gaps(table_of(rows[::-1]), maple, references=REFERENCES)
    pd.testing.assert_frame_equal(forward.tidy, backward.tidy)


def test_no_trend_crosses_a_break_of_definition(table_of, maple, with_score):
    declared = with_score.indicators["kindergarten_ready"]
    indicator = declared.model_copy(update={"breaks": (Break(period="2021", reason="another assessment"),)})
    table = table_of(readiness())
    again = type(table)(
        table.frame,
        with_score.model_copy(update={"indicators": {**with_score.indicators, indicator.id: indicator}}),
    )
    with_break = equity_gaps(again, maple, references=REFERENCES)
    assert np.isnan(one(with_break, term="difference_trend", subgroup="Black")["estimate"])
    without = equity_gaps(table, maple, references=REFERENCES)
    # Black gains 5 points a year on White.
    assert one(without, term="difference_trend", subgroup="Black")["estimate"] == pytest.approx(5, abs=0.1)


def test_the_range_of_the_groups_stands_beside_the_range_of_chance(table_of, maple):
    result = equity_gaps(table_of(readiness()), maple, references=REFERENCES)
    assert one(result, term="range")["estimate"] == pytest.approx(15)
    assert 0 < one(result, term="range_by_chance")["estimate"] < 15


def test_the_narrative_states_its_rule_and_tells_the_gap_of_most_persons(table_of, maple):
    rows = readiness()
    rows += [cell("White", 20, 80, indicator="chronic_absence", period=y) for y in ("2019", "2020", "2021")]
    rows += [cell("Black", 50, 100, indicator="chronic_absence", period=y) for y in ("2019", "2020", "2021")]
    rows += [
        cell("White", 90, 100, indicator="technology_access"),
        cell("Black", 10, 200, indicator="technology_access"),
    ]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    opening, first, second, *rest = result.narrative
    assert "Significance plays no part" in opening
    assert "2 gaps" in opening
    assert first.startswith("Students who miss a tenth or more of school days")
    assert "25 fewer children with this outcome" in first
    assert "lower is better here, and the first group is worse off" in first
    assert "8 more children with this outcome" in second
    assert "not sure that the first group is worse off" in second
    assert not any("broadband" in text for text in (first, second)), "not a headline indicator"
    assert "Only one generation is measured here: there is no indicator of caregivers" in rest[-1]


def test_the_narrative_says_when_nobody_is_behind(table_of, maple):
    result = equity_gaps(
        table_of([cell("White", 20, 80), cell("Black", 70, 80)]), maple, references=REFERENCES
    )
    assert "no subgroup whose numbers may be shown is behind" in result.narrative[0]


def test_both_generations_stand_side_by_side_in_the_latest_period_that_both_have(table_of, maple):
    rows = readiness()
    for year in ("2018", "2020"):
        rows += [cell("All", 90, 150, indicator="caregiver_employed", dimension="all", period=year)]
        rows += [cell("White", 50, 70, indicator="caregiver_employed", period=year)]
        rows += [cell("Black", 40, 80, indicator="caregiver_employed", period=year)]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    both = result.frames["two_generation"]
    assert set(both["period"]) == {"2020"}
    assert both["generation"].drop_duplicates().tolist() == ["child", "caregiver"]
    gap = both[both["subgroup"].eq("Black")].set_index("generation")["difference"]
    assert gap.to_dict() == pytest.approx({"child": 60 - 75, "caregiver": 50 - 500 / 7})
    totals = both[both["dimension"].eq("all")].set_index("generation")["rate"]
    assert totals.to_dict() == pytest.approx({"child": 100 * 126 / 190, "caregiver": 60})
    assert "Children and caregivers are both measured: 1 child and 1 caregiver" in result.narrative[-1]


def test_a_mean_has_a_gap_but_no_persons_to_parity(table_of, maple):
    rows = [
        cell(name, np.nan, 40, indicator="reading_score", value=value, std_error=3.0, period=year)
        for year in ("2019", "2020", "2021")
        for name, value in (("Black", 210.0), ("White", 218.0))
    ]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    gap = one(result, term="difference", period="2021")
    assert (gap["estimate"], gap["unit"]) == (-8, "points")
    persons = one(result, term="additional_to_parity")
    assert np.isnan(persons["estimate"])
    assert persons["note"] == "no counts to work it out from"


def test_moves_above_one_per_child_are_compared_too(table_of, maple):
    rows = [cell("Black", 90, 60, indicator="mobility"), cell("White", 60, 60, indicator="mobility")]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    assert one(result, term="difference")["estimate"] == pytest.approx(50)
    assert one(result, term="additional_to_parity")[["estimate", "unit"]].tolist() == [30, "events"]


def test_the_same_numbers_turned_round_tell_the_same_children(table_of, maple):
    ready = [cell("White", 60, 80), cell("Black", 30, 60)]
    absent = [
        cell("White", 20, 80, indicator="chronic_absence"),
        cell("Black", 30, 60, indicator="chronic_absence"),
    ]
    up = equity_gaps(table_of(ready), maple, references=REFERENCES)
    down = equity_gaps(table_of(absent), maple, references=REFERENCES)
    for end in ("estimate", "conf_low", "conf_high"):
        assert one(up, term="additional_to_parity")[end] == one(down, term="additional_to_parity")[end]
    assert one(up, term="difference")["conf_low"] == pytest.approx(-one(down, term="difference")["conf_high"])


def test_a_site_without_any_row_says_so(table_of, maple):
    result = equity_gaps(table_of([cell("Black", 5, 20, site_id="oak")]), maple, references=REFERENCES)
    assert result.tidy.empty
    assert result.narrative[0].startswith("No indicator of this site is split")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"references": {"race": "White"}}, "unknown dimension 'race'"),
        ({"references": {"race_ethnicity": "Whit"}}, "unknown subgroup 'Whit'"),
        ({"references": REFERENCES, "conf_level": 95}, "conf_level is 95"),
    ],
)
def test_an_impossible_choice_is_refused_at_the_door(table_of, maple, choice, words):
    with pytest.raises(ParameterError, match=words):
        equity_gaps(table_of(readiness()), maple, **choice)


def test_the_callers_table_is_unchanged(table_of, maple):
    table = table_of(readiness())
    before = table.frame
    equity_gaps(table, maple, references=REFERENCES)
    pd.testing.assert_frame_equal(table.frame, before)


def test_where_only_ranges_are_known_the_narrative_tells_ranges(table_of, maple):
    rows = [
        cell("White", np.nan, 94, status="censored", lower=0.90, upper=0.94),
        cell("Black", np.nan, 130, status="censored", lower=0.85, upper=0.89),
    ]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    opening, told, *_ = result.narrative
    assert "what is known are ranges" in opening
    assert "Black 85 to 89%; White 90 to 94%" in told
    assert "before sampling error" in told
    assert "the first group is worse off in these numbers" in told
    persons = one(result, term="additional_to_parity")
    assert np.isnan(persons["estimate"])
    assert persons["note"].startswith("known only as a range: ")


def test_a_cell_without_its_cohort_does_not_take_the_counts_of_the_others(table_of, maple):
    rows = [cell("White", 60, 80), cell("Black", 30, 60)]
    rows += [cell("Asian", np.nan, np.nan, status="censored", lower=0.815, upper=0.825)]
    result = equity_gaps(table_of(rows), maple, references=REFERENCES)
    level = one(result, term="rate", subgroup="Black")
    low, high = proportion_confint(30, 60, method="wilson")
    assert level[["conf_low", "conf_high"]].tolist() == pytest.approx([100 * low, 100 * high])
    worst = one(result, term="difference_worst_case", subgroup="Asian")
    assert worst["estimate"] == pytest.approx(6.5)
    assert np.isnan(worst["conf_low"])
