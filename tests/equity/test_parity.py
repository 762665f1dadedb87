"""Children to parity, the trend of a gap, and when, if ever, it may close."""

import math

import numpy as np
import pytest

from evalkit.equity import additional_to_parity, expected_range, gap_trend, parity_words

# golden/equity/golden_gap_trend.csv: n and k of groups A and B, 2016 to 2023; children to parity by hand.
N_A = np.array([210, 205, 214, 220, 216, 208, 203, 211])
K_A = np.array([118, 117, 125, 127, 128, 121, 122, 128])
N_B = np.array([96, 101, 95, 104, 99, 92, 97, 103])
K_B = np.array([33, 37, 36, 41, 42, 38, 43, 48])
CHILDREN = [21, 21, 20, 20, 17, 16, 16, 15]
CLOCK = np.arange(-7, 1)


def trend(gaps, errors, clock=CLOCK):
    fit = gap_trend(clock, gaps, errors, conf_level=0.95)
    assert fit is not None
    return fit


def golden_trend():
    p_a, p_b = K_A / N_A, K_B / N_B
    errors = 100 * np.sqrt(p_a * (1 - p_a) / N_A + p_b * (1 - p_b) / N_B)
    return trend(100 * (p_a - p_b), errors)


def test_children_to_parity_match_the_reference_numbers():
    assert additional_to_parity(K_B, N_B, K_A / N_A, favourable="higher").tolist() == CHILDREN


def test_parity_of_an_unfavourable_outcome_takes_fewer_and_never_less_than_none():
    # 30 of 60 against a quarter: 15 too many; 10 of 60 is already better.
    assert additional_to_parity([30, 10], 60, 0.25, favourable="lower").tolist() == [15, 0]
    assert additional_to_parity(30, 60, 0.5, favourable="higher") == 0


def test_whole_persons_are_not_pushed_up_by_rounding_error():
    # 0.1 + 0.2 is a little above 0.3; 10 * 0.3 is 3 all the same.
    assert additional_to_parity(0, 10, 0.1 + 0.2, favourable="higher") == 3


def test_the_trend_matches_the_reference_numbers():
    # golden_gap_trend_fit.csv: weighted least squares and Fieller by hand.
    fit = golden_trend()
    assert fit.level == pytest.approx(14.311856832253602, abs=1e-6)
    assert fit.slope == pytest.approx(-1.072977957437899, abs=1e-6)
    assert fit.slope_error == pytest.approx(0.9224169847524157, abs=1e-6)
    assert fit.level_error == pytest.approx(3.88792121296456, abs=1e-6)
    assert fit.parity == pytest.approx(13.338444404233655, abs=1e-5)
    assert fit.fieller == "outside"
    assert fit.parity_low == pytest.approx(-27.906737155070093, abs=1e-4)
    assert fit.parity_high == pytest.approx(2.4839077433964003, abs=1e-5)


def test_parity_is_said_as_a_set_and_not_as_a_date():
    assert parity_words(golden_trend()) == "parity not before 2.5 years from now; consistent with never"


def test_a_sure_trend_gives_a_span():
    fit = trend(np.linspace(24, 10, 8), np.full(8, 0.5))  # 2 points a year, 10 left: 5 years
    assert fit.fieller == "interval"
    assert fit.parity == pytest.approx(5)
    assert fit.parity_low < 5 < fit.parity_high
    assert parity_words(fit).endswith("years from now, if the trend goes on")


def test_a_trend_that_crossed_parity_says_so():
    fit = trend(np.linspace(14, -7, 8), np.full(8, 0.5))
    assert parity_words(fit).startswith("the line passed parity")


def test_noise_is_consistent_with_anything():
    fit = trend([1.0, -2, 0.5, 1, -1, 0.2, -0.5, 0.3], np.full(8, 6.0))
    assert parity_words(fit) in {
        "the data are consistent with parity at any time, and with never",
        "parity now cannot be ruled out; consistent with never",
    }


def test_every_time_of_the_set_and_none_beside_it_is_consistent():
    fit = golden_trend()
    z = 1.959963984540054

    def consistent(t):
        variance = fit.level_error**2 + 2 * t * fit.covariance + t**2 * fit.slope_error**2
        return abs(fit.level + fit.slope * t) <= z * math.sqrt(variance)

    assert consistent(fit.parity_high + 1e-6)
    assert not consistent(fit.parity_high - 1e-6)
    assert consistent(fit.parity_low - 1e-6)
    assert not consistent(fit.parity_low + 1e-6)


def test_scatter_beyond_sampling_error_widens_the_interval():
    calm = trend([10.0, 9, 8, 7, 6, 5, 4, 3], np.full(8, 1.0))
    wild = trend([10.0, 14, 3, 12, 1, 10, -1, 3], np.full(8, 1.0))
    assert calm.slope_error == pytest.approx(1 / math.sqrt(42))  # sum of (t - mean)^2 over 8 periods is 42
    assert wild.slope_error > 2 * calm.slope_error


def test_fewer_than_three_gaps_have_no_trend():
    assert gap_trend([-1, 0], [3.0, 2.0], [1.0, 1.0], conf_level=0.95) is None
    assert gap_trend([-2, -1, 0], [3.0, np.nan, 2.0], [1.0, 1.0, 1.0], conf_level=0.95) is None


def test_the_slopes_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        p_a, p_b = np.full(8, 0.6), 0.4 + 0.01 * np.arange(8)
        a, b = rng.binomial(210, p_a) / 210, rng.binomial(100, p_b) / 100
        errors = np.sqrt(a * (1 - a) / 210 + b * (1 - b) / 100)
        fit = trend(a - b, errors)
        covered += fit.conf_low <= -0.01 <= fit.conf_high
    assert 0.93 <= covered / 400 <= 0.99  # widened where the scatter asks for it, so rather above 95


# equity.md: six truly equal groups of 30 show 23 points on average, of 15 32 points.
@pytest.mark.parametrize(("size", "points"), [(30, 23), (15, 32)])
def test_equal_groups_show_a_range_by_chance(size, points):
    assert round(100 * expected_range([size] * 6, 0.5)) == points


def test_the_range_by_chance_is_exact_where_it_can_be_worked_out_by_hand():
    # Two single persons differ with probability 2 p q, and then by 1.
    assert expected_range([1, 1], 0.3) == pytest.approx(0.42)
    # One person and two: |X - Y| has mean .25 (0 v .5) ... over the six pairs: .5.
    pairs = {(x, y): 0.5 * w for x in (0, 1) for y, w in ((0, 0.25), (0.5, 0.5), (1, 0.25))}
    by_hand = sum(weight * abs(x - y) for (x, y), weight in pairs.items())
    assert expected_range([1, 2], 0.5) == pytest.approx(by_hand)


def test_the_range_by_chance_agrees_with_simulation():
    rng = np.random.default_rng(5)
    sizes = np.array([12, 40, 75, 200])
    drawn = rng.binomial(sizes, 0.35, size=(40_000, 4)) / sizes
    assert expected_range(sizes, 0.35) == pytest.approx(np.ptp(drawn, axis=1).mean(), abs=0.002)


def test_one_group_has_no_range():
    assert math.isnan(expected_range([30], 0.5))
    assert expected_range([30, 40], 0.0) == 0
