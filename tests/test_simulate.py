import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.contribution.theory import check_theory
from evalkit.contribution_model import Evidence
from evalkit.dictionary import read_dictionary
from evalkit.errors import DesignError
from evalkit.fictional_evidence import LINK_HYPOTHESES, MAIN_HYPOTHESES, RIVALS
from evalkit.fictional_network import SITES, SOLUTIONS
from evalkit.indicators import IndicatorTable
from evalkit.parameters import Network, read_network
from evalkit.simulate import SimulatedNetwork, simulate_network, simulate_series

DEMO = Path(__file__).resolve().parents[1] / "parameters" / "demo"
SEEDS = range(30)


@pytest.fixture(scope="module")
def simulated() -> SimulatedNetwork:
    return simulate_network()


@pytest.fixture(scope="module")
def demo() -> Network:
    return read_network(DEMO, dictionary=read_dictionary())


@pytest.fixture(scope="module")
def many() -> list[SimulatedNetwork]:
    """One network a seed, without the crossed cells."""
    networks = (simulate_network(seed=seed) for seed in SEEDS)
    return [
        replace(one, indicators=one.indicators.query("dimension in ('all', 'income')")) for one in networks
    ]


@pytest.fixture(scope="module")
def estimates(many) -> pd.DataFrame:
    """Level and slope change by ordinary least squares for the total of every yearly series and seed."""
    rows = []
    for network in many:
        totals = network.indicators.query("dimension == 'all' and indicator != 'attendance_rate'")
        for (indicator, place), series in totals.groupby(["indicator", "site_id"]):
            truth = network.truth["sites"][place][indicator]
            known = series[series["status"] == "reported"]
            level, slope = _fit(known, start=int(truth["start"]))
            rows.append(
                {
                    "indicator": indicator,
                    "place": place,
                    "level": level - truth["level_change"],
                    "slope": slope - truth["slope_change"],
                }
            )
    return pd.DataFrame(rows)


