"""Pooling against metafor (R) on the BCG vaccine trials, and by hand."""

import numpy as np
import pytest

from evalkit.errors import DesignError
from evalkit.synthesis.pooling import pool_random_effects

# Colditz et al. (1994): cases and non-cases among vaccinated, then among controls (R metafor's dat.bcg).
BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=float,
)


@pytest.fixture(scope="module")
def log_risk_ratios():
    cases, others, control_cases, control_others = BCG.T
    treated, controls = cases + others, control_cases + control_others
    estimate = np.log(cases / treated) - np.log(control_cases / controls)
    return estimate, np.sqrt(1 / cases - 1 / treated + 1 / control_cases - 1 / controls)


def test_reml_average_and_spread_match_metafor(log_risk_ratios):
    pool = pool_random_effects(*log_risk_ratios)
    assert pool.k == 13
    assert pool.tau2 == pytest.approx(0.313243, abs=5e-7)
    assert pool.mu == pytest.approx(-0.714532, abs=5e-7)
    assert pool.se == pytest.approx(0.179782, abs=5e-7)
    assert np.exp(pool.mu) == pytest.approx(0.4894, abs=5e-5)
    assert pool.q == pytest.approx(152.2330, abs=5e-5)
    assert pool.i2 == pytest.approx(92.2214, abs=5e-5)


def test_hartung_knapp_and_prediction_intervals_match_metafor(log_risk_ratios):
    pool = pool_random_effects(*log_risk_ratios)
    assert (pool.conf_low, pool.conf_high) == pytest.approx((-1.108444, -0.320621), abs=1e-6)
    assert (pool.predict_low, pool.predict_high) == pytest.approx((-1.996017, 0.566952), abs=1e-6)


def test_profile_interval_of_the_spread_matches_metafor(log_risk_ratios):
    pool = pool_random_effects(*log_risk_ratios)
    assert (pool.tau2_low, pool.tau2_high) == pytest.approx((0.1197, 1.1115), abs=5e-5)


def test_dersimonian_laird_matches_metafor(log_risk_ratios):
    assert pool_random_effects(*log_risk_ratios, method="dl").tau2 == pytest.approx(0.308760, abs=5e-7)


def test_paule_mandel_matches_metafor_and_statsmodels(log_risk_ratios):
    from statsmodels.stats.meta_analysis import combine_effects

    tau2 = pool_random_effects(*log_risk_ratios, method="pm").tau2
    # metafor prints .318094: it stops its root search at a tolerance of 1e-4, statsmodels' is finer.
    assert tau2 == pytest.approx(0.318094, abs=5e-5)
    estimate, std_error = log_risk_ratios
    other = combine_effects(estimate, std_error**2, method_re="iterated", atol=1e-12)
    assert tau2 == pytest.approx(other.tau2, abs=1e-8)


def test_equal_sites_pool_to_the_inverse_variance_average_and_the_interval_is_not_below_wald():
    # By hand: weights 1/1 and 1/4 of two estimates 4 and 4: mu 4, s.e. sqrt(1/1.25) = .894427; spread none.
    pool = pool_random_effects([4.0, 4.0], [1.0, 2.0])
    assert pool.tau2 == 0
    assert pool.mu == pytest.approx(4.0)
    assert pool.se == pytest.approx(0.894427, abs=1e-6)
    assert pool.se_hk == pool.se
    # t of one degree of freedom at .975 is 12.7062.
    assert pool.conf_high - pool.mu == pytest.approx(12.7062 * 0.894427, abs=1e-3)
    assert np.isnan(pool.predict_low)


def test_one_site_is_not_pooled():
    with pytest.raises(DesignError, match="the site stands alone"):
        pool_random_effects([3.0], [1.0])


@pytest.mark.parametrize("std_errors", [(1.0, 0.0), (1.0, np.nan), (1.0, np.inf)])
def test_a_site_without_a_usable_standard_error_is_refused(std_errors):
    with pytest.raises(DesignError, match="leave that site out"):
        pool_random_effects([1.0, 2.0], std_errors)


def test_the_spread_scales_with_the_square_of_the_unit(log_risk_ratios):
    estimate, std_error = log_risk_ratios
    assert pool_random_effects(100 * estimate, 100 * std_error).tau2 == pytest.approx(3132.43, abs=0.005)


def test_five_sites_cover_the_true_average_as_published():
    # Hartung-Knapp with the larger s.e. covers 94 to 99 percent at five sites; m.c. s.e. of 600 draws is .9.
    random = np.random.default_rng(20260)
    covered = 0
    for _ in range(600):
        std_error = random.uniform(1, 3, 5)
        pool = pool_random_effects(random.normal(2.0, 1.5, 5) + random.normal(0, std_error), std_error)
        covered += pool.conf_low <= 2.0 <= pool.conf_high
    assert 0.925 <= covered / 600 <= 1.0
