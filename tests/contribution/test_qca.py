"""Golden values: R QCA 3.23 on Lipset's 18 countries; the intermediate solution as in Dusa (2019)."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.contribution.qca import qualitative_comparison
from evalkit.contribution.qca_minimise import covers, prime_implicants, shortest_covers
from evalkit.contribution.qca_tables import calibrate, calibrate_crisp, necessity, truth_table
from evalkit.errors import DesignError

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "contribution"
CONDITIONS = ["DEV", "URB", "LIT", "IND", "STB"]
needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the shared R values do not stand beside this checkout"
)


@pytest.fixture
def lipset():
    return pd.read_csv(GOLDEN / "lipset_LF.csv", index_col="case")


@pytest.fixture
def result(lipset):
    expectations = dict.fromkeys(CONDITIONS, "present")
    return qualitative_comparison(
        lipset, outcome="SURV", conditions=CONDITIONS, expectations=expectations, force=True
    )


@needs_golden
def test_direct_calibration_is_that_of_r():
    golden = pd.read_csv(GOLDEN / "LR_DEV_calibrated.csv")
    degrees = calibrate(golden["DEV"], exclusion=400, crossover=550, inclusion=900)
    assert degrees == pytest.approx(golden["direct_400_550_900"], abs=1e-12)


@pytest.mark.parametrize(
    ("value", "degree"), [(720, 0.806926), (586, 0.575141), (468, 0.166640), (1038, 0.983784)]
)
def test_direct_calibration_gives_the_published_degrees(value, degree):
    assert calibrate([value], exclusion=400, crossover=550, inclusion=900)[0] == pytest.approx(
        degree, abs=1e-6
    )


def test_falling_anchors_calibrate_the_low_values():
    low = calibrate([20, 35, 50], exclusion=50, crossover=35, inclusion=20)
    assert low == pytest.approx([0.95, 0.5, 0.05])


def test_anchors_out_of_order_are_refused():
    with pytest.raises(DesignError, match="neither rise nor fall"):
        calibrate([1], exclusion=5, crossover=3, inclusion=9)


@needs_golden
def test_the_truth_table_is_that_of_r(lipset):
    golden = pd.read_csv(GOLDEN / "LF_truthtable_cut0.8.csv", dtype={"OUT": str})
    table = truth_table(lipset, outcome="SURV", conditions=CONDITIONS, force=True)
    exact = ["row", *CONDITIONS, "OUT", "n", "cases"]
    assert table[exact].to_dict("records") == golden[exact].to_dict("records")
    for column in ("incl", "PRI"):
        assert table[column].to_numpy() == pytest.approx(golden[column].to_numpy(), abs=1e-12)


@needs_golden
@pytest.mark.parametrize("solution", ["conservative", "parsimonious"])
def test_the_solutions_are_those_of_r(solution, result):
    golden = pd.read_csv(GOLDEN / f"LF_{solution}.csv")
    parts, whole = golden.iloc[:-1], golden.iloc[-1]
    terms = result.frames["terms"].query("solution == @solution")
    assert terms["term"].tolist() == parts["term"].tolist()
    for column in ("inclS", "PRI", "covS", "covU"):
        assert terms[column].to_numpy() == pytest.approx(parts[column].to_numpy(), abs=1e-12)
    found = result.frames["solutions"].query("solution == @solution").iloc[0]
    assert found["models"] == 1
    for column in ("inclS", "PRI", "covS"):
        assert found[column] == pytest.approx(whole[column], abs=1e-12)


@needs_golden
def test_the_intermediate_solution_is_the_published_one(result):
    # Dusa (2019), QCA with R, chapter 8: expectations "present" for all five conditions.
    solutions = result.frames["solutions"].set_index("solution")
    assert solutions.loc["intermediate", "formula"] == "DEV*URB*LIT*STB + DEV*LIT*~IND*STB"


@needs_golden
def test_without_expectations_the_intermediate_solution_is_the_conservative_one(lipset):
    found = qualitative_comparison(lipset, outcome="SURV", conditions=CONDITIONS, force=True)
    formula = found.frames["solutions"].set_index("solution")["formula"]
    assert formula["intermediate"] == formula["conservative"]


@needs_golden
def test_necessity_is_that_of_r(lipset):
    golden = pd.read_csv(GOLDEN / "LF_single_conditions.csv").set_index("cond")
    found = necessity(lipset, outcome="SURV", conditions=CONDITIONS).set_index("condition")
    for column in ("inclN", "RoN", "covN"):
        assert found[column].to_numpy() == pytest.approx(golden.loc[found.index, column], abs=1e-12)
    assert found.loc["STB", "verdict"] == "necessary"
    assert found.loc["LIT", "verdict"] == "trivially necessary"
    assert set(found["verdict"].drop(["STB", "LIT"])) == {"not necessary"}


@needs_golden
def test_cases_that_contradict_their_row_or_go_unexplained_are_named(result):
    table = result.frames["truth_table"].set_index("row")
    assert table.loc[24, "contradicts"] == "FR,SE"
    assert "FR and SE (row 24)" in result.summary()
    memberships = result.frames["memberships"].set_index("case")
    assert memberships.loc[["FR", "SE"], "place"].tolist() == ["not covered", "not covered"]
    assert memberships.loc["FI", "place"] == "typical"


@needs_golden
def test_more_conditions_than_the_cases_can_carry_are_refused(lipset):
    with pytest.raises(DesignError, match="5 conditions need at least 32 cases, and there are 18"):
        qualitative_comparison(lipset, outcome="SURV", conditions=CONDITIONS)


def crisp(rows, outcome):
    data = pd.DataFrame(rows, columns=["A", "B"], dtype=float)
    return data.assign(Y=outcome, case=[f"case{number}" for number in range(len(rows))]).set_index("case")


def test_crisp_sets_give_counts_of_cases():
    # Row 10: two of three cases show the outcome; row 11: both do; row 00 and 01: none.
    data = crisp([(1, 0), (1, 0), (1, 0), (1, 1), (1, 1), (0, 0), (0, 1)], [1, 1, 0, 1, 1, 0, 0])
    table = truth_table(data, outcome="Y", conditions=["A", "B"]).set_index("row")
    assert table["incl"].tolist() == pytest.approx([0, 0, 2 / 3, 1])
    assert table.loc[3, "OUT"] == "0"
    assert table.loc[3, "contradicts"] == "case0,case1"
    found = qualitative_comparison(data, outcome="Y", conditions=["A", "B"], consistency_cut=0.6)
    solution = found.frames["solutions"].set_index("solution").loc["conservative"]
    assert solution["formula"] == "A"
    assert (solution["inclS"], solution["covS"]) == pytest.approx((4 / 5, 1.0))
    assert "In the intermediate solution but without the outcome: case2." in found.summary()


def test_rows_with_too_few_cases_stay_open():
    data = crisp([(1, 1), (1, 1), (1, 0), (0, 0), (0, 0)], [1, 1, 1, 0, 0])
    table = truth_table(data, outcome="Y", conditions=["A", "B"], fewest_cases=2).set_index("row")
    assert table["OUT"].to_dict() == {1: "0", 3: "?", 4: "1"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"A": [0.5, 0, 1, 1]}, "A: case0 stands at exactly 0.5"),
        ({"A": [1.2, 0, 1, 1]}, "A: a membership lies outside [0, 1]"),
        ({"Y": [0.0, 0, 0, 0]}, "no combination of conditions goes with Y"),
        ({"Y": [1.0, 1, 1, 1]}, "every combination of conditions goes with Y"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_one_sentence(change, words):
    data = crisp([(1, 1), (0, 1), (1, 0), (0, 0)], [1.0, 0, 0, 0]).assign(**change)
    with pytest.raises(DesignError, match=r"\S") as caught:
        qualitative_comparison(data, outcome="Y", conditions=["A", "B"])
    assert any(words in problem for problem in caught.value.problems)


def test_an_unknown_column_or_expectation_is_refused():
    data = crisp([(1, 1), (0, 1), (1, 0), (0, 0)], [1.0, 0, 0, 0])
    with pytest.raises(DesignError, match="no column 'C'"):
        truth_table(data, outcome="Y", conditions=["A", "C"])
    with pytest.raises(DesignError, match="use present or absent"):
        qualitative_comparison(data, outcome="Y", conditions=["A", "B"], expectations={"A": "yes"})


def test_many_contradicting_cases_are_counted_in_the_narrative_and_named_in_the_frame():
    data = crisp([(1, 1)] * 20 + [(0, 0)] * 2, [1.0] * 9 + [0.0] * 11 + [0.0, 0.0])
    data.loc["case21", "B"] = 1.0
    data.loc["case21", "Y"] = 1.0
    found = qualitative_comparison(data, outcome="Y", conditions=["A", "B"])
    assert "case0, case1, case2, case3, case4, case5, case6 and 2 more (row 4)" in found.summary()
    row = found.frames["truth_table"].set_index("row").loc[4]
    assert row["contradicts"].count(",") == 8


def test_a_case_without_a_membership_is_left_out_and_named():
    data = crisp([(1, 1), (0, 1), (1, 0), (0, 0), (np.nan, 1)], [1.0, 0, 0, 0, 1])
    found = qualitative_comparison(data, outcome="Y", conditions=["A", "B"])
    assert found.design["left_out"] == ["case4"]
    assert "case4" in found.narrative[-1]


def test_crisp_calibration_counts_the_threshold_in_and_keeps_gaps():
    found = calibrate_crisp([9, 10, np.nan], threshold=10)
    assert found[:2].tolist() == [0, 1]
    assert np.isnan(found[2])


@st.composite
def tables(draw):
    size = draw(st.integers(2, 4))
    outs = draw(st.lists(st.sampled_from("10?"), min_size=2**size, max_size=2**size))
    positive = [row for row, out in enumerate(outs) if out == "1"]
    negative = [row for row, out in enumerate(outs) if out == "0"]
    return size, positive, negative


@settings(max_examples=60, deadline=None)
@given(tables())
def test_shortest_covers_cover_all_and_only_what_they_may(table):
    size, positive, negative = table
    if not positive:
        return
    primes = prime_implicants(positive, negative, size)
    assert not covers(primes, negative).any()
    models = shortest_covers(primes, positive)
    smallest = next(
        count
        for count in range(1, len(primes) + 1)
        if any(
            covers(primes[list(some)], positive).any(axis=0).all()
            for some in itertools.combinations(range(len(primes)), count)
        )
    )
    assert models
    for model in models:
        assert len(model) == smallest
        assert covers(primes[list(model)], positive).any(axis=0).all()


@settings(max_examples=40, deadline=None)
@given(tables())
def test_no_part_of_a_prime_implicant_can_be_spared(table):
    size, positive, negative = table
    primes = prime_implicants(positive, negative, size)
    for term in primes:
        for place in np.flatnonzero(term >= 0):
            shorter = term.copy()
            shorter[place] = -1
            assert covers(shorter[None, :], negative).any()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0.0, 1.0).filter(lambda x: x != 0.5)] * 4), min_size=8, max_size=20))
def test_the_order_of_the_cases_does_not_matter(rows):
    data = pd.DataFrame(rows, columns=["A", "B", "C", "Y"])
    try:
        first = qualitative_comparison(data, outcome="Y", conditions=["A", "B", "C"])
    except DesignError:
        return
    second = qualitative_comparison(data[::-1], outcome="Y", conditions=["A", "B", "C"])
    pd.testing.assert_frame_equal(first.frames["solutions"], second.frames["solutions"])
