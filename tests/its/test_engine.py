import numpy as np
import pytest
import statsmodels.api as sm

from evalkit.errors import DesignError, ParameterError
from evalkit.its.design import Contrasts, coefficients, means, predictions, segmented_design, trend_design
from evalkit.its.engine import Member, fit_arrays, fit_design, fit_together
from evalkit.its.moments import moments
from evalkit.its.ratio import ratio_interval
from evalkit.simulate import simulate_series

# Abadie, Diamond and Hainmueller (2010), JASA 105:493-505: packs sold per head, California 1970-2000
CALIFORNIA = np.fromstring(
    "123.0 121.0 123.5 124.4 126.7 127.1 128.0 126.4 126.1 121.9 120.2 118.6 115.4 110.8 104.8 102.8 "
    "99.7 97.5 90.1 82.4 77.8 68.7 67.5 63.4 58.6 56.4 54.5 53.8 52.3 47.2 41.6",
    sep=" ",
)
LAW = 19  # 1989
LEVEL, SLOPE = 2, 3


def test_ols_matches_the_published_fit_of_proposition_99() -> None:
    # Stata's power itsa help, and R
    fit = fit_arrays(CALIFORNIA, start=LAW, method="ols")
    assert fit.terms == ("intercept", "trend", "level_change", "slope_change")
    np.testing.assert_allclose(fit.estimate[0], [132.225789, -1.779474, -20.058097, -1.494652], atol=5e-7)
    np.testing.assert_allclose(fit.std_error[0], [2.286619, 0.217036, 3.747111, 0.484629], atol=5e-7)
    assert fit.df[0] == 27


def test_integrated_rho_matches_the_reference_interval_of_proposition_99() -> None:
    fit = fit_arrays(CALIFORNIA, start=LAW)
    found = [fit.estimate[0, LEVEL], fit.conf_low[0, LEVEL], fit.conf_high[0, LEVEL]]
    np.testing.assert_allclose(found, [-6.18, -11.90, -0.53], atol=0.005)
    found = [fit.estimate[0, SLOPE], fit.conf_low[0, SLOPE], fit.conf_high[0, SLOPE]]
    np.testing.assert_allclose(found, [-1.993, -3.924, -0.030], atol=0.0005)
    assert fit.flagged[0]


def test_reml_survives_the_boundary_in_proposition_99_and_says_so() -> None:
    # R's gls stops at rho .99999 with an intercept whose standard error is in the hundreds (689)
    fit = fit_arrays(CALIFORNIA, start=LAW, method="reml")
    assert fit.rho[0] == 0.99999
    assert fit.flagged[0]
    assert fit.std_error[0, 0] > 500
    assert np.all(np.isfinite(fit.conf_low))
    assert -12 < fit.conf_low[0, LEVEL] < fit.conf_high[0, LEVEL] < 0


def test_newey_west_matches_the_published_fit_of_proposition_99() -> None:
    # R's sandwich and Stata's newey with one lag and n / (n - k)
    fit = fit_arrays(CALIFORNIA, start=LAW, method="hac")
    np.testing.assert_allclose(fit.std_error[0], [4.253054, 0.383419, 4.724395, 0.436820], atol=6e-7)


def test_prais_winsten_matches_the_published_fit_of_proposition_99() -> None:
    # R's prais and Stata's prais, iterated
    fit = fit_arrays(CALIFORNIA, start=LAW, method="prais")
    assert fit.rho[0] == pytest.approx(0.94404, abs=5e-6)
    np.testing.assert_allclose(fit.estimate[0, LEVEL:], [-6.08397, -1.99436], atol=5e-6)
    np.testing.assert_allclose(fit.std_error[0, LEVEL:], [2.72485, 0.95046], atol=5e-6)


def test_the_residuals_of_proposition_99_have_the_published_durbin_watson_statistic() -> None:
    (reduced,), _ = moments(CALIFORNIA[None], segmented_design(31, start=LAW).matrix)
    # squares of the first residual and of the later ends of neighbours, twice the products, the earlier ends
    first, later, products, earlier = reduced.square[0]
    assert (later - products + earlier) / (first + later) == pytest.approx(0.535242, abs=5e-7)


def test_newey_west_agrees_with_statsmodels_on_every_series_and_interval() -> None:
    y = simulate_series(n_series=5, n_pre=9, n_post=7, rho=0.5, seed=12, level_change=1.0, trend=0.2)
    fit = fit_arrays(y, start=9, method="hac", conf_level=0.9)
    design = segmented_design(16, start=9).matrix
    for series in range(5):
        kinds = {"maxlags": 1, "use_correction": True}
        reference = sm.OLS(y[series], design).fit(cov_type="HAC", cov_kwds=kinds, use_t=True)
        np.testing.assert_allclose(fit.estimate[series], reference.params, rtol=1e-9)
        np.testing.assert_allclose(fit.std_error[series], reference.bse, rtol=1e-8)
        np.testing.assert_allclose(fit.conf_low[series], reference.conf_int(0.1)[:, 0], rtol=1e-7, atol=1e-9)


