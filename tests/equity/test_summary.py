"""Summary measures: WHO's published example, algebra, reasons, and what must not change the answer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maple_cells import cell, hidden

from evalkit.equity import equity_gaps, summary_measures
from evalkit.equity.measures import MEASURES, UNORDERED, point_estimates
from evalkit.equity.slope_index import linear_slope_index, slope_index
from evalkit.equity.strata import ridit, strata_of
from evalkit.errors import DataError, ParameterError

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "equity"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="no reference numbers beside this checkout")

# WHO's sample of births attended by skilled staff, by wealth quintile, poorest first (R healthequal 1.0.1).
QUINTILES = pd.DataFrame(
    {
        "subgroup": ["Q1", "Q2", "Q3", "Q4", "Q5"],
        "rank": [1, 2, 3, 4, 5],
        "rate": [75.6053009033203, 91.0199661254883, 96.0395889282227, 97.0422286987305, 99.2240524291992],
        "error": [
            1.59961307048798,
            1.13515043258667,
            0.646194636821747,
            0.567620635032654,
            0.223768264055252,
        ],
        "people": [2072.43603515625, 2112.2041015625, 1983.05920410156, 2052.12377929688, 1884.50988769531],
    }
)


def measured(frame=QUINTILES, **choice):
    asked = {
        "rate": "rate",
        "population": "people",
        "std_error": "error",
        "favourable": "higher",
        "scale": 100,
    }
    if "rank" in frame and "order" not in choice:
        asked["order"] = "rank"
    return summary_measures(frame, **(asked | choice)).set_index("measure")


def test_ordered_measures_match_healthequal_where_it_is_right_and_the_corrected_values_elsewhere():
    # golden_ordered_corrected.csv: logistic slope with a single population weight, errors from the groups'.
    found = measured()
    expected = {
        "sii": 31.6788640641478, "rii": 1.4673621228612, "aci": 4.30051970376828, "rci": 0.046950601567709,
    }  # fmt: skip
    for name, value in expected.items():
        assert found.loc[name, "estimate"] == pytest.approx(value, rel=1e-9)
    assert found.loc["aci", "std_error"] == pytest.approx(0.282360068695281, rel=1e-9)
    assert found.loc["rci", "std_error"] == pytest.approx(0.00326622196413516, rel=1e-9)


def test_the_slope_of_a_mean_is_a_straight_line_with_the_groups_own_errors():
    # golden_ordered_corrected.csv; equity.md: the five residuals alone would give 10.1 to 43.7.
    found = measured(scale=None)
    row = found.loc["sii"]
    assert row["estimate"] == pytest.approx(26.8834695772472, rel=1e-9)
    assert row["std_error"] == pytest.approx(1.76509325371714, rel=1e-9)
    assert (round(row["conf_low"], 1), round(row["conf_high"], 1)) == (23.4, 30.3)
    assert found.loc["rii", "estimate"] == pytest.approx(1.34397652018052, rel=1e-9)
    assert "rci_wagstaff" not in found.index


def test_the_logistic_slope_weighs_by_population_once():
    # equity.md: healthequal weighs by population squared and turns the sign to −2.78; correct is +14.17.
    frame = pd.DataFrame(
        {
            "rank": range(1, 6),
            "rate": [30, 70, 60, 65, 90],
            "people": [100, 1500, 200, 300, 100],
            "error": 1.0,
        }
    )
    assert round(measured(frame).loc["sii", "estimate"], 2) == 14.17


@needs_golden
def test_unordered_measures_and_their_corrected_errors_match_the_reference_numbers():
    frame = pd.read_csv(GOLDEN / "healthequal_NonorderedSampleMultipleind.csv")
    golden = pd.read_csv(GOLDEN / "golden_nonordered_corrected.csv")
    errors = {"bgv": "bgv", "mld_x1000": "mld", "ti_x1000": "ti", "parisk_delta": "par", "paf_delta": "paf"}
    compared = 0
    for name, rows in frame.groupby("indicator"):
        found = summary_measures(
            rows, rate="estimate", population="population", std_error="se",
            favourable="higher" if rows["favourable_indicator"].iloc[0] else "lower",
            scale=rows["indicator_scale"].iloc[0],
            reference=rows.loc[rows["reference_subgroup"] == 1, "subgroup"].iloc[0],
        ).set_index("measure")  # fmt: skip
        for row in golden[golden["indicator"] == name].itertuples():
            if row.kind == "estimate":
                value = found.loc[row.quantity.replace("parisk", "par"), "estimate"]
            else:
                value = found.loc[errors[row.quantity], "std_error"]
            assert value == pytest.approx(row.value, rel=1e-9), (name, row.quantity)
            compared += 1
    assert compared == 44


def test_measures_of_two_subgroups_by_hand():
    # Shares .25 and .75, rates 40 and 60: mean 55, deviations −15 and 5.
    frame = pd.DataFrame({"subgroup": ["a", "b"], "rate": [40.0, 60], "people": [1, 3], "error": [3.0, 4]})
    found = measured(frame, reference="a")["estimate"]
    by_hand = {
        "d": 20, "r": 1.5, "bgv": 0.25 * 225 + 0.75 * 25, "bgsd": 75**0.5, "covar": 100 * 75**0.5 / 55,
        "mdmu": 10, "mdmw": 7.5, "mdbu": 10, "mdbw": 5, "mdru": 10, "mdrw": 15, "idisu": 1000 / 55,
        "idisw": 750 / 55, "mld": -1000 * (0.25 * np.log(40 / 55) + 0.75 * np.log(60 / 55)),
        "ti": 1000 * (0.25 * 40 / 55 * np.log(40 / 55) + 0.75 * 60 / 55 * np.log(60 / 55)),
        "par": 5, "paf": 500 / 55,
    }  # fmt: skip
    for name, value in by_hand.items():
        assert found[name] == pytest.approx(value), name
    row = measured(frame).loc["d"]
    assert row["std_error"] == pytest.approx(5)
    # Σ p (1 − p) se²: .1875 · (9 + 16)
    assert measured(frame).loc["bgv", "corrected"] == pytest.approx(75 - 0.1875 * 25)
    assert measured(frame).loc["bgv", "expected_if_equal"] == pytest.approx(0.1875 * 25)


def test_corrected_concentration_indices_by_hand():
    # Two halves at ridits .25 and .75 with 40 and 60 of 100: aci 2·(.5·−.25·40 + .5·.25·60) = 5.
    frame = pd.DataFrame({"rank": [1, 2], "rate": [40.0, 60], "people": 1.0, "error": 1.0})
    found = measured(frame)["estimate"]
    assert found["aci"] == pytest.approx(5)
    assert found["rci"] == pytest.approx(0.1)
    assert found["rci_wagstaff"] == pytest.approx(0.1 / 0.5)
    assert found["rci_erreygers"] == pytest.approx(4 * 5 / 100)
    assert found["sii"] == pytest.approx(100 * (expit(np.log(0.6 / 0.4) * 2) - expit(-np.log(0.6 / 0.4) * 2)))


def expit(value):
    return 1 / (1 + np.exp(-value))


def test_an_adverse_outcome_counts_from_the_lowest_rate():
    frame = pd.DataFrame({"rank": [1, 2, 3], "rate": [60.0, 40, 30], "people": 1.0, "error": 2.0})
    found = measured(frame, favourable="lower")["estimate"]
    assert found["d"] == 30  # bottom − top
    assert found["r"] == 2
    assert found["par"] == pytest.approx(30 - 130 / 3)
    assert found["sii"] < 0
    assert found["aci"] < 0


def test_a_par_of_the_wrong_sign_is_clipped_at_nothing():
    frame = pd.DataFrame({"rank": [1, 2, 3], "rate": [60.0, 50, 40], "people": 1.0, "error": 2.0})
    found = measured(frame)
    assert found.loc["par", "estimate"] == found.loc["paf", "estimate"] == 0
    assert found.loc["par", "conf_low"] == 0
    assert found.loc["d", "estimate"] == -20


def test_tied_ranks_share_one_place_whatever_the_order_of_rows():
    people = [10.0, 30, 20, 40]
    strata = strata_of([1, 2, 3, 4], people, favourable="higher", scale=None, order=[1, 2, 2, 3])
    assert ridit(strata)[:, 0].tolist() == pytest.approx([0.05, 0.35, 0.35, 0.8])
    frame = pd.DataFrame({"rank": [1, 2, 2, 3], "rate": [30.0, 50, 70, 60], "people": people, "error": 2.0})
    turned = frame.iloc[[0, 2, 1, 3]]
    pd.testing.assert_frame_equal(measured(frame), measured(turned))


GROUPS = st.lists(
    st.tuples(st.integers(5, 95), st.integers(40, 200), st.integers(1, 4)), min_size=2, max_size=7
)


# Of tied subgroups it is moot which one lies above the other, and a direction settles it.
DISTINCT = GROUPS.filter(lambda groups: len({rate for rate, *_ in groups}) == len(groups))


@settings(max_examples=40, deadline=None)
@given(groups=GROUPS, seed=st.integers(0, 99), interval=st.sampled_from(["closed", "simulated"]))
def test_neither_the_order_of_rows_nor_names_matter(groups, seed, interval):
    frame = pd.DataFrame(groups, columns=["rate", "people", "rank"])
    frame["error"] = np.sqrt(frame["rate"] * (100 - frame["rate"]) / frame["people"])
    frame["subgroup"] = [f"group {at}" for at in range(len(frame))]
    mixed = frame.sample(frac=1, random_state=seed)
    mixed["subgroup"] = [f"other {at}" for at in range(len(frame))]
    choice = {"interval": interval, "draws": 50}
    pd.testing.assert_frame_equal(measured(frame, **choice), measured(mixed, **choice), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(groups=DISTINCT)
def test_turning_the_outcome_round_keeps_every_absolute_measure_and_turns_the_slopes(groups):
    frame = pd.DataFrame(groups, columns=["rate", "people", "rank"]).assign(error=3.0)
    turned = frame.assign(rate=100 - frame["rate"])
    for order in (None, "rank"):
        up = measured(frame, order=order)
        down = measured(turned, favourable="lower", order=order)
        kept = ["bgv", "bgsd", "mdmu", "mdmw", "mdbu", "mdbw", "d"]
        for column in ("estimate", "std_error", "conf_low", "conf_high", "expected_if_equal", "corrected"):
            np.testing.assert_allclose(up.loc[kept, column], down.loc[kept, column], atol=1e-7)
        assert up.loc["par", "estimate"] == pytest.approx(-down.loc["par", "estimate"])
        assert up.loc["par", "conf_low"] == pytest.approx(-down.loc["par", "conf_high"])
        if order:
            for name in ("sii", "aci", "rci_erreygers", "rci_wagstaff"):
                assert up.loc[name, "estimate"] == pytest.approx(
                    -down.loc[name, "estimate"], abs=1e-8, nan_ok=True
                )


@given(rate=st.integers(1, 99), people=st.lists(st.integers(1, 500), min_size=2, max_size=6))
def test_every_measure_is_nothing_at_equality(rate, people):
    frame = pd.DataFrame({"rate": float(rate), "people": people, "error": 2.0})
    frame["rank"] = range(len(frame))
    frame["subgroup"] = [f"g{at}" for at in range(len(frame))]
    found = measured(frame, reference="g0")
    for name, row in found.iterrows():
        # bgsd and covar are roots of a sum of squares that rounding leaves near 1e-28.
        assert row["estimate"] == pytest.approx(MEASURES[name].at_equality, abs=1e-6), name
        assert row["conf_low"] - 1e-6 <= MEASURES[name].at_equality <= row["conf_high"] + 1e-6, name


def test_what_cannot_be_measured_is_a_row_with_its_reason():
    frame = QUINTILES.drop(columns="rank").assign(rate=lambda rows: rows["rate"].where(rows.index != 2))
    found = measured(frame)
    assert list(found.index) == list(MEASURES)
    assert found.loc["sii", "note"].startswith("needs an ordered dimension; left out, no value: Q3")
    assert found.loc["mdru", "note"].startswith("needs a reference")
    assert found.loc["d", "note"] == "left out, no value: Q3"
    assert (found["groups"] == 4).all()
    alone = measured(frame.iloc[:1])
    assert alone["estimate"].isna().all()
    assert alone["note"].str.startswith("fewer than two subgroups").all()
    assert set(found.index[found["estimate"].notna()]) == set(UNORDERED) - {"mdru", "mdrw"}


def test_a_rate_of_nothing_leaves_the_measures_with_a_logarithm_out_with_a_reason():
    frame = pd.DataFrame({"subgroup": ["a", "b"], "rate": [0.0, 50], "people": 10, "error": 4.0})
    found = measured(frame)
    assert found.loc["mld", "note"] == "not defined: a subgroup's rate is 0"
    assert np.isnan(found.loc["r", "conf_low"])
    assert found.loc["ti", "estimate"] == pytest.approx(1000 * np.log(2))


def test_without_standard_errors_there_is_no_interval_and_the_note_says_so():
    found = measured(std_error=None)
    assert found["conf_low"].isna().all()
    assert found["estimate"].notna().sum() == len(MEASURES) - 2
    assert found.loc["d", "note"] == "no interval: no standard errors"
    some = QUINTILES.assign(error=QUINTILES["error"].where(QUINTILES.index > 0))
    assert measured(some).loc["d", "note"] == "no interval: a standard error is absent"


def test_strata_are_measured_each_for_itself():
    small = pd.DataFrame({"subgroup": ["a", "b"], "rate": [40.0, 60], "people": [1, 3], "error": 3.0})
    both = pd.concat([QUINTILES.assign(site="x"), small.assign(site="w")])
    for choice in ({}, {"interval": "simulated", "draws": 200}):
        found = measured(both, order=None, by="site", **choice).reset_index()
        assert list(found["site"].unique()) == ["w", "x"]
        for site, alone in (("w", small), ("x", QUINTILES)):
            one = measured(alone, order=None, **choice).reset_index()
            there = found[found["site"] == site].drop(columns="site").reset_index(drop=True)
            columns = ["estimate", "std_error", "expected_if_equal", "corrected"]
            np.testing.assert_allclose(there[columns], one[columns], rtol=1e-9)
            if not choice:
                np.testing.assert_allclose(there["conf_low"], one["conf_low"], rtol=1e-9)


@pytest.mark.parametrize(
    ("choice", "kind", "words"),
    [
        ({"favourable": "up"}, ParameterError, "say 'higher' or 'lower'"),
        ({"scale": 0}, ParameterError, "scale is 0"),
        ({"scale": 1}, DataError, "a rate lies outside 0 to 1"),
        ({"rate": "rates"}, ParameterError, "no column 'rates'"),
        ({"reference": "Q9"}, ParameterError, "'Q9' is not among the subgroups"),
        ({"interval": "wald"}, ParameterError, "use 'closed' or 'simulated'"),
        ({"conf_level": 95}, ParameterError, "conf_level is 95"),
    ],
)
def test_an_impossible_choice_is_refused_at_the_door(choice, kind, words):
    with pytest.raises(kind, match=words):
        measured(**choice)


def test_totals_and_twins_are_refused():
    with pytest.raises(DataError, match="there twice in one stratum: Q1"):
        measured(pd.concat([QUINTILES, QUINTILES.iloc[:1]]))
    with pytest.raises(DataError, match="'All' contains the others"):
        measured(QUINTILES.replace("Q1", "All"))


def test_the_callers_frame_is_unchanged():
    before = QUINTILES.copy()
    measured(reference="Q1", interval="simulated", draws=20)
    pd.testing.assert_frame_equal(QUINTILES, before)


def test_the_gaps_of_a_site_carry_the_measures_of_the_latest_period(table_of, maple):
    rows = [
        cell("White", 60, 80),
        cell("Black", 30, 60),
        hidden("Asian"),
        cell("White", 9, 10, period="2018"),
    ]
    rows += [
        cell(name, x, 50, dimension="income") for name, x in (("low income", 20), ("not low income", 35))
    ]
    references = {"race_ethnicity": "White", "income": "not low income"}
    frame = equity_gaps(table_of(rows), maple, references=references).frames["measures"]
    found = frame.set_index(["dimension", "measure"])
    assert set(found["period"]) == {"2019"}
    race = found.loc[("race_ethnicity", "d")]
    assert race["estimate"] == pytest.approx(25)
    assert race["std_error"] == pytest.approx(100 * (0.75 * 0.25 / 80 + 0.25 / 60) ** 0.5)
    assert race["note"] == "left out, no value: Asian"
    assert found.loc[("race_ethnicity", "sii"), "note"].startswith("needs an ordered dimension")
    # Two halves at ridits .25 and .75 with 40 and 70 percent: 2 (.5 · .25 · 70 − .5 · .25 · 40).
    assert found.loc[("income", "aci"), "estimate"] == pytest.approx(7.5)
    assert (frame["rate_unit"] == "percentage points").all()


def test_the_gradient_of_the_slopes_is_the_change_for_a_small_change_of_a_rate():
    def fitted(rates, scale, fit):
        strata = strata_of(rates, [3, 5, 2], favourable="higher", scale=scale, order=[1, 2, 3])
        return fit(strata, ridit(strata))

    rates, step = np.array([30.0, 55, 62]), 1e-5
    for scale, fit in ((100, slope_index), (None, linear_slope_index)):
        base = fitted(rates, scale, fit)
        for at in range(3):
            moved = fitted(rates + step * (np.arange(3) == at), scale, fit)
            assert (moved.absolute - base.absolute) / step == pytest.approx(
                base.absolute_gradient[at], rel=1e-4
            )
            assert (moved.relative - base.relative) / step == pytest.approx(
                base.relative_gradient[at], rel=1e-4
            )


def test_what_chance_adds_agrees_with_simulation_and_the_correction_takes_it_away():
    # Six truly equal groups: the truth is 0, and the estimate shows what equity.md calls the noise floor.
    rng = np.random.default_rng(4)
    error, strata_count = 6.0, 4000
    drawn = 50 + error * rng.standard_normal((6, strata_count))
    strata = strata_of(drawn, np.ones_like(drawn), np.full_like(drawn, error), favourable="higher", scale=100)
    shown = point_estimates(strata)
    one = pd.DataFrame({"subgroup": list("abcdef"), "rate": 50.0, "people": 1, "error": error})
    floor = measured(one)["expected_if_equal"]
    for name in ("d", "bgv", "mdmu", "mdmw", "mdbu", "mdbw", "idisu", "mld", "ti", "par", "paf", "r"):
        assert shown[name].mean() == pytest.approx(floor[name], rel=0.04), name
    assert floor["d"] == pytest.approx(error * 2.53441, rel=1e-4)  # expected range of six standard normals


def test_simulated_intervals_are_the_same_on_every_run_and_near_the_closed_ones_of_linear_measures():
    once, twice = (measured(interval="simulated", draws=4000) for _ in range(2))
    pd.testing.assert_frame_equal(once, twice)
    closed = measured()
    for name in ("d", "aci", "sii", "bgv"):
        width = closed.loc[name, "conf_high"] - closed.loc[name, "conf_low"]
        assert once.loc[name, "conf_low"] == pytest.approx(closed.loc[name, "conf_low"], abs=0.08 * width)
        assert once.loc[name, "conf_high"] == pytest.approx(closed.loc[name, "conf_high"], abs=0.08 * width)
