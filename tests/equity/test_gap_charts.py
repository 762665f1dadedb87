"""What is drawn, read off the axes: points, intervals, hidden groups, words."""

import numpy as np
import pytest
from maple_cells import cell, hidden

from evalkit.charts.gaps import gap_chart, gap_over_time
from evalkit.charts.style import alt_text, figure_of
from evalkit.equity import equity_gaps


@pytest.fixture
def frames(table_of, maple):
    rows = []
    for year, black in (("2017", 30), ("2018", 33), ("2019", 36), ("2021", 39)):
        rows += [cell("White", 60, 80, period=year), cell("Black", black, 60, period=year)]
        rows += [hidden("Asian", period=year)]
        rows += [cell("Latinx", np.nan, 40, status="censored", lower=0.05, upper=0.225, period=year)]
    rows += [hidden("Black", period="2020"), cell("White", 60, 80, period="2020")]
    return equity_gaps(table_of(rows), maple, references={"race_ethnicity": "White"}).all_frames()


def texts(ax):
    return [text.get_text() for text in ax.texts]


def points(ax):
    return {round(float(line.get_xdata()[0]), 6) for line in ax.lines if line.get_marker() == "o"}


def test_levels_are_drawn_with_their_intervals_in_a_fixed_order(frames):
    ax = gap_chart(frames)
    assert points(ax) == {65, 75}
    labels = [label.get_text() for label in ax.get_yticklabels()][::-1]
    assert labels == ["Latinx", "Black", "White (reference)", "Asian"]  # worst off first, hidden last
    assert "65% (52 to 76)  n = 60" in texts(ax)
    assert ax.get_xlim()[0] == 0


def test_a_hidden_group_is_drawn_as_hidden_and_a_range_as_a_range(frames):
    ax = gap_chart(frames)
    assert "not shown, to protect small groups" in texts(ax)
    assert "5 to 22: a range  n = 40" in texts(ax)  # 22.5, rounded half to even
    assert any(line.get_linewidth() == 6 and list(line.get_xdata()) == [5, 22.5] for line in ax.lines)


def test_the_target_is_the_benchmark(frames):
    ax = gap_chart(frames)
    assert "target 75%" in texts(ax)
    assert any(list(line.get_xdata()) == [75, 75] for line in ax.lines)


def test_the_alt_text_of_levels_states_the_finding_and_what_is_hidden(frames):
    alt = alt_text(gap_chart(frames))
    assert "Black 65% (52 to 76)" in alt
    assert "Black minus the reference White is −10.0 points, where higher is better" in alt
    assert "Not shown, to protect small groups: Asian" in alt
    assert "Known only as a range: Latinx" in alt
    assert "The target is 75%" in alt


def test_units_source_and_direction_are_on_the_chart(frames):
    ax = gap_chart(frames, period="2018")
    assert ax.get_xlabel() == "Percent (higher is better)"
    assert "2017-18" in ax.get_title(loc="left")
    assert "Source: school records" in figure_of(ax).get_supxlabel()


def test_a_gap_over_time_breaks_where_a_period_is_hidden(frames):
    ax = gap_over_time(frames, subgroup="Black")
    drawn = [line.get_ydata() for line in ax.lines if line.get_marker() == "o"]
    assert [list(np.round(part, 6)) for part in drawn] == [[-25, -20, -15], [-10]]
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [3]
    assert "parity" in texts(ax)
    assert ax.get_ylabel() == "Percentage points"


def test_the_alt_text_of_a_gap_over_time_tells_both_ends(frames):
    alt = alt_text(gap_over_time(frames, subgroup="Black"))
    assert "Black minus White was −25.0 points" in alt
    assert "in 2016-17 and −10.0 points" in alt
    assert "1 of 5 periods are hidden" in alt


def test_a_gap_known_only_by_ranges_is_drawn_as_bars(frames):
    ax = gap_over_time(frames, subgroup="Latinx")
    assert len(ax.collections[0].get_segments()) == 4
    assert "In no period may the gap be shown exactly" in alt_text(ax)


@pytest.mark.parametrize(
    "choice", [{"indicator": "medical_home"}, {"dimension": "income"}, {"period": "1999"}]
)
def test_what_is_not_there_is_refused(frames, choice):
    with pytest.raises(ValueError, match="no "):
        gap_chart(frames, **choice)


def test_the_frames_are_unchanged(frames):
    before = {name: frame.copy() for name, frame in frames.items()}
    gap_chart(frames)
    gap_over_time(frames)
    assert all(frames[name].equals(before[name]) for name in frames)
