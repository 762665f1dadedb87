"""Intersections: simulated truth recovered, shrinkage by its formula, reasons and refusals."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from evalkit.equity.maihda import intersections
from evalkit.errors import DataError, DesignError, ParameterError

RACES = ["Asian", "Black", "Latinx", "White"]
INCOMES = ["high", "low", "middle"]


def school(departure=0.0, size=400, seed=1, **change):
    """Rates add up over race and income but for one stratum."""
    rng = np.random.default_rng(seed)
    rows = []
    for race, income in product(RACES, INCOMES):
        rate = 0.45 + 0.06 * RACES.index(race) + {"high": 0.1, "middle": 0.05, "low": 0.0}[income]
        if (race, income) == ("Black", "low"):
            rate += departure
        rows.append({"race": race, "income": income, "x": rng.binomial(size, rate), "n": size})
    return pd.DataFrame(rows).assign(**change)


def found(frame, **choice):
    return intersections(frame, dimensions=["race", "income"], numerator="x", denominator="n", **choice)


def test_a_stratum_that_departs_from_its_parts_is_named_first_of_all():
    result = found(school(departure=-0.3))
    row = result.strata.sort_values("p_value").iloc[0]
    assert (row["race"], row["income"]) == ("Black", "low")
    assert row["differs"]
    # Adding up takes the departure for a quarter race and a third income: −.3 · 3/4 · 2/3 is left.
    assert row["interaction"] == pytest.approx(-0.15, abs=0.03)
    assert row["interaction_high"] < 0
    assert row["expected"] + row["interaction"] == pytest.approx(row["rate"], abs=0.05)


def test_where_rates_add_up_the_main_effects_account_for_almost_all_between_strata():
    result = found(school(size=2000))
    assert result.pcv > 0.9
    assert result.vpc_left < 0.01 < result.vpc
    assert not result.strata["differs"].any()
    # Between-stratum variance of the true rates over it and p(1 − p), about .245.
    truth = np.var([0.45 + 0.06 * a + 0.05 * b for a, b in product(range(4), range(3))], ddof=1)
    assert result.vpc == pytest.approx(truth / (truth + 0.24), abs=0.006)


def test_the_variances_and_shrunken_rates_match_statsmodels_mixed_models():
    frame = school(seed=4)
    frame["n"] = frame["n"] - 10 * np.arange(12)
    frame["x"] = (frame["x"] * 0.6).astype(int)
    outcome = np.concatenate([np.repeat([1.0, 0.0], [x, n - x]) for x, n in frame[["x", "n"]].to_numpy()])
    place = np.repeat(np.arange(12), frame["n"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of an edge that this fit does not reach
        other = MixedLM(outcome, np.ones((outcome.size, 1)), groups=place).fit(reml=True)
    between = float(other.cov_re.iloc[0, 0] if hasattr(other.cov_re, "iloc") else other.cov_re[0, 0])
    result = found(frame)
    assert result.vpc == pytest.approx(between / (between + other.scale), rel=2e-3)
    shrunken = [
        float(other.fe_params[0]) + float(np.asarray(other.random_effects[at])[0]) for at in range(12)
    ]
    np.testing.assert_allclose(result.strata["shrunken"], shrunken, atol=1e-4)


def test_small_strata_are_drawn_in_more_than_large_ones():
    frame = school()
    frame.loc[0, ["x", "n"]] = [0, 6]
    result = found(frame).strata
    small, overall = result.iloc[0], result["shrunken"].mean()
    assert small["rate"] == 0
    assert 0.5 * overall < small["shrunken"] < overall
    others = result.iloc[1:]
    assert (np.abs(others["shrunken"] - others["rate"]) < 0.03).all()
    assert small["conf_high"] - small["conf_low"] > 2 * (others["conf_high"] - others["conf_low"]).max()


def test_shrunken_rates_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(40):
        truth = np.clip(rng.normal(0.5, 0.1, 12), 0.05, 0.95)
        n = rng.integers(30, 200, 12)
        frame = pd.DataFrame(list(product(RACES, INCOMES)), columns=["race", "income"])
        strata = found(frame.assign(x=rng.binomial(n, truth), n=n)).strata
        held.append((strata["conf_low"] <= truth) & (truth <= strata["conf_high"]))
    assert 0.91 <= np.mean(held) <= 0.98


def test_equal_strata_have_nothing_between_them():
    result = found(school(x=200, n=400))
    assert result.vpc == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(result.strata["shrunken"], 0.5, atol=1e-6)
    assert not result.strata["differs"].any()


def test_a_hidden_stratum_is_a_row_with_its_reason():
    frame = school().astype({"x": float})
    frame.loc[3, "x"] = np.nan
    result = found(frame).strata
    assert len(result) == len(frame)
    assert result.loc[3, "note"].startswith("no counts")
    assert np.isnan(result.loc[3, "shrunken"])
    assert result["note"].eq("").sum() == len(frame) - 1


@pytest.mark.parametrize(
    ("frame", "kind", "words"),
    [
        (school().iloc[:4], DesignError, "4 strata with known counts"),
        (pd.concat([school(), school().iloc[:1]]), DataError, "there twice"),
        (school(x=500), DataError, "larger than its total"),
        (school(x=0), DesignError, "same outcome"),
        (school().drop(columns="n"), ParameterError, "no column 'n'"),
    ],
)
def test_what_cannot_be_fitted_is_one_clear_sentence(frame, kind, words):
    with pytest.raises(kind, match=words):
        found(frame)
