import numpy as np
import pytest
from scipy import stats

from evalkit.its.mixture import TMixture


def test_a_mixture_of_one_is_a_t_distribution() -> None:
    one = TMixture(np.array([[2.0]]), np.array([[3.0]]), np.array([[1.0]]), np.array([5.0]))
    # R: 2 + 3 * qt(.975, 5)
    assert one.quantile(0.975)[0] == pytest.approx(2 + 3 * 2.570581835636314, rel=1e-10)
    assert one.standard_error()[0] == pytest.approx(3.0)


@pytest.mark.parametrize("probability", [0.001, 0.025, 0.5, 0.9, 0.999])
def test_a_quantile_has_its_probability_below_it(probability: float) -> None:
    rng = np.random.default_rng(11)
    weight = rng.dirichlet(np.ones(6) * 0.3, size=40).T
    location, spread = rng.normal(0, 5, (6, 40)), rng.lognormal(0, 1.5, (6, 40))
    df = rng.integers(1, 60, 40).astype(float)
    value = TMixture(location, spread, weight, df).quantile(probability)
    expected = (weight * stats.t.cdf(value, df, location, spread)).sum(axis=0)
    np.testing.assert_allclose(expected, probability, atol=1e-8)


def test_the_two_sided_area_of_a_centered_mixture_is_one() -> None:
    even = TMixture(np.zeros((2, 1)), np.ones((2, 1)), np.full((2, 1), 0.5), np.array([4.0]))
    assert even.two_sided()[0] == pytest.approx(1.0)