def test_satterthwaite_and_known_rho_have_the_same_estimates_and_wider_intervals() -> None:
    y = simulate_series(n_series=30, n_pre=8, n_post=8, rho=0.3, seed=14)
    known, estimated = (fit_arrays(y, start=8, method=name) for name in ("reml", "reml_satterthwaite"))
    np.testing.assert_allclose(known.estimate, estimated.estimate)
    np.testing.assert_allclose(known.std_error, estimated.std_error)
    assert np.all(estimated.conf_high - estimated.conf_low >= known.conf_high - known.conf_low - 1e-12)


def test_series_that_lack_different_periods_are_fitted_together_as_they_are_alone() -> None:
    y = simulate_series(n_series=40, n_pre=10, n_post=10, rho=0.4, seed=15)
    y[np.random.default_rng(2).random(y.shape) < 0.15] = np.nan
    for method in ("integrated", "reml", "prais", "hac", "ols"):
        together = fit_arrays(y, start=10, method=method)
        for series in (0, 7, 33):
            alone = fit_arrays(y[series], start=10, method=method)
            # a search for the likeliest rho stops within 1e-8, and starts where the batch's grid begins
            np.testing.assert_allclose(alone.conf_low[0], together.conf_low[series], rtol=1e-5, atol=1e-7)


def test_members_of_a_family_may_differ_in_design_and_still_learn_together() -> None:
    y = simulate_series(n_series=60, n_pre=6, n_post=6, rho=0.6, seed=13)
    whole = fit_arrays(y, start=6, method="network")
    design = segmented_design(12, start=6)
    asked = coefficients(design)
    parts = fit_together([Member(y[:25], design, asked), Member(y[25:], design, asked)], method="network")
    np.testing.assert_allclose(np.concatenate([fit.conf_low for fit in parts]), whole.conf_low, rtol=1e-9)
    pupil = Member(y[:1] * 5, design, asked, teaches=False)
    taught = fit_together([Member(y, design, asked), pupil], method="network")[1]
    np.testing.assert_allclose(taught.conf_low[0], 5 * whole.conf_low[0], rtol=1e-7)


def test_ols_agrees_with_statsmodels_on_every_series_and_interval() -> None:
    y = simulate_series(n_series=5, n_pre=6, n_post=5, rho=0.3, seed=2, level_change=1.0, trend=0.2)
    fit = fit_arrays(y, start=6, method="ols", conf_level=0.9)
    design = segmented_design(11, start=6).matrix
    for series in range(5):
        reference = sm.OLS(y[series], design).fit()
        np.testing.assert_allclose(fit.estimate[series], reference.params, rtol=1e-9)
        np.testing.assert_allclose(fit.std_error[series], reference.bse, rtol=1e-9)
        bounds = reference.conf_int(0.1)
        np.testing.assert_allclose(fit.conf_low[series], bounds[:, 0], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.conf_high[series], bounds[:, 1], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.p_value[series], reference.pvalues, rtol=1e-6, atol=1e-12)


def test_series_are_fitted_alone_whoever_else_is_in_the_batch() -> None:
    y = simulate_series(n_series=4, n_pre=8, n_post=8, rho=0.5, seed=9)
    y[2, [3, 10]] = np.nan
    together = fit_arrays(y, start=8)
    for series in range(4):
        alone = fit_arrays(y[series], start=8)
        np.testing.assert_allclose(alone.conf_low[0], together.conf_low[series], rtol=1e-7)
        np.testing.assert_allclose(alone.rho[0], together.rho[series], rtol=1e-10)


def test_the_array_given_is_not_changed() -> None:
    y = simulate_series(n_series=2, n_pre=5, n_post=4, rho=0.0, seed=1)
    before = y.copy()
    fit_arrays(y, start=5, method="network")
    np.testing.assert_array_equal(y, before)


def test_scaling_and_adding_a_line_moves_the_estimates_and_nothing_else() -> None:
    y = simulate_series(n_series=1, n_pre=8, n_post=7, rho=0.4, seed=4)
    plain = fit_arrays(y, start=8)
    moved = fit_arrays(100 * y + 7 + 3 * np.arange(15), start=8)
    np.testing.assert_allclose(moved.conf_low[0, LEVEL], 100 * plain.conf_low[0, LEVEL], rtol=1e-6)
    np.testing.assert_allclose(moved.estimate[0, 1], 100 * plain.estimate[0, 1] + 3, rtol=1e-6)
    np.testing.assert_allclose(moved.rho, plain.rho, rtol=1e-7)


def test_a_series_that_cannot_be_fitted_is_nan_and_the_others_are_not() -> None:
    y = simulate_series(n_series=2, n_pre=6, n_post=6, rho=0.0, seed=3)
    y[0, :6] = np.nan
    fit = fit_arrays(y, start=6)
    assert np.all(np.isnan(fit.estimate[0]))
    assert np.all(np.isfinite(fit.conf_high[1]))


