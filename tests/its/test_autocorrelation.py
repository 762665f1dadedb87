import numpy as np
import pytest
import statsmodels.api as sm

from evalkit.its.autocorrelation import given_each, given_grid, likeliest_rho, rho_grid
from evalkit.its.design import segmented_design
from evalkit.its.moments import moments


def dense_correlation(rows: np.ndarray, rho: float) -> np.ndarray:
    """The textbook AR(1) correlation matrix of the observed periods."""
    return rho ** np.abs(rows[:, None] - rows[None, :])


@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.5, 0.95])
@pytest.mark.parametrize("missing", [[], [3], [3, 4, 9], [0, 13]])
def test_a_series_with_gaps_is_fitted_as_statsmodels_gls_fits_it(rho: float, missing: list[int]) -> None:
    y = np.random.default_rng(3).normal(size=(2, 14))
    y[:, missing] = np.nan
    design = segmented_design(14, start=7)
    (reduced,), unfit = moments(y, design.matrix)
    fitted = given_grid(reduced, np.array([rho]))
    rows = np.flatnonzero(np.isfinite(y[0]))
    assert unfit.size == 0
    for series in range(2):
        reference = sm.GLS(
            y[series, rows], design.matrix[rows], sigma=dense_correlation(rows.astype(float), rho)
        ).fit()
        own = reduced.basis @ fitted.coefficient[0, series]
        spread = np.sqrt(
            np.diag(reduced.basis @ fitted.covariance[0, 0] @ reduced.basis.T) * fitted.innovation[0, series]
        )
        np.testing.assert_allclose(own, reference.params, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(spread, reference.bse, rtol=1e-8)


def test_the_restricted_likelihood_is_the_textbook_one_but_for_a_constant() -> None:
    y = np.random.default_rng(5).normal(size=(1, 16)).cumsum(axis=1)
    y[0, [4, 5, 11]] = np.nan
    design = segmented_design(16, start=8).matrix
    (reduced,), _ = moments(y, design)
    rho = np.array([-0.5, 0.1, 0.6, 0.9])
    rows = np.flatnonzero(np.isfinite(y[0]))
    x, seen = design[rows], y[0, rows]
    expected = []
    for value in rho:
        r = dense_correlation(rows.astype(float), value)
        inverse = np.linalg.inv(r)
        information = x.T @ inverse @ x
        error = seen - x @ np.linalg.solve(information, x.T @ inverse @ seen)
        variance = error @ inverse @ error / (len(rows) - 4)
        expected.append(
            -0.5 * np.linalg.slogdet(r)[1]
            - 0.5 * np.linalg.slogdet(information)[1]
            - 0.5 * (len(rows) - 4) * np.log(variance)
        )
    found = given_grid(reduced, rho).log_restricted[:, 0]
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-9)


def test_each_series_at_its_own_rho_agrees_with_the_grid() -> None:
    y = np.random.default_rng(6).normal(size=(3, 20))
    (reduced,), _ = moments(y, segmented_design(20, start=9).matrix)
    rho = np.array([-0.2, 0.3, 0.8])
    grid, each = given_grid(reduced, rho), given_each(reduced, rho)
    for place in range(3):
        np.testing.assert_allclose(each.coefficient[0, place], grid.coefficient[place, place], rtol=1e-10)
        np.testing.assert_allclose(each.innovation[0, place], grid.innovation[place, place], rtol=1e-10)


def test_the_likeliest_rho_is_higher_than_every_point_of_a_fine_grid() -> None:
    y = np.random.default_rng(8).normal(size=(5, 40))
    (reduced,), _ = moments(y, segmented_design(40, start=20).matrix)
    best = likeliest_rho(reduced)
    top = given_each(reduced, best).log_restricted[0]
    fine = given_grid(reduced, np.linspace(-0.98, 0.999, 2001)).log_restricted
    assert np.all(top >= fine.max(axis=0) - 1e-9)


def test_series_with_too_few_periods_are_set_aside() -> None:
    y = np.ones((2, 10))
    y[0, 5:] = np.nan
    _, unfit = moments(y, segmented_design(10, start=5).matrix)
    assert unfit.tolist() == [0]


@pytest.mark.parametrize("n", [6, 12, 48, 140])
def test_the_integration_rule_integrates_the_prior(n: int) -> None:
    # the integral of 1 + rho over (a, b) is (b - a) + (b² - a²) / 2
    rho, log_share = rho_grid(n)
    low, high = -0.9925, 0.9975
    total = np.sum((1 + rho) * np.exp(log_share)) * (high - low) / 2
    assert total == pytest.approx((high - low) + (high**2 - low**2) / 2, rel=1e-12)
