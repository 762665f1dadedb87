import numpy as np
import pytest

from evalkit.errors import DesignError
from evalkit.its import quasi_poisson

CLOCK = np.arange(24.0)
POST = (CLOCK >= 12).astype(float)
EXPOSURE = 5000 + 10 * CLOCK


@pytest.mark.filterwarnings("ignore:Perfect separation")
def test_counts_without_noise_give_back_their_rate_ratios() -> None:
    rate = np.exp(-3 + 0.01 * CLOCK - 0.25 * POST + 0.02 * POST * (CLOCK - 12))
    frame = quasi_poisson(rate * EXPOSURE, start=12, exposure=EXPOSURE).set_index("term")
    np.testing.assert_allclose(frame["estimate"], [-3, 0.01, -0.25, 0.02], atol=1e-8)
    assert frame.loc["level_change", "ratio"] == pytest.approx(np.exp(-0.25))


def test_the_standard_error_is_newey_and_wests_worked_out_by_hand() -> None:
    rng = np.random.default_rng(4)
    counts = rng.negative_binomial(20, 20 / (20 + 250), 24).astype(float)
    frame = quasi_poisson(counts, start=12, exposure=EXPOSURE)
    x = np.stack([np.ones(24), CLOCK, POST, POST * (CLOCK - 12)], axis=1)
    mean = EXPOSURE * np.exp(x @ frame["estimate"].to_numpy())
    np.testing.assert_allclose(x.T @ (counts - mean), 0, atol=1e-4)
    score = (counts - mean)[:, None] * x
    meat = score.T @ score + 0.5 * (score[1:].T @ score[:-1] + score[:-1].T @ score[1:])
    bread = np.linalg.inv(x.T @ (mean[:, None] * x))
    expected = np.sqrt(np.diag(bread @ meat @ bread) * 24 / 20)
    np.testing.assert_allclose(frame["std_error"], expected, rtol=1e-5)
    pearson = np.sum((counts - mean) ** 2 / mean) / 20
    assert frame["dispersion"].iloc[0] == pytest.approx(pearson, rel=1e-6)


@pytest.mark.parametrize(
    ("counts", "start", "exposure", "reason"),
    [
        (np.ones(8), 3, np.ones(8), "at least 4 and 2"),
        (np.ones(8), 7, np.ones(8), "at least 4 and 2"),
        (np.ones(8), 4, np.zeros(8), "exposure above 0"),
        (np.r_[np.ones(4), np.zeros(4)], 4, np.ones(8), "no counts on one side"),
    ],
)
def test_counts_that_cannot_answer_are_refused(counts, start, exposure, reason) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DesignError, match=reason):
        quasi_poisson(counts, start=start, exposure=exposure)