def test_points_on_a_line_leave_no_error_to_measure() -> None:
    fit = fit_arrays(np.arange(12.0), start=6)
    assert fit.exact[0]
    np.testing.assert_allclose(fit.estimate[0], [0, 1, 0, 0], atol=1e-9)
    assert np.all(np.isnan(fit.conf_low))


@pytest.mark.parametrize("start", [0, 12, -1, 40])
def test_an_interruption_outside_the_window_is_refused(start: int) -> None:
    with pytest.raises(DesignError, match="both sides"):
        fit_arrays(np.zeros(12), start=start)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ParameterError, match="'integrated'"):
        fit_arrays(np.zeros(12), start=6, method="arima")


def test_a_prediction_given_no_autocorrelation_is_the_textbook_prediction_interval() -> None:
    # statsmodels' prediction interval for a new observation after an ordinary least-squares line
    y = np.array([[3.0, 4.1, 4.8, 6.2, 6.9, 8.4]])
    rows = {7: np.array([1.0, 7.0])}
    design = trend_design(6)
    fit = fit_design(y, design, method="ols", contrasts=predictions(design, last=5, new_rows=rows))
    frame = sm.OLS(y[0], design.matrix).fit().get_prediction(np.array([[1.0, 7.0]])).summary_frame(0.05)
    assert fit.estimate[0, 0] == pytest.approx(frame["mean"].iloc[0])
    assert fit.conf_low[0, 0] == pytest.approx(frame["obs_ci_lower"].iloc[0])
    assert fit.conf_high[0, 0] == pytest.approx(frame["obs_ci_upper"].iloc[0])


def test_forecast_intervals_contain_the_next_value_as_often_as_they_say() -> None:
    series, last = simulate_series(n_series=1500, n_pre=12, n_post=2, rho=0.4, seed=21), 11
    design = trend_design(12)
    asked = predictions(design, last=last, new_rows={13: np.array([1.0, 13.0])})
    fit = fit_design(series[:, :12], design, contrasts=asked)
    covered = np.mean((fit.conf_low[:, 0] <= series[:, 13]) & (series[:, 13] <= fit.conf_high[:, 0]))
    assert (
        0.93 <= covered <= 0.985
    )  # 95 % with a Monte-Carlo error of 0.6 points; integrating errs on the wide side


def test_a_ratio_without_noise_in_its_bottom_is_the_top_divided() -> None:
    y = simulate_series(n_series=3, n_pre=8, n_post=8, rho=0.2, seed=5, level_change=2.0) + 1e6
    design = segmented_design(16, start=8)
    top, bottom = np.array([0.0, 0, 1, 0]), np.array([1.0, 0, 0, 0])
    ratio, low, high = ratio_interval(y, design, top=top, bottom=bottom)
    level = fit_arrays(y, start=8)
    np.testing.assert_allclose(ratio, level.estimate[:, LEVEL] / 1e6, rtol=1e-4)
    np.testing.assert_allclose(low, level.conf_low[:, LEVEL] / 1e6, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(high, level.conf_high[:, LEVEL] / 1e6, rtol=1e-3, atol=1e-9)


def test_a_ratio_over_something_that_may_be_zero_says_nothing() -> None:
    y = simulate_series(n_series=1, n_pre=8, n_post=8, rho=0.2, seed=5)
    design = segmented_design(16, start=8)
    found = ratio_interval(y, design, top=np.array([0.0, 0, 1, 0]), bottom=np.array([1.0, 0, 0, 0]))
    assert all(np.isnan(part[0]) for part in found)


def test_a_contrast_is_the_sum_of_its_parts() -> None:
    y = simulate_series(n_series=2, n_pre=7, n_post=6, rho=0.3, seed=6)
    design = segmented_design(13, start=7)
    after = means(["post_trend"], np.array([[0.0, 1, 0, 1]]))
    assert isinstance(after, Contrasts)
    whole = fit_design(y, design, contrasts=after)
    parts = fit_design(y, design, contrasts=coefficients(design))
    np.testing.assert_allclose(whole.estimate[:, 0], parts.estimate[:, 1] + parts.estimate[:, 3], rtol=1e-9)


@pytest.mark.parametrize("method", ["integrated", "network", "reml", "prais", "ols"])
def test_estimates_are_unbiased(method: str) -> None:
    y = simulate_series(
        n_series=1000, n_pre=10, n_post=8, rho=0.4, seed=77, level_change=2.0, slope_change=-0.5, trend=0.3
    )
    fit = fit_arrays(y, start=10, method=method)
    bias = fit.estimate[:, LEVEL:].mean(axis=0) - [2.0, -0.5]
    error = fit.estimate[:, LEVEL:].std(axis=0) / np.sqrt(1000)
    assert np.all(np.abs(bias) <= 3.5 * error)


def test_a_family_teaches_a_short_series_its_autocorrelation() -> None:
    y = simulate_series(n_series=60, n_pre=6, n_post=6, rho=0.6, seed=13)
    alone, family = fit_arrays(y, start=6), fit_arrays(y, start=6, method="network")
    assert abs(family.rho.mean() - 0.6) < abs(alone.rho.mean() - 0.6)
    assert family.rho.std() < alone.rho.std()
