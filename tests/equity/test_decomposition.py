"""What a gap is made of, and IDEA's risk ratios: exact rationals, statsmodels' own data, the regulation."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from evalkit.equity.decomposition import kitagawa, oaxaca_blinder
from evalkit.equity.disproportionality import idea_risk_ratio
from evalkit.errors import DataError, ParameterError

GRADES = ["K-2", "3-5", "6-8"]
CLASSES = ([84, 55, 27], [120, 100, 60], [20, 36, 33], [40, 90, 110])


def terms(**choice):
    return kitagawa(GRADES, *CLASSES, **choice).set_index(["term", "stratum"])["estimate"]


def test_two_parts_match_the_exact_rationals():
    # equity.md: 373/1680 = rate 277/1680 + composition 2/35; by grade golden_kitagawa.csv.
    found = terms()
    assert found["gap", ""] == pytest.approx(float(Fraction(373, 1680)))
    assert found["rate", ""] == pytest.approx(float(Fraction(277, 1680)))
    assert found["composition", ""] == pytest.approx(float(Fraction(2, 35)))
    by_grade = [found[term, grade] for term in ("rate", "composition") for grade in GRADES]
    assert by_grade == pytest.approx(
        [0.0595238095, 0.0549107143, 0.0504464286, 0.1571428571, -0.0084821429, -0.0915178571]
    )


def test_three_parts_match_the_reference_numbers_and_sum_to_the_gap():
    found = terms(parts=3)
    parts = [found[term, ""] for term in ("rate", "composition", "interaction")]
    assert parts == pytest.approx([0.1583333333, 0.0505952381, 0.0130952381])
    assert sum(parts) == pytest.approx(found["gap", ""])


def test_groups_turned_round_turn_both_parts():
    turned = kitagawa(GRADES, *CLASSES[2:], *CLASSES[:2]).set_index(["term", "stratum"])["estimate"]
    pd.testing.assert_series_equal(turned, -terms())


def test_the_intervals_of_the_parts_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(8)
    share = [np.array([0.4, 0.35, 0.25]), np.array([0.2, 0.35, 0.45])]
    rate = [np.array([0.7, 0.55, 0.45]), np.array([0.5, 0.4, 0.3])]
    truth = {
        "rate": float(((share[0] + share[1]) / 2) @ (rate[0] - rate[1])),
        "composition": float(((rate[0] + rate[1]) / 2) @ (share[0] - share[1])),
        "gap": float(share[0] @ rate[0] - share[1] @ rate[1]),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(500):
        n = [rng.multinomial(size, part) for size, part in zip((280, 240), share, strict=True)]
        x = [rng.binomial(persons, part) for persons, part in zip(n, rate, strict=True)]
        found = kitagawa(GRADES, x[0], n[0], x[1], n[1])
        whole = found[found["stratum"] == ""].set_index("term")
        for name, value in truth.items():
            held[name] += whole.loc[name, "conf_low"] <= value <= whole.loc[name, "conf_high"]
    assert all(0.925 <= count / 500 <= 0.975 for count in held.values()), held


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (([1, 1, 0], [5, 5, 0], [1, 1, 1], [5, 5, 5]), "nobody of one group in 6-8"),
        (([1, 6, 1], [5, 5, 5], [1, 1, 1], [5, 5, 5]), "larger than its total"),
    ],
)
def test_impossible_strata_are_refused(counts, words):
    with pytest.raises(DataError, match=words):
        kitagawa(GRADES, *counts)


def school(size=300, seed=2):
    """Outcome 2 + 3·reading, one more for group a; a reads better by one."""
    rng = np.random.default_rng(seed)
    group = np.repeat(["a", "b"], size)
    reading = rng.normal(np.where(group == "a", 1.0, 0.0), 1.0)
    outcome = 2 + 3 * reading + (group == "a") + rng.normal(0, 1, 2 * size)
    return pd.DataFrame({"group": group, "reading": reading, "outcome": outcome})


def test_oaxaca_blinder_finds_the_parts_that_were_put_in():
    frame = school(2000)
    found = oaxaca_blinder(
        frame, outcome="outcome", group="group", first="a", covariates=["reading"], draws=60
    ).set_index("term")
    means = frame.groupby("group")["reading"].mean()
    assert found.loc["explained", "estimate"] == pytest.approx(3 * (means["a"] - means["b"]), abs=0.1)
    assert found.loc["unexplained", "estimate"] == pytest.approx(1, abs=0.15)
    # The means differ by 1 with a standard error of √(2 / 2000), so the explained part's is about .1.
    assert found.loc["explained", "std_error"] == pytest.approx(0.1, abs=0.03)
    assert found.loc["gap", "estimate"] == pytest.approx(found["estimate"].iloc[1:].sum())


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("weights", ["pooled", "neumark", "cotton", "reimers"])
def test_oaxaca_blinder_keeps_its_sign_and_its_sum_whichever_group_is_first(parts, weights):
    choice = {"outcome": "outcome", "group": "group", "covariates": ["reading"], "draws": 0}
    up = oaxaca_blinder(school(), first="a", parts=parts, weights=weights, **choice)
    down = oaxaca_blinder(school(), first="b", parts=parts, weights=weights, **choice)
    assert up["estimate"].iloc[0] == pytest.approx(-down["estimate"].iloc[0])
    assert up["estimate"].iloc[0] == pytest.approx(up["estimate"].iloc[1:].sum())


def test_neumark_is_not_silently_pooled():
    choice = {"outcome": "outcome", "group": "group", "first": "a", "covariates": ["reading"], "draws": 0}
    pooled, neumark = (
        oaxaca_blinder(school(), weights=name, **choice)["estimate"] for name in ("pooled", "neumark")
    )
    assert abs(pooled[1] - neumark[1]) > 0.01
    # By hand: Neumark weighs by the coefficient of a regression without the group.
    frame = school()
    slope = np.polyfit(frame["reading"], frame["outcome"], 1)[0]
    means = frame.groupby("group")["reading"].mean()
    assert neumark[1] == pytest.approx(slope * (means["a"] - means["b"]))


@pytest.mark.parametrize(
    ("choice", "kind", "words"),
    [
        ({"weights": "nuemark"}, ParameterError, "weights is 'nuemark'"),
        ({"parts": 4}, ParameterError, "parts is 4"),
        ({"covariates": ["age"]}, ParameterError, "no column 'age'"),
        ({"first": "c"}, DataError, "needs two, one of them 'c'"),
    ],
)
def test_a_slip_in_a_choice_is_refused(choice, kind, words):
    asked = {"outcome": "outcome", "group": "group", "first": "a", "covariates": ["reading"], "draws": 0}
    with pytest.raises(kind, match=words):
        oaxaca_blinder(school(20), **(asked | choice))


def test_idea_risk_ratios_follow_the_regulation():
    # golden_idea_risk_ratio.csv, worked from 34 CFR 300.647.
    found = idea_risk_ratio(
        [40, 12, 12, 9, 15, 10], [200, 45, 45, 60, 29, 30], [90, 8, 15, 90, 90, 10],
        [900, 300, 28, 900, 900, 30], 50_000, 500_000,
    )  # fmt: skip
    below = "group below min cell/n: not calculated"
    assert found["rule"].tolist() == [
        "risk ratio", "alternate risk ratio", "alternate risk ratio", below, below, "risk ratio",
    ]  # fmt: skip
    np.testing.assert_allclose(found["estimate"], [2, 8 / 3, 8 / 3, np.nan, np.nan, 1])
    assert found["conf_low"].isna().tolist() == [False, False, False, True, True, False]
    assert found["conf_low"][0] < 2 < found["conf_high"][0]


def test_without_a_usable_comparison_anywhere_nothing_is_calculated_and_the_row_says_why():
    found = idea_risk_ratio(40, 200, 3, 900, 2, 5000)
    assert found["rule"][0].startswith("comparison group below min cell/n in the district and in the State")
    assert np.isnan(found["estimate"][0])
