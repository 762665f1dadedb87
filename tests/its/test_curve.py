import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from evalkit.charts.curve import baseline_curves, segmented_curves
from evalkit.charts.style import alt_text, figure_of
from evalkit.dictionary import DataDictionary
from evalkit.indicators import IndicatorTable
from evalkit.its import fit_series, interrupted_time_series, turn_the_curve

from .tables import OCONNELL, aim, bounded, counted, place, since, years

VALUES = [61.0, 60.2, 61.1, 62.3, 61.8, 62.6, 68.0, 69.4, 69.1, 71.0, 72.2, 72.9]


def lines(ax: Axes, label: str) -> list[np.ndarray]:
    return [line.get_xydata() for line in ax.lines if line.get_label() == label]


def texts(ax: Axes) -> str:
    return " ".join(text.get_text() for text in [*ax.texts, *ax.get_xticklabels()])


def test_the_fit_is_broken_at_the_start_and_the_earlier_trend_is_dashed(dictionary: DataDictionary) -> None:
    result = interrupted_time_series(counted(years(VALUES), dictionary), place())
    ax = result.plot()
    before, after = lines(ax, "fitted")
    assert len(before) == len(after) == 6
    assert before[-1, 0] < after[0, 0]
    (dashed,) = (line for line in ax.lines if line.get_label() == "earlier trend carried on")
    assert dashed.get_linestyle() == "--"
    np.testing.assert_allclose(lines(ax, "observed")[0][:, 1], VALUES, atol=0.01)
    assert "work begins, 2018-19" in texts(ax)
    assert "2023-24" in texts(ax)
    assert ax.get_ylabel() == "percent (higher is better)"


def test_the_alt_text_states_the_finding_of_the_table(dictionary: DataDictionary) -> None:
    result = interrupted_time_series(counted(years(VALUES), dictionary), place())
    level = result.tidy[result.tidy["term"] == "level_change"].iloc[0]
    alt = alt_text(result.plot())
    assert f"+{level['estimate']:.1f} points" in alt
    assert "from 61.0 in 2012-13 to 72.9 in 2023-24" in alt
    assert "The work began in 2018-19" in alt


def test_hidden_years_are_crosses_and_no_line_runs_through_them(dictionary: DataDictionary) -> None:
    table = counted(years(VALUES), dictionary, hidden=["2015"])
    ax = turn_the_curve(table, place()).plot()
    (crosses,) = lines(ax, "hidden or missing")
    assert crosses[:, 0].tolist() == [45.0]  # 2015 is the 45th year after 1970, where pandas begins to count
    (gap,) = (line for line in ax.lines if line.get_label() == "gap")
    assert gap.get_linestyle() == ":"
    assert "Cross: hidden or missing" in figure_of(ax).get_supxlabel()


def test_bounds_are_bars_and_never_points(dictionary: DataDictionary) -> None:
    ax = turn_the_curve(bounded(OCONNELL, dictionary), place(None, baselines=(since("2012"),))).plot()
    assert all(len(line) == 0 for line in lines(ax, "observed"))
    bars = ax.collections[0].get_segments()
    np.testing.assert_allclose(bars[0][:, 1], [100 * 70 / 108, 100 * 75 / 108])
    assert "known only within bounds" in figure_of(ax).get_supxlabel()
    assert "baseline" in texts(ax)
    assert "−2.5 to 22.8" in alt_text(ax)


def test_the_target_and_the_forecast_are_labelled(dictionary: DataDictionary) -> None:
    ax = turn_the_curve(counted(years(VALUES), dictionary), place(targets=(aim(80.0, "2026"),))).plot()
    (target,) = lines(ax, "target")
    assert target[:, 1].tolist() == [80.0, 80.0]
    assert "target 80%" in texts(ax)
    assert "baseline\nforecast" in texts(ax)
    assert "turned" in ax.get_title(loc="left")
    assert "Target: 80 by 2025-26" in alt_text(ax)


def test_a_refused_fit_shows_the_points_and_the_reason(dictionary: DataDictionary) -> None:
    ax = interrupted_time_series(counted(years(VALUES[:5]), dictionary), place("2016")).plot()
    assert "No fit" in texts(ax)
    assert "at least 4" in texts(ax).replace("\n", " ")
    assert len(lines(ax, "observed")[0]) == 5
    assert "No fit" in alt_text(ax)


def test_the_comparison_is_a_muted_line_of_its_own(dictionary: DataDictionary) -> None:
    other = counted(years([value - 3 for value in VALUES[::-1]]), dictionary, site_id="place-comparison")
    table = IndicatorTable.concat([counted(years(VALUES), dictionary), other])
    ax = interrupted_time_series(table, place()).plot()
    assert len(lines(ax, "comparison, fitted")) == 2
    assert "comparison" in texts(ax)
    assert "The comparison differed" in alt_text(ax)


def test_small_panels_show_every_indicator_and_describe_each(dictionary: DataDictionary) -> None:
    table = IndicatorTable.concat(
        [
            counted(years(VALUES), dictionary),
            counted(years([value / 2 for value in VALUES]), dictionary, indicator="ela_proficient"),
            counted(years([100 - value for value in VALUES]), dictionary, indicator="chronic_absence"),
        ]
    )
    for ax in (
        segmented_curves(interrupted_time_series(table, place()).all_frames()),
        baseline_curves(turn_the_curve(table, place()).all_frames()),
    ):
        shown = [axes for axes in figure_of(ax).axes if axes.get_visible()]
        assert len(shown) == 3
        assert alt_text(ax).startswith("3 small charts")


def test_an_indicator_the_result_does_not_hold_is_refused(dictionary: DataDictionary) -> None:
    result = turn_the_curve(counted(years(VALUES), dictionary), place())
    with pytest.raises(ValueError, match="no indicator 'mobility'"):
        result.plot(indicator="mobility")


def test_a_phase_in_is_shaded_and_named(dictionary: DataDictionary) -> None:
    series = counted(years(VALUES), dictionary).series("graduation_rate", site_id="place")
    ax = fit_series(series, interruption=pd.Period("2019", "Y"), phase_in=2).plot()
    (shade,) = (patch for patch in ax.patches if patch.get_label() == "phase-in")
    # 2019 and 2020 are the 49th and 50th year after 1970
    assert (shade.get_x(), shade.get_width()) == (48.5, 2.0)
    assert "phase-in" in texts(ax)
