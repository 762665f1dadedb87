"""What the data hold, told before any finding."""

import numpy as np
import pandas as pd
import pytest

from evalkit.charts.style import alt_text
from evalkit.dictionary import Break
from evalkit.indicators import IndicatorTable
from evalkit.quality import check_quality
from evalkit.sites import Site, Unit

SITE = Site(site_id="quay", name="Quay (fictional)")
COUNTS = ("indicator", "population", "period", "dimension", "subgroup", "numerator", "denominator", "status")


def table_of(dictionary, *rows, **more):
    frame = pd.DataFrame(rows, columns=list(COUNTS)).assign(site_id="quay", source="the quay files", **more)
    return IndicatorTable.from_frame(frame, dictionary=dictionary)


def total(period, numerator, denominator, status="reported", indicator="graduation_rate"):
    return (indicator, "target_school", period, "all", "All", numerator, denominator, status)


def group(period, subgroup, numerator, denominator, status="reported"):
    row = ("graduation_rate", "target_school", period, "race_ethnicity", subgroup)
    return (*row, numerator, denominator, status)


def cells(result, status):
    return result.tidy.set_index("term").loc[f"cells_{status}", "estimate"]


@pytest.fixture
def table(dictionary):
    return table_of(
        dictionary,
        total("2016", 80, 100),
        total("2017", 82, 104),
        # nothing for 2018
        total("2019", 90, 130),
        group("2016", "Latinx", 30, 40),
        group("2017", "Latinx", np.nan, 8, "suppressed"),
        group("2019", "Latinx", 5, 8),
        group("2016", "Asian", np.nan, np.nan, "suppressed"),
    )


def test_cells_are_counted_by_status_and_those_on_few_persons_named(table):
    result = check_quality(table, SITE)
    assert [cells(result, status) for status in ("reported", "censored", "suppressed", "missing")] == [
        5,
        0,
        2,
        0,
    ]
    assert result.tidy.set_index("term").loc["cells_on_few_persons", "estimate"] == 1
    assert "Cells shown that stand on fewer than 10 persons: Graduation 1 of 7." in result.narrative


def test_the_matrix_has_every_period_and_a_hole_is_missing(table):
    augment = check_quality(table, SITE).augment
    totals = augment.loc[augment["dimension"].eq("all")].set_index("period")
    assert totals["status"].to_dict() == {
        "2016": "reported",
        "2017": "reported",
        "2018": "missing",
        "2019": "reported",
    }
    assert totals.loc["2016", "rate_low"] == pytest.approx(80.0)


def test_the_narrative_tells_what_is_missing_hidden_and_jumping(table):
    told = check_quality(table, SITE).summary()
    assert "Graduation has no total for 2017-18." in told
    assert "Hidden or without data in every period: Graduation for Asian." in told
    assert "Cells of other groups that are hidden: Graduation 1." in told
    # 104 to 130 is two years apart, and 100 to 104 is 4 %: no jump within a year
    assert "changes by more than" not in told


def test_a_number_of_persons_that_jumps_within_a_year_is_told(dictionary):
    table = table_of(dictionary, total("2016", 80, 100), total("2017", 80, 115), total("2018", 80, 133))
    told = check_quality(table, SITE).summary()
    # 115 is exactly 15 % more and no jump; 133 is 15.7 % more
    assert "Graduation from 115 to 133 in 2017-18 (up 16%)." in told
    assert "100 to 115" not in told


def test_a_month_that_is_never_measured_is_no_gap(dictionary):
    months = [f"{year}-{month:02d}" for year in (2018, 2019) for month in (5, 6, 9)]
    table = table_of(
        dictionary,
        *[total(month, 900, 1000, indicator="attendance_rate") for month in months if month != "2019-05"],
    )
    result = check_quality(table, SITE)
    assert "Attendance has no total for May 2019." in result.summary()
    # September belongs to the school year that ends next year.
    years = result.augment.set_index("period")["year"]
    assert (years["2018-06"], years["2018-09"]) == ("2018", "2019")


