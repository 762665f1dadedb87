"""Intervals of one and two proportions against other people's software, algebra and exact enumeration."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalkit.errors import DataError, ParameterError
from evalkit.intervals import one_proportion_interval, two_proportion_interval, two_proportion_p_value

Z = 1.959963984540054  # the normal quantile of a 95 % interval
GOLDEN = Path(__file__).resolve().parents[1].parent / "shared" / "golden" / "equity"

PAIRS = np.array([[56, 70, 48, 80], [9, 10, 3, 10], [6, 7, 2, 7], [5, 56, 0, 29]]).T
# R ratesci 1.0.0 (Newcombe as MOVER-Wilson, MN, Koopman, MN ratio) and R DescTools 0.99.59 (Katz), on PAIRS.
NEWCOMBE = [
    (0.0524314724023649, 0.333872654036906),
    (0.170522723934503, 0.809017973535488),
    (0.0582279274823123, 0.806249637524228),
    (-0.0381371479035369, 0.192560013855112),
]
MIETTINEN_NURMINEN = [
    (0.052829713094979, 0.338172940071672),
    (0.170025016181172, 0.840649544261396),
    (0.034175544977188, 0.853405260015278),
    (-0.032596562057734, 0.193330977112054),
]
KOOPMAN = [
    (1.07982150614665, 1.67080557829028),
    (1.353237193617, 8.46766868672003),
    (1.10264076241814, 10.6660263212063),
    (0.725688883544366, np.inf),
]
MIETTINEN_NURMINEN_RATIO = [
    (1.07904711939625, 1.67214535919733),
    (1.32795657343402, 8.69191494847804),
    (1.06368651998951, 11.147770893787),
    (0.717495077990504, np.inf),
]
KATZ = [
    (1.07662642276319, 1.65124851126639),
    (1.13835036, 7.90617751),
    (0.89484591, 10.05759754),
    (np.nan, np.nan),
]


@pytest.mark.parametrize(
    ("contrast", "method", "expected"),
    [
        ("difference", "newcombe", NEWCOMBE),
        ("difference", "miettinen-nurminen", MIETTINEN_NURMINEN),
        ("ratio", "koopman", KOOPMAN),
        ("ratio", "miettinen-nurminen", MIETTINEN_NURMINEN_RATIO),
        ("ratio", "katz", KATZ),
    ],
)
def test_two_proportion_intervals_match_r(contrast, method, expected):
    low, high = two_proportion_interval(*PAIRS, contrast=contrast, method=method)
    np.testing.assert_allclose(np.stack([low, high], axis=1), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference numbers do not lie beside this checkout")
def test_the_whole_golden_file_is_met_where_a_method_is_ours():
    ours = {
        ("diff", "MOVER-wilson=Newcombe"): ("difference", "newcombe"),
        ("diff", "newcomb"): ("difference", "newcombe"),
        ("diff", "mn"): ("difference", "miettinen-nurminen"),
        ("diff", "MN (skew=F,bcf=T)"): ("difference", "miettinen-nurminen"),
        ("ratio", "Koopman (skew=F,bcf=F)"): ("ratio", "koopman"),
        ("ratio", "riskscoreci(Koopman)"): ("ratio", "koopman"),
        ("ratio", "MN ratio (skew=F,bcf=T)"): ("ratio", "miettinen-nurminen"),
        ("ratio", "score"): ("ratio", "miettinen-nurminen"),
        ("ratio", "log"): ("ratio", "katz"),
    }
    compared = 0
    with (GOLDEN / "golden_two_proportion_ci.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["contrast"], row["method"]) not in ours or not row["lower"]:
                continue
            contrast, method = ours[row["contrast"], row["method"]]
            counts = [int(row[name]) for name in ("x1", "n1", "x2", "n2")]
            found = [float(end) for end in two_proportion_interval(*counts, contrast=contrast, method=method)]
            # PropCIs and DescTools stop their searches at about 1e-7.
            assert found == pytest.approx([float(row["lower"]), float(row["upper"])], abs=2e-7, rel=1e-7)
            compared += 1
    assert compared >= 30


@pytest.mark.parametrize(("method", "theirs"), [("wilson", "wilson"), ("clopper-pearson", "beta")])
@pytest.mark.parametrize("conf_level", [0.8, 0.95, 0.99])
def test_one_proportion_intervals_match_statsmodels(method, theirs, conf_level):
    n = np.array([1, 2, 7, 29, 148, 2000])[:, None]
    x = np.round(n * np.array([0, 0.03, 0.2, 0.5, 0.77, 1]))
    found = one_proportion_interval(x, n, method=method, conf_level=conf_level)
    expected = proportion_confint(x, np.broadcast_to(n, x.shape), alpha=1 - conf_level, method=theirs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_one_proportion_intervals_of_empty_and_single_cells_by_hand():
    # Wilson's ends solve (p − x/n)² = z² p (1 − p) / n; with x = 0 that leaves p = z² / (n + z²).
    low, high = one_proportion_interval([0, 1], [20, 1])
    assert high[0] == pytest.approx(Z**2 / (20 + Z**2))
    assert low[1] == pytest.approx(1 / (1 + Z**2))
    # Clopper and Pearson's end with x = 0 has (1 − p)^n = .025.
    _, high = one_proportion_interval(0, 20, method="clopper-pearson")
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_clopper_pearson_ends_have_exactly_the_stated_tail():
    low, high = one_proportion_interval(7, 31, method="clopper-pearson", conf_level=0.9)
    assert stats.binom.sf(6, 31, low) == pytest.approx(0.05)
    assert stats.binom.cdf(7, 31, high) == pytest.approx(0.05)


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_zero_and_full_cells_reach_exactly_the_end_of_the_scale(method):
    low, high = one_proportion_interval([0, 20], [20, 20], method=method)
    assert low[0] == 0
    assert high[1] == 1
    assert 0 < high[0] < 0.2
    assert 0.8 < low[1] < 1
    assert high[0] == pytest.approx(1 - low[1])


def test_two_empty_cells_give_the_interval_that_algebra_gives():
    # With x1 = x2 = 0 the constrained share of the second group is 0, so d / sqrt(d (1 - d) k / n1) = z.
    low, high = two_proportion_interval(0, 12, 0, 30, method="miettinen-nurminen")
    correction = 42 / 41
    assert high == pytest.approx(Z**2 * correction / (12 + Z**2 * correction))
    assert low == pytest.approx(-(Z**2) * correction / (30 + Z**2 * correction))
    assert two_proportion_interval(0, 12, 0, 30, contrast="ratio") == (0, np.inf)


def test_two_full_cells_give_the_ratio_interval_that_algebra_gives():
    # With both full and a ratio below 1 the second share stays 1, so sqrt(n1 (1 - r) / r) = z.
    low, high = two_proportion_interval(12, 12, 30, 30, contrast="ratio")
    assert low == pytest.approx(12 / (12 + Z**2))
    assert high == pytest.approx((30 + Z**2) / 30)


@pytest.mark.parametrize(
    "counts", [(12, 12, 0, 30), (0, 12, 30, 30), (0, 12, 0, 30), (12, 12, 30, 30), (0, 1, 1, 1)]
)
def test_every_corner_gives_an_interval_around_the_observed_contrast(counts):
    x1, n1, x2, n2 = counts
    for method in ("newcombe", "miettinen-nurminen"):
        low, high = two_proportion_interval(*counts, method=method)
        assert -1 <= low <= x1 / n1 - x2 / n2 <= high <= 1
        assert low < high
    low, high = two_proportion_interval(*counts, contrast="ratio")
    assert 0 <= low < high
    assert np.isinf(high) == (x2 == 0)
    assert (low == 0) == (x1 == 0)


def test_katz_is_absent_where_it_is_not_defined():
    low, high = two_proportion_interval([0, 3, 12], 12, [4, 0, 30], 30, contrast="ratio", method="katz")
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_an_empty_or_absent_group_gives_nan_and_leaves_the_others_alone():
    low, high = two_proportion_interval([56, 0, np.nan], [70, 0, 10], 48, 80)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, True]
    assert low[0] == pytest.approx(0.0524314724)
    assert np.isnan(one_proportion_interval(0, 0)).all()
    assert np.isnan(two_proportion_p_value(0, 0, 1, 4))


def test_shapes_broadcast_and_are_kept():
    low, high = two_proportion_interval(np.arange(3)[:, None], 5, np.arange(4)[None, :], 8)
    assert low.shape == high.shape == (3, 4)
    assert one_proportion_interval(3, 9)[0].shape == ()


@pytest.mark.parametrize(
    ("method", "expected"),
    [("newcombe", 0.957), ("miettinen-nurminen", 0.962)],
)
def test_exact_coverage_with_a_small_and_a_large_group(method, expected):
    first, second = np.arange(13)[:, None], np.arange(201)[None, :]
    weight = stats.binom.pmf(first, 12, 0.9) * stats.binom.pmf(second, 200, 0.6)
    low, high = two_proportion_interval(first, 12, second, 200, method=method)
    assert weight[(low <= 0.3) & (high >= 0.3)].sum() == pytest.approx(expected, abs=6e-4)


SCENES = [(10, 0.5, 30, 0.3), (10, 0.3, 30, 0.3), (20, 0.05, 20, 0.05)]


def exact_coverage(n1, p1, n2, p2, covers):
    """Sum the probabilities of all tables whose interval holds the true difference."""
    first, second = stats.binom.pmf(np.arange(n1 + 1), n1, p1), stats.binom.pmf(np.arange(n2 + 1), n2, p2)
    tables = itertools.product(range(n1 + 1), range(n2 + 1))
    weights = {table: first[table[0]] * second[table[1]] for table in tables}
    # Together the tables left out weigh less than 1e-9.
    return sum(weight for table, weight in weights.items() if weight > 1e-12 and covers(*table))


@pytest.mark.parametrize("scene", SCENES)
def test_exact_coverage_of_newcombe_is_that_of_statsmodels_interval(scene):
    n1, p1, n2, p2 = scene

    def ours(x1, x2):
        low, high = two_proportion_interval(x1, n1, x2, n2)
        return low <= p1 - p2 + 1e-12 and p1 - p2 - 1e-12 <= high

    def theirs(x1, x2):
        low, high = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb")
        return low <= p1 - p2 + 1e-12 and p1 - p2 - 1e-12 <= high

    found = exact_coverage(*scene, ours)
    assert found == pytest.approx(exact_coverage(*scene, theirs), abs=1e-12)
    assert found > 0.945


@pytest.mark.parametrize("scene", SCENES)
def test_exact_coverage_of_miettinen_and_nurminen_is_that_of_the_score_test(scene):
    n1, p1, n2, p2 = scene
    true = p1 - p2

    def ours(x1, x2):
        low, high = two_proportion_interval(x1, n1, x2, n2, method="miettinen-nurminen")
        return low <= true + 1e-9 and true - 1e-9 <= high

    def accepted(x1, x2):
        """Find the constrained maximum by searching the likelihood, then test the true difference."""

        def loss(share):
            own, other = share + true, share
            first = special.xlogy(x1, own) + special.xlogy(n1 - x1, 1 - own)
            return -first - special.xlogy(x2, other) - special.xlogy(n2 - x2, 1 - other)

        ends = (max(0, -true), min(1, 1 - true))
        share = optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-10}).x
        variance = (share + true) * (1 - share - true) / n1 + share * (1 - share) / n2
        variance *= (n1 + n2) / (n1 + n2 - 1)
        return (x1 / n1 - x2 / n2 - true) ** 2 <= Z**2 * variance + 1e-9

    found = exact_coverage(*scene, ours)
    assert found == pytest.approx(exact_coverage(*scene, accepted), abs=1e-9)
    assert found > 0.945


def test_at_small_rates_both_intervals_hold_the_truth_more_often_than_they_say():
    # 20 against 20 at .05 has so few tables that both are cautious: 99.8 and 98.8 %.
    first, second = np.arange(21)[:, None], np.arange(21)[None, :]
    weight = stats.binom.pmf(first, 20, 0.05) * stats.binom.pmf(second, 20, 0.05)
    for method, expected in (("newcombe", 0.998), ("miettinen-nurminen", 0.988)):
        low, high = two_proportion_interval(first, 20, second, 20, method=method)
        assert weight[(low <= 0) & (high >= 0)].sum() == pytest.approx(expected, abs=6e-4)


@given(
    n1=st.integers(1, 400), n2=st.integers(1, 400), share1=st.floats(0, 1), share2=st.floats(0, 1),
    method=st.sampled_from(["newcombe", "miettinen-nurminen"]),
)  # fmt: skip
def test_swapping_the_groups_turns_the_difference_round(n1, n2, share1, share2, method):
    x1, x2 = round(share1 * n1), round(share2 * n2)
    low, high = two_proportion_interval(x1, n1, x2, n2, method=method)
    other_low, other_high = two_proportion_interval(x2, n2, x1, n1, method=method)
    assert (low, high) == pytest.approx((-other_high, -other_low), abs=1e-7)
    assert low - 1e-9 <= x1 / n1 - x2 / n2 <= high + 1e-9


@given(n1=st.integers(1, 400), n2=st.integers(1, 400), share1=st.floats(0, 1), share2=st.floats(0, 1))
def test_swapping_the_groups_turns_the_ratio_round(n1, n2, share1, share2):
    x1, x2 = max(1, round(share1 * n1)), max(1, round(share2 * n2))
    low, high = two_proportion_interval(x1, n1, x2, n2, contrast="ratio")
    other_low, other_high = two_proportion_interval(x2, n2, x1, n1, contrast="ratio")
    assert (low, high) == pytest.approx((1 / other_high, 1 / other_low), rel=1e-7)


def test_the_score_test_is_the_uncorrected_chi_squared_test():
    table = np.array([[56, 14], [48, 32]])
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert two_proportion_p_value(56, 70, 48, 80) == pytest.approx(expected, rel=1e-12)
    assert two_proportion_p_value([0, 5], 5, [0, 9], 9).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((11, 10, 3, 10), "counts more persons than its total (11 of 10 at position 0; 1 in all)"),
        ((3, 10, -1, 10), "is negative (-1 of 10 at position 0; 1 in all)"),
        ((3, np.inf, 1, 10), "is endless"),
        ((0, 0.5, 1, 10), "has a total below one person"),
    ],
)
def test_impossible_counts_are_one_clear_sentence(counts, words):
    with pytest.raises(DataError) as error:
        two_proportion_interval(*counts)
    assert words in str(error.value)
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"contrast": "ratio", "method": "newcombe"}, "'newcombe' is not an interval for a ratio"),
        ({"method": "katz"}, "use 'newcombe' or 'miettinen-nurminen'"),
        ({"contrast": "odds"}, "'odds' is not a contrast of two proportions; use 'difference' or 'ratio'"),
        ({"conf_level": 95}, "conf_level is 95; it must lie between 0 and 1"),
        ({"conf_level": 1.0}, "it must lie between 0 and 1"),
    ],
)
def test_an_impossible_choice_is_one_clear_sentence(choice, words):
    with pytest.raises(ParameterError) as error:
        two_proportion_interval(3, 10, 1, 10, **choice)
    assert words in str(error.value)


def test_an_unknown_one_proportion_method_is_named():
    with pytest.raises(ParameterError, match="'wald' is not an interval of one proportion"):
        one_proportion_interval(3, 10, method="wald")


def test_the_callers_arrays_are_unchanged():
    x, n = np.array([0.0, 3.0]), np.array([0.0, 10.0])
    two_proportion_interval(x, n, x, n)
    assert x.tolist() == [0, 3]
    assert n.tolist() == [0, 10]
