"""Gaps over ordered levels: the reference numbers of R HETOP, analysis, and refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.equity.ordinal import hetop, probit_gap, v_gap
from evalkit.errors import DataError, DesignError, ParameterError

# golden/equity/hetop_counts.csv and golden_hetop.csv: R HETOP 0.2-6.
COUNTS = pd.DataFrame(
    [[120, 240, 310, 130], [210, 260, 180, 50], [45, 60, 40, 15], [8, 22, 35, 25], [14, 9, 5, 0]],
    index=list("ABCDE"),
)
HETOP = {
    "fixed": (
        [0.108642139123301, -0.451392284076758, -0.38572031839974, 0.478084857976875, -0.976709960298092],
        [1.05203583664216, 1.06158022703116, 1.10363211960707, 1.10017864402246, 0.947282834546886],
    ),
    "zero": (
        [0.248224695186078, -0.279615493236384, -0.217718757426901, 0.596429566623625, -0.7747346675434],
        [0.991558324338948, 1.00055404426724, 1.04018853454366, 1.03693358604804, 0.892827171264746],
    ),
    "star": (
        [0.237637029274222, -0.267688898165147, -0.208432278236535, 0.570989724763289, -0.741689479093744],
        [0.949264835923743, 0.957876856409211, 0.995820794739068, 0.992704681371051, 0.854744917606252],
    ),
}
# golden_V_from_counts.csv: binormal maximum likelihood on the same counts.
V = {
    "AB": 0.5297963148046452, "AC": 0.45801601571051903, "AD": -0.34424333557837605, "AE": 1.081945687860835,
    "BC": -0.060459458455141064, "BD": -0.8595789269659133, "BE": 0.5239752193367808,
    "CD": -0.7841368218295721, "CE": 0.5790028196261839, "DE": 1.416037469133153,
}  # fmt: skip


@pytest.mark.parametrize("scale", HETOP)
def test_means_and_spreads_match_r_hetop(scale):
    found = hetop(COUNTS, scale=scale)
    np.testing.assert_allclose(found["mean"], HETOP[scale][0], atol=1e-6)
    np.testing.assert_allclose(found["std_dev"], HETOP[scale][1], atol=1e-6)


@pytest.mark.parametrize("pair", V)
def test_v_matches_binormal_maximum_likelihood(pair):
    gap = v_gap(COUNTS.loc[pair[0]], COUNTS.loc[pair[1]])
    assert gap.estimate == pytest.approx(V[pair], abs=1e-5)
    turned = v_gap(COUNTS.loc[pair[1]], COUNTS.loc[pair[0]])
    assert (turned.estimate, turned.conf_low) == pytest.approx((-gap.estimate, -gap.conf_high), abs=1e-4)


def test_v_of_two_known_normal_distributions_is_the_analytic_value():
    # equity.md: N(0, 1) against N(−.8, 1.2²) has V = .72428597 = .8 / √((1 + 1.44) / 2).
    cuts = np.array([-np.inf, -1.2, -0.3, 0.6, np.inf])
    first, second = (1e7 * np.diff(stats.norm.cdf(cuts, mean, sd)) for mean, sd in ((0, 1), (-0.8, 1.2)))
    assert v_gap(first, second).estimate == pytest.approx(0.72428597, abs=1e-6)


def test_v_keeps_still_where_percent_proficient_moves_with_the_cut():
    # equity.md: an equal gain of .3 s.d. in both groups moves the gap in percent −5.2 or +5.2 points.
    cuts = np.array([-np.inf, -0.8, 0.2, 1.0, np.inf])
    gaps = [
        v_gap(*(1e6 * np.diff(stats.norm.cdf(cuts, mean + gain, 1)) for mean in (0.4, -0.4))).estimate
        for gain in (0, 0.3)
    ]
    assert gaps == pytest.approx([0.8, 0.8], abs=1e-6)


def test_the_interval_of_v_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    cuts = np.array([-np.inf, -1.0, 0.0, 1.0, np.inf])
    held = 0
    for _ in range(300):
        first, second = (
            rng.multinomial(n, np.diff(stats.norm.cdf(cuts, mean, sd)))
            for n, mean, sd in ((150, 0, 1), (80, -0.8, 1.2))
        )
        gap = v_gap(first, second)
        held += gap.conf_low <= 0.72428597 <= gap.conf_high
    assert 0.92 <= held / 300 <= 0.98


def test_a_group_with_few_levels_takes_the_others_spread_and_a_group_at_one_end_has_no_mean():
    counts = pd.DataFrame([[10, 20, 30, 20], [5, 10, 20, 30], [0, 5, 7, 0], [0, 0, 0, 6]], index=list("abcd"))
    found = hetop(counts, scale="fixed")
    weighted = np.exp((80 * np.log(found.loc["a", "std_dev"]) + 65 * np.log(found.loc["b", "std_dev"])) / 145)
    assert found.loc["c", "std_dev"] == pytest.approx(weighted)
    assert found.loc["c", "note"].startswith("fewer than 3 filled levels")
    assert np.isnan(found.loc["d", "mean"])
    assert found.loc["d", "note"].startswith("all persons in the lowest or highest level")
    assert list(found.index) == list("abcd")


def test_the_star_scale_has_mean_nothing_and_standard_deviation_one():
    found = hetop(COUNTS)
    weight = found["n"] / found["n"].sum()
    assert (weight * found["mean"]).sum() == pytest.approx(0, abs=1e-12)
    assert (weight * (found["mean"] ** 2 + found["std_dev"] ** 2)).sum() == pytest.approx(1)


def test_the_probit_gap_is_the_difference_of_normal_quantiles():
    gap, low, high = probit_gap(84, 100, 50, 100)
    assert gap == pytest.approx(stats.norm.ppf(0.84))
    assert low < gap < high
    turned = probit_gap(50, 100, 84, 100)
    assert [float(part) for part in turned] == pytest.approx([-gap, -high, -low])


def test_a_probit_gap_of_a_full_group_is_endless_and_still_has_its_lower_end():
    gap, low, high = probit_gap([20, 20], 20, [5, 20], 20)
    assert np.isposinf(gap[0])
    assert np.isposinf(high[0])
    assert 0 < low[0] < 3
    assert np.isnan(gap[1])


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: v_gap([1, 2, 0], [3, 4, 0]), DesignError, "fewer than 3 levels"),
        (lambda: v_gap([1, 2, 0], [3, 4, 5]), DesignError, "V needs at least 3"),
        (lambda: v_gap([1, 2, -1], [3, 4, 5]), DataError, "not negative"),
        (lambda: hetop(COUNTS * 0), DataError, "nobody is counted in A, B"),
        (lambda: hetop(COUNTS, scale="z"), ParameterError, "use 'star' or 'zero' or 'fixed'"),
    ],
)
def test_what_cannot_be_fitted_is_one_clear_sentence(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
