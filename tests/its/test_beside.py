import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evalkit.dictionary import DataDictionary
from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries
from evalkit.its import fit_beside
from evalkit.its.design import segmented_design, two_group_design
from evalkit.its.engine import fit_design
from evalkit.simulate import simulate_series

from .tables import bounded, counted, years

OWN = [61.0, 60.2, 61.1, 62.3, 61.8, 62.6, 68.0, 69.4, 69.1, 71.0, 72.2, 72.9]
OTHER = [60.0, 61, 60.2, 61.4, 61.1, 61.9, 62.0, 62.8, 62.3, 63.1, 63.4, 63.2]
START = pd.Period("2019", "Y")


def made(values: list[float], site_id: str, dictionary: DataDictionary, **more: object) -> IndicatorSeries:
    return counted(years(values), dictionary, site_id=site_id, **more).series(
        "graduation_rate", site_id=site_id
    )  # type: ignore[arg-type]


def test_the_difference_is_an_interrupted_series_of_its_own(dictionary: DataDictionary) -> None:
    result = fit_beside(
        made(OWN, "place", dictionary), made(OTHER, "other", dictionary), interruption=START, method="ols"
    )
    clock, post = np.arange(12.0), (np.arange(12) >= 6).astype(float)
    x = np.stack([np.ones(12), clock, post, post * (clock - 6)], axis=1)
    reference = sm.OLS(np.array(OWN) - np.array(OTHER), x).fit()
    rows = result.tidy.set_index("term")
    for place, term in [(1, "pre_trend"), (2, "level_change"), (3, "slope_change")]:
        assert rows.loc[f"{term}_difference", "estimate"] == pytest.approx(reference.params[place], rel=1e-6)
        assert rows.loc[f"{term}_difference", "conf_high"] == pytest.approx(
            reference.conf_int()[place][1], rel=1e-6
        )
    assert rows.loc["level_change_difference", "period"] == "2019"
    assert "do not tell their earlier trends apart" in result.summary() or "parallel" in result.summary()


def test_the_two_group_model_is_the_textbook_regression(dictionary: DataDictionary) -> None:
    result = fit_beside(
        made(OWN, "place", dictionary),
        made(OTHER, "other", dictionary),
        interruption=START,
        model="two_group",
        method="ols",
    )
    clock, post = np.tile(np.arange(12.0), 2), np.tile((np.arange(12) >= 6).astype(float), 2)
    own = np.repeat([1.0, 0.0], 12)
    base = np.stack([np.ones(24), clock, post, post * (clock - 6)], axis=1)
    reference = sm.OLS(np.array(OWN + OTHER), np.hstack([base, own[:, None] * base])).fit()
    rows = result.tidy.set_index("term")
    assert rows.loc["level_change_difference", "estimate"] == pytest.approx(reference.params[6], rel=1e-6)
    assert rows.loc["slope_change_difference", "std_error"] == pytest.approx(reference.bse[7], rel=1e-6)
    assert rows.loc["level_change_comparison", "estimate"] == pytest.approx(reference.params[2], rel=1e-6)


def test_two_stacked_series_do_not_lend_each_other_their_last_value() -> None:
    # the comparison's first period follows the series' last in the rows, not in time
    y = simulate_series(n_series=2, n_pre=8, n_post=8, rho=0.6, seed=3)
    design = two_group_design(segmented_design(16, start=8))
    forwards = fit_design(y.reshape(1, -1), design)
    shifted = y.copy()
    shifted[1] += 1000.0
    moved = fit_design(shifted.reshape(1, -1), design)
    place = design.terms.index("level_change_difference")
    assert moved.estimate[0, place] == pytest.approx(forwards.estimate[0, place], abs=1e-6)
    assert moved.rho[0] == pytest.approx(forwards.rho[0], abs=1e-8)


def test_intervals_of_the_difference_hold_the_truth_when_shocks_are_shared() -> None:
    rng = np.random.default_rng(8)
    own, other = (simulate_series(n_series=800, n_pre=8, n_post=8, rho=0.4, seed=seed) for seed in (1, 2))
    shared = 3 * rng.normal(size=own.shape)
    held = []
    fit = fit_design(own + shared - (other + shared), segmented_design(16, start=8))
    held = (fit.conf_low[:, 2] <= 0) & (fit.conf_high[:, 2] >= 0)
    # 95 % with a Monte-Carlo error of 0.8 points
    assert 0.925 <= held.mean() <= 0.985


def test_unlike_series_are_refused(dictionary: DataDictionary) -> None:
    own = made(OWN, "place", dictionary)
    other = counted(years(OTHER), dictionary, indicator="ela_proficient").series(
        "ela_proficient", site_id="place"
    )
    with pytest.raises(DesignError, match="same indicator"):
        fit_beside(own, other, interruption=START)
    with pytest.raises(DesignError, match="population is target_school, of the comparison served"):
        fit_beside(own, made(OTHER, "other", dictionary, population="served"), interruption=START)
    cells = [(str(2013 + k), 200, 120, 126) for k in range(12)]
    blurred = bounded(cells, dictionary).series("graduation_rate", site_id="place")
    with pytest.raises(DesignError, match="within bounds"):
        fit_beside(own, blurred, interruption=START)