def test_a_survey_of_every_second_year_is_called_that(dictionary):
    table = table_of(dictionary, total("2014", 8, 10), total("2016", 8, 10), total("2018", 8, 10))
    assert "Graduation is measured every second year." in check_quality(table, SITE).narrative


def test_the_width_of_blurred_rates_is_told_in_points(dictionary):
    table = table_of(
        dictionary,
        total("2016", np.nan, 108, "censored"),
        total("2017", np.nan, 99, "censored"),
        lower=[70 / 108, 69 / 99],
        upper=[75 / 108, 73 / 99],
    )
    result = check_quality(table, SITE)
    # 5/108 = 4.63 and 4/99 = 4.04 points
    assert "Graduation in 2 cells (total 4.0 to 4.6)." in result.summary()
    assert result.tidy.set_index("term").loc["widest_range", "estimate"] == pytest.approx(100 * 5 / 108)


def test_a_definition_break_inside_the_window_is_told_and_one_before_it_is_not(dictionary):
    indicator = dictionary.indicator("graduation_rate").model_copy(
        update={
            "breaks": (Break(period="2016", reason="before"), Break(period="2018", reason="new cohort rule"))
        }
    )
    changed = dictionary.model_copy(
        update={"indicators": {**dictionary.indicators, "graduation_rate": indicator}}
    )
    result = check_quality(
        table_of(changed, total("2016", 80, 100), total("2017", 80, 100), total("2018", 80, 100)), SITE
    )
    assert "Graduation from 2017-18 on (new cohort rule)." in result.summary()
    assert "before" not in result.summary()
    ax = result.plot()
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    # the third column begins half a column before its middle
    assert [line.get_xdata()[0] for line in dashed] == [1.5]


def test_populations_are_told_apart(dictionary):
    rows = [total("2016", 80, 100), ("graduation_rate", "resident", "2016", "all", "All", 8, 10, "reported")]
    told = check_quality(table_of(dictionary, *rows), SITE).summary()
    assert "Graduation is given for residents of the neighborhood and everyone in the target schools" in told


def test_a_school_under_two_ids_is_told_with_its_note(table):
    unit = Unit(unit_id="north", name="North High", ids=("1", "2"), note="Renamed in 2016.")
    told = check_quality(table, SITE.model_copy(update={"units": (unit,)})).summary()
    assert "North High stands under 1 and 2 (Renamed in 2016)." in told


def test_the_rows_of_comparison_sites_do_not_count(table, dictionary):
    other = table.frame.assign(site_id="quay-comparison")
    both = IndicatorTable.from_frame(pd.concat([table.frame, other]), dictionary=dictionary)
    assert check_quality(both, SITE).narrative == check_quality(table, SITE).narrative


def test_a_site_without_rows_gives_a_row_with_the_reason(table):
    result = check_quality(table, SITE.model_copy(update={"site_id": "elsewhere"}))
    assert "no row of this site" in result.tidy["note"].item()
    assert "data hold nothing" in alt_text(result.plot())


def test_the_chart_shows_status_by_mark_and_shade_and_says_it_in_words(table):
    ax = check_quality(table, SITE).plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Graduation, everyone", "Asian", "Latinx"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2016", "2017", "2018", "2019"]
    marks = {line.get_marker() for line in ax.lines}
    shades = {patch.get_facecolor() for patch in ax.patches}
    assert len(marks) == len(shades) == 3
    assert "Graduation, everyone: 3 exact and 1 no data" in alt_text(ax)
    assert "Latinx: 2 exact, 1 hidden and 1 no data" in alt_text(ax)


def test_the_callers_table_is_unchanged(table):
    before = table.frame
    check_quality(table, SITE).plot()
    pd.testing.assert_frame_equal(table.frame, before)