def _fit(series: pd.DataFrame, *, start: int) -> tuple[float, float]:
    year = series["period"].astype(int).to_numpy()
    after = (year >= start).astype(float)
    design = np.column_stack([np.ones(year.size), year - start, after, after * (year - start)])
    rate = 100 * series["numerator"].to_numpy() / series["denominator"].to_numpy()
    return tuple(np.linalg.lstsq(design, rate, rcond=None)[0][2:])


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["dimension"] == "race_ethnicity*income"]


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for folder in ("once", "again"):
        simulate_network(seed=7).write(tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert names == ["evidence.csv", "indicators.parquet", "reach.csv", "truth.json"]
    for name in names:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_another_seed_gives_other_counts_but_the_same_truth(simulated):
    other = simulate_network(seed=1)
    assert not other.indicators["numerator"].equals(simulated.indicators["numerator"])
    assert other.truth["sites"] == simulated.truth["sites"]


def test_the_truth_is_plain_json_and_reads_back(simulated, tmp_path):
    simulated.write(tmp_path)
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == simulated.truth


def test_the_indicators_pass_the_only_door_for_data(simulated):
    table = IndicatorTable.from_frame(simulated.indicators, dictionary=read_dictionary())
    assert len(table.frame) == len(simulated.indicators)


def test_crossed_cells_add_up_to_every_total(simulated):
    frame = simulated.indicators
    keys = ["indicator", "site_id", "period"]
    cells = _cells(frame)
    complete = cells.groupby(keys)["status"].agg(lambda status: (status == "reported").all())
    sums = cells.groupby(keys)[["numerator", "denominator"]].sum()[complete]
    totals = frame[frame["dimension"] == "all"].set_index(keys)[["numerator", "denominator"]]
    assert len(sums) > 500
    pd.testing.assert_frame_equal(sums, totals.loc[sums.index])


@pytest.mark.parametrize(("dimension", "part"), [("race_ethnicity", 0), ("income", 1)])
def test_crossed_cells_add_up_to_their_margins(simulated, dimension, part):
    cells = _cells(simulated.indicators).assign(
        subgroup=lambda frame: frame["subgroup"].str.split("*").str[part]
    )
    keys = ["indicator", "site_id", "period", "subgroup"]
    complete = cells.groupby(keys)["status"].agg(lambda status: (status == "reported").all())
    sums = cells.groupby(keys)[["numerator", "denominator"]].sum()[complete]
    margin = simulated.indicators[simulated.indicators["dimension"] == dimension].set_index(keys)
    pd.testing.assert_frame_equal(sums, margin.loc[sums.index, ["numerator", "denominator"]])


def test_numerators_lie_within_the_denominators_of_every_rate_that_counts_persons(simulated):
    known = simulated.indicators.query("status == 'reported' and indicator != 'mobility'")
    assert known["numerator"].between(0, known["denominator"]).all()


def test_some_cells_hold_three_to_nine_persons_and_none_fewer(simulated):
    denominators = _cells(simulated.indicators)["denominator"].dropna()
    assert denominators.min() == 3
    assert denominators.between(3, 9).sum() > 100


def test_few_cells_are_missing_and_they_hold_no_counts(simulated):
    missing = simulated.indicators[simulated.indicators["status"] == "missing"]
    assert 10 < len(missing) < 100
    assert missing[["numerator", "denominator"]].isna().all(axis=None)


def test_school_months_and_survey_years_only(simulated):
    attendance = simulated.indicators.query("indicator == 'attendance_rate'")
    assert set(attendance["period"].str[5:]) == {f"{month:02d}" for month in (9, 10, 11, 12, *range(1, 7))}
    assert (attendance["period"].min(), attendance["period"].max()) == ("2012-09", "2024-06")
    caregivers = simulated.indicators[simulated.indicators["indicator"].str.startswith("caregiver")]
    assert (caregivers["period"].astype(int) % 2 == 0).all()
    assert "ginkgo-row" not in set(caregivers["site_id"])


def test_comparison_sites_have_no_effect_and_only_totals_and_race(simulated):
    places = {place for place in simulated.truth["sites"] if place.endswith("-comparison")}
    assert places == {f"{site_id}-comparison" for site_id in SITES}
    for place in places:
        for effect in simulated.truth["sites"][place].values():
            assert (effect["level_change"], effect["slope_change"]) == (0.0, 0.0)
    rows = simulated.indicators[simulated.indicators["site_id"].isin(places)]
    assert set(rows["dimension"]) == {"all", "race_ethnicity"}


@pytest.mark.parametrize("change", ["level", "slope"])
def test_the_truth_is_recovered_on_average(estimates, change):
    # Each of the 124 series has its own Monte Carlo error over 30 seeds. Scaled by it, the mean error is
    # t with 29 degrees of freedom: the largest of 124 stays below 4.5 (chance of more: about 1 in 80), and
    # their average, with shocks shared by pairs of places, below 0.4.
    grouped = estimates.groupby(["indicator", "place"])[change]
    scaled = grouped.mean() / (grouped.std() / np.sqrt(len(SEEDS)))
    assert len(scaled) == 124
    assert scaled.abs().max() < 4.5
    assert abs(scaled.mean()) < 0.4


def test_subgroups_gain_what_the_truth_says_and_average_to_the_total(simulated):
    # Alder Park: low-income children (72 % of 4,200) gain 1.8 times what others gain. If a is the gain of
    # others, 0.72·1.8·a + 0.28·a = 9, so a = 5.7 and low income 10.3 points. The tilt of income by race and
    # the smallest cells move the shares a little, hence the tolerance of 0.3 points.
    gains = simulated.truth["sites"]["alder-park"]["kindergarten_ready"]["subgroups"]["income"]
    assert gains["not low income"]["level_change"] == pytest.approx(5.7, abs=0.3)
    assert gains["low income"]["level_change"] == pytest.approx(10.3, abs=0.3)
    even = simulated.truth["sites"]["birchwater"]["chronic_absence"]["subgroups"]["race_ethnicity"]
    assert {group["level_change"] for group in even.values()} == {-8.0}


def test_a_gap_narrows_where_the_truth_says_so(many):
    # By the gains above, the low-income gap in readiness at Alder Park narrows from the pre-period to 2024
    # by (10.3 − 5.7)/9 = 0.511 of the total's gain, 9 + 5·1.5: 8.4 points.
    narrowing = []
    for network in many:
        frame = network.indicators.query(
            "site_id == 'alder-park' and indicator == 'kindergarten_ready' and dimension == 'income'"
        )
        rates = frame.assign(rate=100 * frame["numerator"] / frame["denominator"]).pivot_table(
            index="period", columns="subgroup", values="rate"
        )
        gap = rates["low income"] - rates["not low income"]
        narrowing.append(gap["2024"] - gap[:"2018"].mean())
    # Standard error of a gap in one year is about 7 points (n = 200 and 80): 1.3 over 30 seeds.
    assert np.mean(narrowing) == pytest.approx(8.4, abs=4.0)


def test_reach_counts_persons_within_the_denominator_of_the_table(simulated):
    totals = simulated.indicators.query("dimension == 'all'").set_index(["site_id", "indicator", "period"])
    reach = simulated.reach
    assert (reach["served"] <= reach["population"]).all()
    assert reach["dose"].between(0, 1).all()
    for row in reach.itertuples():
        assert row.population == totals.loc[(row.site_id, row.indicator, row.period), "denominator"]


def test_evidence_is_drawn_by_the_truth_of_its_hypothesis(many):
    # The share of items seen must lie near the midpoints of their ranges: s where the hypothesis is true,
    # e where it is false. About 70 items times 30 seeds: standard error below 0.02.
    rows = []
    for network in many:
        for item in network.evidence.query("observed != 'not_sought'").itertuples():
            holds = network.truth["hypotheses"][item.site_id][item.hypotheses]
            expected = (item.s_lo + item.s_hi) / 2 if holds else (item.e_lo + item.e_hi) / 2
            rows.append((holds, item.observed == "yes", expected))
    frame = pd.DataFrame(rows, columns=["holds", "seen", "expected"])
    for _, part in frame.groupby("holds"):
        assert part["seen"].mean() == pytest.approx(part["expected"].mean(), abs=0.06)


def test_evidence_comes_from_several_parties_and_degrees_of_confidentiality(simulated):
    assert set(simulated.evidence["confidentiality"]) == {"public", "partner", "restricted"}
    assert set(simulated.evidence["observed"]) == {"yes", "no", "not_sought"}
    assert simulated.evidence["source"].nunique() >= 4
    assert simulated.evidence["id"].is_unique


def test_series_follow_the_segmented_mean_when_there_is_hardly_any_noise():
    # 10 + t, and from the fourth period on 5 + 2·(t − 3) more: 13 + 5, 14 + 7, 15 + 9.
    series = simulate_series(
        n_series=2, n_pre=3, n_post=3, rho=0.0, intercept=10, trend=1, level_change=5, slope_change=2,
        sigma=1e-9, seed=1,
    )  # fmt: skip
    assert series.shape == (2, 6)
    np.testing.assert_allclose(series, [[10, 11, 12, 18, 21, 24]] * 2, atol=1e-6)


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.3, 0.6, 0.9])
def test_series_have_the_autocorrelation_and_variance_asked_for(rho):
    errors = simulate_series(n_series=2000, n_pre=50, n_post=50, rho=rho, sigma=1.0, seed=11)
    # Known mean 0, so no bias: Σ e_t e_(t−1) / Σ e_t² over 200,000 pairs has standard error below 0.005.
    lagged = (errors[:, 1:] * errors[:, :-1]).mean() / (errors**2).mean()
    assert lagged == pytest.approx(rho, abs=0.02)
    # Stationary from the first period on: variance 1/(1 − rho²) there too; 2,000 draws, 4 standard errors.
    variance = 1 / (1 - rho**2)
    assert errors[:, 0].var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 2000))
    assert errors[:, -1].var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 2000))


