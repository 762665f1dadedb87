import numpy as np
import pytest
from benchmarks.its_coverage import outside, pairs

from evalkit.errors import ParameterError
from evalkit.its.calibration import CENTERED, OFF_CENTER, SCENARIOS, TROUBLED, Cell, calibrate, draw_series
from evalkit.its.engine import METHODS, fit_arrays

LEVEL = 2


def test_a_few_cells_cover_as_the_reference_table_says() -> None:
    cells = [Cell(6, 6, 0.4), Cell(12, 12, 0.6)]
    coverage = calibrate(cells, n_series=1000).frames["coverage"]
    # three Monte-Carlo errors of 1,000 series are 2 points at 95 % and 4.5 at 65 %
    assert outside(coverage[coverage["coverage"] > 85], slack=2.2) == []
    assert outside(coverage, slack=4.5) == []


@pytest.mark.slow
def test_every_cell_covers_as_the_reference_table_says() -> None:
    coverage = calibrate(CENTERED, n_series=10_000).frames["coverage"]
    # two Monte-Carlo errors of 10,000 series are 0.4 points at 95 %, 1 at 65 %
    assert outside(coverage[coverage["coverage"] > 85], slack=0.5) == []
    assert outside(coverage, slack=1.0) == []
    assert np.all(np.abs(coverage["bias"]) < 0.06)


@pytest.mark.slow
@pytest.mark.parametrize("cells", [OFF_CENTER, TROUBLED], ids=["off center", "troubled"])
def test_the_family_keeps_its_promise_off_center_and_in_trouble(cells: tuple[Cell, ...]) -> None:
    coverage = calibrate(cells, methods=["integrated", "network"], n_series=4000).frames["coverage"]
    assert coverage["coverage"].between(92.5, 99.7).all()
    family = coverage[coverage["inference"] == "network"]
    assert family["coverage"].mean() == pytest.approx(95, abs=1.2)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["integrated", "network"])
def test_a_placebo_date_is_found_changed_as_seldom_as_the_level_says(method: str) -> None:
    # an uninterrupted AR(1) series, cut at a date where nothing happened; 6,000 series, error 0.3 points
    y = draw_series(Cell(18, 6, 0.4), n_series=6000, seed=7)[:, :18]
    parts = np.split(y, 300) if method == "network" else [y]
    p_value = np.concatenate([fit_arrays(part, start=11, method=method).p_value for part in parts])
    assert 0.03 <= np.mean(p_value[:, LEVEL] < 0.05) <= 0.065
    assert 0.01 <= np.mean(p_value[:, LEVEL + 1] < 0.05) <= 0.065


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_drawn_errors_have_the_variance_they_are_said_to_have(scenario: str) -> None:
    y = draw_series(Cell(12, 12, 0.4, scenario), n_series=4000, seed=3)[:, :12]
    if scenario == "random walk":
        y = np.diff(y, axis=1)
    assert np.nanvar(y) == pytest.approx(1.0, abs=0.06)


def test_shared_shocks_are_shared_within_a_family_and_not_between() -> None:
    y = draw_series(Cell(12, 12, 0.4, "shared shocks"), n_series=2000, family=20)[:, 0].reshape(100, 20)
    assert np.corrcoef(y[:, 0], y[:, 1])[0, 1] == pytest.approx(0.5, abs=0.25)
    assert np.corrcoef(y[:50, 0], y[50:, 0])[0, 1] == pytest.approx(0.0, abs=0.45)


def test_the_table_lays_out_level_and_slope_of_every_method() -> None:
    result = calibrate([Cell(6, 6, 0.0)], methods=METHODS[:2], n_series=40)
    wide = pairs(result.frames["coverage"], (Cell(6, 6, 0.0),))
    assert wide.index.tolist() == list(METHODS[:2])
    assert all(text.count("/") == 1 for text in wide.iloc[:, 0])
    assert set(result.tidy["term"]) == {"level_change_coverage", "slope_change_coverage"}
    assert len(result.narrative) == 2


def test_unknown_scenarios_and_broken_families_are_refused() -> None:
    with pytest.raises(ParameterError, match="no scenario weather"):
        calibrate([Cell(6, 6, 0.0, "weather")], n_series=40)
    with pytest.raises(ParameterError, match="multiple of the family of 20"):
        calibrate(n_series=30)
