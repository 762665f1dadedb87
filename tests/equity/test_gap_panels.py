"""The equiplot and the small multiples, read off their axes: rates, ranges, hidden groups, target, words."""

import numpy as np
import pytest
from maple_cells import cell, hidden

from evalkit.charts.gap_panels import equiplot, gap_panels
from evalkit.charts.style import alt_text, figure_of
from evalkit.equity import equity_gaps


@pytest.fixture
def result(table_of, maple):
    rows = []
    for year, black in (("2017", 30), ("2018", 33), ("2019", 36)):
        rows += [cell("White", 60, 80, period=year), cell("Black", black, 60, period=year)]
        rows += [hidden("Asian", period=year)]
        rows += [cell("Latinx", np.nan, 40, status="censored", lower=0.05, upper=0.225, period=year)]
    return equity_gaps(table_of(rows), maple, references={"race_ethnicity": "White"})


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_an_equiplot_joins_the_ends_of_each_period_and_says_how_far_they_lie_apart(result):
    ax = equiplot(result.all_frames())
    joined = [
        sorted(round(float(value), 6) for value in line.get_xdata())
        for line in ax.lines
        if line.get_color() == "#bdbdbd"
    ]
    assert joined == [[50, 75], [55, 75], [60, 75]]
    assert texts(ax) == ["gap 25; 1 hidden", "gap 20; 1 hidden", "gap 15; 1 hidden"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2016-17", "2017-18", "2018-19"]
    assert ax.get_xlim()[0] == 0


def test_an_equiplot_tells_groups_apart_by_shape_as_well_as_colour(result):
    ax = equiplot(result.all_frames())
    looks = {(line.get_marker(), line.get_color()) for line in ax.lines if line.get_marker() in "os^Dv"}
    assert len({marker for marker, _ in looks}) == len(looks) == 2
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(legend) == {"Latinx", "Black", "White", "Asian", "target 75%"}


def test_the_words_of_an_equiplot_state_the_finding_and_what_is_hidden(result):
    alt = alt_text(equiplot(result.all_frames()))
    assert "in 2016-17 from Black 50% to White 75%, 25.0 apart" in alt
    assert "in 2018-19 from Black 60% to White 75%, 15.0 apart" in alt
    assert "3 of 12 cells are hidden or have no value" in alt


def test_small_multiples_have_a_panel_for_every_subgroup_hidden_ones_too(result):
    ax = gap_panels(result.all_frames())
    panels = {axes.get_title(loc="left"): axes for axes in figure_of(ax).axes}
    assert set(panels) == {"Latinx", "Black", "White (reference)", "Asian"}
    black = next(line for line in panels["Black"].lines if line.get_marker() == "o")
    assert list(np.round(black.get_ydata(), 6)) == [50, 55, 60]
    crosses = next(line for line in panels["Asian"].lines if line.get_marker() == "x")
    assert list(crosses.get_xdata()) == [0, 1, 2]
    bars = [part for group in panels["Latinx"].collections for part in group.get_segments()]
    assert [list(part[:, 1]) for part in bars if len(part)] == [[5, 22.5]] * 3
    assert all(axes.get_ylim() == ax.get_ylim() for axes in panels.values())
    assert any(list(line.get_ydata()) == [75, 75] for line in panels["Black"].lines)


def test_the_words_of_small_multiples_tell_every_panel(result):
    alt = alt_text(gap_panels(result.all_frames()))
    assert "Black: 50% in 2016-17 and 60% in 2018-19" in alt
    assert "Asian: no exact rate may be shown" in alt


def test_the_charts_are_found_by_name_and_fill_a_page_without_complaint(result, recwarn):
    for chart in ("equiplot", "panels", "over_time"):
        figure_of(result.plot(chart=chart)).draw_without_rendering()
    assert not [warning for warning in recwarn if "constrained_layout" in str(warning.message)]


@pytest.mark.parametrize("chart", ["", "over_time", "equiplot", "panels"])
def test_data_of_totals_only_are_told_in_words_and_not_refused(table_of, maple, chart):
    totals = [cell("All", 40, 80, dimension="all", period=year) for year in ("2017", "2018", "2019")]
    result = equity_gaps(table_of(totals), maple, references={"race_ethnicity": "White"})
    ax = result.plot(chart=chart)
    assert texts(ax) == [alt_text(ax)]
    assert "No indicator in these data is split into subgroups" in alt_text(ax)
    assert not ax.lines
    assert not ax.axison
    with pytest.raises(ValueError, match="no gaps of kindergarten_ready"):
        result.plot(chart=chart, indicator="kindergarten_ready")


@pytest.mark.parametrize("chart", [equiplot, gap_panels])
def test_what_is_not_there_is_refused_and_frames_are_unchanged(result, chart):
    frames = result.all_frames()
    before = {name: frame.copy() for name, frame in frames.items()}
    with pytest.raises(ValueError, match="no gaps of"):
        chart(frames, indicator="medical_home")
    chart(frames)
    assert all(frames[name].equals(before[name]) for name in frames)