@pytest.mark.parametrize(
    ("choice", "words"),
    [({"rho": 1.0}, "between -1 and 1"), ({"n_pre": 0}, "at least 1"), ({"n_series": 0}, "at least 1")],
)
def test_impossible_series_are_refused(choice, words):
    asked = {"n_series": 1, "n_pre": 3, "n_post": 3, "rho": 0.2, "seed": 1} | choice
    with pytest.raises(DesignError, match=words):
        simulate_series(**asked)


def test_the_demo_declares_the_simulated_sites_and_starts(demo):
    assert demo.synthetic
    assert {site_id: site.start for site_id, site in demo.sites.items()} == {
        site_id: str(site.start) for site_id, site in SITES.items()
    }
    for site_id, site in demo.sites.items():
        assert site.comparison is not None
        assert site.comparison.site_ids == (f"{site_id}-comparison",)
        assert "(fictional)" in site.name


def test_the_demo_declares_the_simulated_partners_and_solutions(demo):
    declared = {
        (
            *(site_id, partner.partner_id, solution.solution_id, solution.name, solution.kind),
            *(solution.indicators, int(solution.start or 0)),
        )
        for site_id, site in demo.sites.items()
        for partner in site.partners
        for solution in partner.solutions
    }
    assert declared == {tuple(solution)[:-1] for solution in SOLUTIONS}


