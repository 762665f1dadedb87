"""Drawn data of the qualitative comparison and of the performance measures, read off the axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from evalkit.charts.performance import performance_chart
from evalkit.charts.qca import solution_plot, truth_table_chart
from evalkit.charts.style import alt_text
from evalkit.contribution.performance import performance_measures
from evalkit.contribution.qca import qualitative_comparison
from evalkit.sites import Partner, Site


@pytest.fixture
def compared():
    # A alone brings the outcome; case d has it without A, case e has A without it.
    rows = {"a": (0.9, 0.8, 0.9), "b": (0.8, 0.2, 0.9), "c": (0.1, 0.9, 0.1), "d": (0.2, 0.3, 0.8)}
    rows |= {"e": (0.6, 0.7, 0.4), "f": (0.9, 0.9, 1.0), "g": (0.2, 0.8, 0.1), "h": (0.1, 0.1, 0.1)}
    data = pd.DataFrame.from_dict(rows, orient="index", columns=["A", "B", "Y"])
    return qualitative_comparison(data, outcome="Y", conditions=["A", "B"])


def test_every_case_stands_where_its_memberships_are(compared):
    axes = solution_plot(compared.frames, label="a turned curve")
    drawn = {
        (round(float(x), 6), round(float(y), 6))
        for line in axes.get_lines()
        if line.get_marker() not in ("None", "")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    cases = compared.frames["memberships"]
    assert drawn == set(zip(cases["solution"].round(6), cases["outcome"].round(6), strict=True))
    assert axes.get_ylabel() == "Membership in a turned curve (0 out, 1 in)"


def test_cases_that_contradict_or_go_unexplained_are_named_in_plot_and_alt_text(compared):
    axes = solution_plot(compared.frames)
    assert {"d", "e"} <= {text.get_text() for text in axes.texts}
    assert "in the solution, without the outcome: e" in alt_text(axes)
    assert "with the outcome, not in the solution: d" in alt_text(axes)


def test_the_truth_table_shows_presence_by_filling_and_marks_contradicting_cases(compared):
    axes = truth_table_chart(compared.frames)
    table = compared.frames["truth_table"]
    circles = [line for line in axes.get_lines() if line.get_marker() == "o"]
    filled = sum(line.get_markerfacecolor() != "white" for line in circles)
    assert len(circles) == 2 * len(table)
    assert filled == int(table[["A", "B"]].to_numpy().sum())
    words = [text.get_text() for text in axes.texts]
    assert any("e*" in text for text in words)
    assert words.count("yes") == int((table["OUT"] == "1").sum())


def test_charts_can_be_drawn_on_given_axes(compared):
    for chart in (solution_plot, truth_table_chart):
        axes = Figure().add_subplot()
        assert chart(compared.frames, ax=axes) is axes
    assert compared.plot(chart="truth_table").get_figure() is not None


def site_of(measures):
    partner = Partner.model_validate({"partner_id": "hub", "name": "Family hub", "measures": measures})
    return Site(site_id="made-up", name="Made-up Town", partners=(partner,))


def test_a_rate_has_its_interval_and_target_a_count_its_words_and_a_small_one_is_hidden():
    base = {"label": "Children on track", "question": "better_off", "target": 60}
    measures = [
        base | {"measure_id": "rate", "values": [{"period": "2024", "count": 56, "of": 80}]},
        base | {"measure_id": "count", "values": [{"period": "2024", "count": 75}]},
        base | {"measure_id": "small", "values": [{"period": "2024", "count": 3, "of": 80}]},
    ]
    axes = performance_measures(site_of(measures), audience="public").plot()
    spans = [np.asarray(line.get_xdata(), dtype=float) for line in axes.get_lines()]
    assert any(span == pytest.approx([59.2318, 78.9354], abs=1e-3) for span in spans if len(span) == 2)
    assert any(span.tolist() == [60, 60] for span in spans)
    words = [text.get_text() for text in axes.texts]
    assert "75 persons" in words
    assert "hidden, too few persons" in words
    assert "3" not in words
    assert "Children on track: 70% (59 to 79), cannot be told (target 60%)" in alt_text(axes)


def test_a_site_without_measures_gets_a_sentence():
    frames = performance_measures(site_of([]), audience="public").frames
    assert "No performance measure" in alt_text(performance_chart(frames))
