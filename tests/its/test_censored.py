import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.dictionary import DataDictionary
from evalkit.errors import DesignError
from evalkit.its import fit_series
from evalkit.its.calibration import TRUTH, Cell, draw_series
from evalkit.its.censored import _truncated, fit_within_bounds
from evalkit.its.design import coefficients, segmented_design
from evalkit.its.engine import fit_design

from .tables import bounded

BAND = 3.0  # standard deviations of the error


def held(cell: Cell, count: int, *, exact: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of intervals that hold the truth: within the bounds, and at the midpoints."""
    design = segmented_design(cell.n_pre + cell.n_post, start=cell.n_pre)
    inside, middle = [], []
    for row in draw_series(cell, n_series=count, family=count, seed=4):
        low = np.floor(row / BAND) * BAND
        high = low + BAND
        low[:exact] = high[:exact] = row[:exact]
        for fit, found in (
            (fit_within_bounds(low, high, design, coefficients(design)), inside),
            (fit_design(((low + high) / 2)[None], design), middle),
        ):
            ends = np.atleast_2d(fit.conf_low)[0, 2:], np.atleast_2d(fit.conf_high)[0, 2:]
            found.append((ends[0] <= TRUTH) & (ends[1] >= TRUTH))
    return np.mean(inside, axis=0), np.mean(middle, axis=0)


def test_intervals_within_bounds_hold_the_truth_where_midpoints_do_not() -> None:
    inside, middle = held(Cell(6, 6, 0.4), 60, exact=4)
    # 60 series: a Monte-Carlo error of 3 points at 95 %
    assert np.all(inside >= 0.88)
    assert middle[0] < inside[0]


@pytest.mark.slow
@pytest.mark.parametrize("cell", [Cell(6, 6, 0.0), Cell(6, 6, 0.6), Cell(12, 12, 0.4)])
def test_intervals_within_bounds_keep_their_level(cell: Cell) -> None:
    inside, _ = held(cell, 300, exact=4)
    # 300 series: two Monte-Carlo errors of 1.3 points
    assert np.all(inside >= 0.925)


def test_bounds_without_width_give_nearly_the_exact_fit() -> None:
    y = draw_series(Cell(10, 10, 0.3), n_series=20)[1]
    design = segmented_design(20, start=10)
    fit = fit_within_bounds(y, y, design, coefficients(design))
    exact = fit_design(y[None], design)
    np.testing.assert_allclose(fit.estimate[1:], exact.estimate[0, 1:], atol=0.05)
    # one degree of freedom of sixteen less
    width = (fit.conf_high - fit.conf_low)[1:] / (exact.conf_high - exact.conf_low)[0, 1:]
    assert np.all((width > 1.0) & (width < 1.12))


def test_draws_stay_inside_their_band_and_follow_the_truncated_law() -> None:
    rng = np.random.default_rng(3)
    drawn = _truncated(np.full(20_000, 1.0), np.full(20_000, 2.0), 2.0, 4.0, rng)
    law = stats.truncnorm(0.5, 1.5, loc=1.0, scale=2.0)
    assert drawn.min() >= 2.0
    assert drawn.max() <= 4.0
    assert drawn.mean() == pytest.approx(law.mean(), abs=0.02)
    far = _truncated(np.zeros(10), np.full(10, 0.01), 5.0, 6.0, rng)
    np.testing.assert_allclose(far, 5.0, atol=0.01)


def test_the_likely_estimate_lies_between_worst_and_best_and_repeats(dictionary: DataDictionary) -> None:
    lows = [60, 59, 62, 61, 63, 60, 70, 68, 72, 75]
    cells = [(str(2013 + k), 100, low, low + 6) for k, low in enumerate(lows)]
    series = bounded(cells, dictionary).series("graduation_rate", site_id="place")
    first, second = (fit_series(series, interruption=pd.Period("2019", "Y")) for _ in range(2))
    rows = first.tidy.set_index("term")
    for term in ("level_change", "effect_average"):
        worst, best = rows.loc[f"{term}_worst_case"], rows.loc[f"{term}_best_case"]
        likely = rows.loc[f"{term}_within_bounds"]
        assert worst["estimate"] < likely["estimate"] < best["estimate"]
        assert likely["unit"] == "percentage points"
    pd.testing.assert_frame_equal(first.tidy, second.tidy)
    assert "weighed by how likely they are" in first.summary()


def test_too_few_values_to_weigh_are_refused() -> None:
    design = segmented_design(5, start=3)
    with pytest.raises(DesignError, match="two values more"):
        fit_within_bounds(np.zeros(5), np.ones(5), design, coefficients(design))