def test_the_demo_declares_the_hypotheses_and_sources_that_the_evidence_names(demo, simulated):
    for site_id, site in demo.sites.items():
        model = site.contribution
        assert model is not None
        evidence = simulated.evidence[simulated.evidence["site_id"] == site_id]
        declared = {hypothesis.id for hypothesis in model.hypotheses}
        assert declared == set(evidence["hypotheses"]) == set(simulated.truth["hypotheses"][site_id])
        assert set(evidence["source"]) <= {source.id for source in model.sources}
        about = MAIN_HYPOTHESES | LINK_HYPOTHESES
        assert declared == {*RIVALS, *(name for name, (place, _, _) in about.items() if place == site_id)}


def test_a_rival_is_examined_in_the_demo_exactly_where_evidence_was_sought(demo, simulated):
    sought = simulated.evidence.query("observed != 'not_sought'")
    for site_id, site in demo.sites.items():
        looked_into = set(sought[sought["site_id"] == site_id]["hypotheses"])
        for hypothesis in site.contribution.hypotheses:
            if hypothesis.kind == "rival":
                assert hypothesis.examined == (hypothesis.id in looked_into), (site_id, hypothesis.id)


def test_the_reach_in_the_demo_is_the_simulated_reach(demo, simulated):
    rows = simulated.reach.set_index(["site_id", "solution_id", "indicator", "period"])
    for site_id, site in demo.sites.items():
        assert site.contribution.reach
        for item in site.contribution.reach:
            row = rows.loc[(site_id, item.solution, item.indicator, item.period)]
            assert (item.served, item.population, item.dose) == tuple(
                row[["served", "population", "dose"]]
            ), (site_id, item.solution)


def test_the_demo_leads_with_indicators_that_were_simulated(demo, simulated):
    available = simulated.indicators.groupby("site_id")["indicator"].agg(set)
    for site_id, site in demo.sites.items():
        assert set(site.headline) <= available[site_id]
        assert {target.indicator for target in site.targets} == set(site.headline)
        assert {baseline.indicator for baseline in site.baselines} == set(site.headline)


def test_baselines_are_the_last_measured_period_before_the_start(demo, simulated):
    totals = simulated.indicators.query("dimension == 'all' and status == 'reported'")
    for site_id, site in demo.sites.items():
        for baseline in site.baselines:
            start = simulated.truth["sites"][site_id][baseline.indicator]["start"]
            series = totals.query("site_id == @site_id and indicator == @baseline.indicator")
            assert baseline.period == series.loc[series["period"] < start, "period"].max(), baseline


def test_the_evidence_fits_the_declared_model_of_every_site(demo, simulated):
    dictionary = read_dictionary()
    for site_id, site in demo.sites.items():
        rows = simulated.evidence[simulated.evidence["site_id"] == site_id].drop(columns="site_id")
        evidence = tuple(
            Evidence(**{**row, "hypotheses": (row["hypotheses"],)}) for row in rows.to_dict("records")
        )
        model = site.contribution.model_copy(update={"evidence": evidence})
        assert check_theory(model, dictionary) == []
