import numpy as np
import pytest

from evalkit.charts.style import alt_text, figure_of
from evalkit.errors import DesignError, ParameterError
from evalkit.its import calibrate, its_power
from evalkit.its.calibration import Cell
from evalkit.its.engine import fit_arrays
from evalkit.simulate import simulate_series


def power_of(result, term: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    frame = result.frames["power"]
    return frame[frame["term"].eq(term)]["power"].to_numpy()


def test_power_is_the_share_of_studies_that_the_analysis_itself_would_call_changed() -> None:
    result = its_power(8, 8, 0.0, level=3.0, repeats=400, seed=5)
    y = simulate_series(n_series=400, n_pre=8, n_post=8, rho=0.0, seed=5, level_change=3.0)
    fit = fit_arrays(y, start=8)
    found = (fit.conf_low[:, 2] > 0) | (fit.conf_high[:, 2] < 0)
    assert power_of(result, "level_change")[0] == pytest.approx(100 * found.mean(), abs=0.26)


def test_without_an_effect_power_is_the_rate_of_false_alarms() -> None:
    result = its_power(12, 12, 0.4, level=0.0, repeats=1500)
    # 5 % with a Monte-Carlo error of 0.6 points, and the calibration's own deviations
    assert 2.5 <= power_of(result, "level_change")[0] <= 7.5
    assert "no effect was given" in result.summary()


def test_power_rises_with_the_effect_and_with_a_family() -> None:
    levels = [0.0, 1.0, 2.0, 4.0, 8.0]
    alone = its_power(6, 6, 0.2, level=levels, repeats=400)
    curve = power_of(alone, "level_change")
    assert np.all(np.diff(curve) >= -1)
    assert curve[-1] > 95
    family = its_power(6, 6, 0.2, level=levels, sites=20, repeats=20)
    assert family.design["inference"] == "network"
    assert power_of(family, "level_change")[3] > power_of(alone, "level_change")[3]
    assert (family.frames["power"]["power_any"] >= family.frames["power"]["power"]).all()


def test_sigma_is_the_standard_deviation_of_the_errors_so_scale_drops_out() -> None:
    small = its_power(8, 6, 0.5, level=2.0, slope=0.1, repeats=200)
    large = its_power(8, 6, 0.5, level=20.0, slope=1.0, sigma=10.0, repeats=200)
    np.testing.assert_allclose(small.frames["power"]["power"], large.frames["power"]["power"], atol=0.51)


def test_studies_that_cannot_be_planned_are_refused() -> None:
    with pytest.raises(DesignError, match="at least 4 and 2"):
        its_power(3, 6, 0.2)
    with pytest.raises(DesignError, match="between -1 and 1"):
        its_power(6, 6, 1.0)
    with pytest.raises(ParameterError, match="2 levels and 3 slopes"):
        its_power(6, 6, 0.2, level=[1, 2], slope=[1, 2, 3])


def test_the_curve_of_power_shows_its_numbers_and_says_them() -> None:
    result = its_power(8, 8, 0.3, level=[1.0, 2.0, 4.0], repeats=200)
    ax = result.plot()
    line = next(line for line in ax.lines if line.get_label() == "level change")
    np.testing.assert_allclose(line.get_xdata(), [1.0, 2.0, 4.0])
    np.testing.assert_allclose(line.get_ydata(), power_of(result, "level_change"))
    assert "8 periods before" in alt_text(ax)
    assert ax.get_ylabel() == "studies that would find it (percent)"


def test_the_chart_of_coverage_shows_every_method_and_the_promise() -> None:
    cells = [Cell(6, 6, 0.0), Cell(6, 6, 0.4), Cell(12, 12, 0.0), Cell(12, 12, 0.4)]
    result = calibrate(cells, methods=["network", "ols"], n_series=100)
    ax = result.plot(term="level_change")
    panels = figure_of(ax).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["6 + 6 periods", "12 + 12 periods"]
    frame = result.frames["coverage"].query("term == 'level_change' and n_pre == 12 and inference == 'ols'")
    line = next(line for line in panels[1].lines if line.get_label() == "ols")
    np.testing.assert_allclose(line.get_ydata(), frame["coverage"])
    assert "ols" in alt_text(ax)
    with pytest.raises(ValueError, match="no term 'weather'"):
        result.plot(term="weather")
