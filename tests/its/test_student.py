import numpy as np
import pytest
from scipy import stats

from evalkit.its import student

FAR = np.linspace(-60, 60, 40_001)


@pytest.mark.parametrize("df", [1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 20.0, 44.0, 136.0, 2000.0, np.inf])
def test_the_table_is_the_t_distribution_of_scipy(df: float) -> None:
    area, density = student.both(FAR, df)
    law = stats.norm() if np.isinf(df) else stats.t(df)
    np.testing.assert_allclose(area, law.cdf(FAR), atol=1e-9)
    np.testing.assert_allclose(density, law.pdf(FAR), atol=1e-8)


def test_nothing_known_stays_unknown_beside_what_is() -> None:
    area = student.below(np.array([np.nan, 0.0]), 8.0)
    assert np.isnan(area[0])
    assert area[1] == pytest.approx(0.5)


def test_endless_degrees_of_freedom_give_normal_quantiles() -> None:
    # R: qnorm(.975), qt(.975, 5)
    found = student.quantile(np.array([np.inf, 5.0]), 0.975)
    np.testing.assert_allclose(found, [1.959963984540054, 2.570581835636314], rtol=1e-12)
