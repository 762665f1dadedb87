from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.charts.style import alt_text, figure_of
from evalkit.results import read_result, save_result
from evalkit.synthesis.comparison import ALL_SITES, compare_sites

NAN = float("nan")


@pytest.fixture
def comparison(its, gaps, network, dictionary):
    results = {
        "alder": {
            "interrupted_time_series": its("alder", graduation_rate=(4.0, 1.0), chronic_absence=(-2.0, 1.0)),
            "equity_gaps": gaps("alder", estimate=-8.0, std_error=2.0, reference="not low income"),
        },
        "birch": {
            "interrupted_time_series": its(
                "birch", graduation_rate=(4.0, 2.0), chronic_absence=(NAN, NAN), note="3 periods"
            ),
            "equity_gaps": gaps(
                "birch", estimate=-6.0, std_error=2.0, period="2023", reference="not low income"
            ),
        },
        "cedar": {
            "interrupted_time_series": its("cedar", graduation_rate=(NAN, NAN), note="counts are ranges")
        },
    }
    return compare_sites(results, network, dictionary)


def rows(result, **wanted):
    frame = result.tidy
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return frame


def test_comparable_sites_are_pooled_as_by_hand(comparison):
    # By hand: weights 1 and 1/4 of two estimates of 4: average 4, s.e. 1/sqrt(1.25); t of 1 df 12.7062.
    row = rows(comparison, site_id=ALL_SITES, indicator="graduation_rate", term="level_change").iloc[0]
    assert row["estimate"] == pytest.approx(4.0)
    assert row["std_error"] == pytest.approx(0.894427, abs=1e-6)
    assert row["conf_low"] == pytest.approx(4 - 12.7062 * 0.894427, abs=1e-3)
    assert row["n"] == 2
    assert "only two sites" in row["note"]


def test_two_sites_give_no_prediction_interval(comparison):
    assert rows(comparison, term="level_change_prediction").empty


def test_one_site_is_never_pooled_and_the_narrative_says_so(comparison):
    row = rows(comparison, site_id=ALL_SITES, indicator="chronic_absence", term="effect_average").iloc[0]
    assert np.isnan(row["estimate"])
    assert row["note"] == "only Alder Park could be told; one site is not pooled"
    assert "Only Alder Park could be told, and one site is not pooled" in comparison.summary()


def test_every_site_has_a_row_for_every_question_with_the_reason_where_it_has_no_estimate(comparison):
    found = rows(comparison, indicator="chronic_absence", term="effect_average").set_index("site_id")["note"]
    assert found["birch"] == "not pooled: 3 periods"
    assert found["cedar"] == "not pooled: the site has no figures for this indicator"
    assert list(found.index[:3]) == ["alder", "birch", "cedar"]


def test_another_latest_period_keeps_a_gap_out_of_the_pool(comparison):
    frame = comparison.frames["comparable"]
    told = frame[frame["question"].str.startswith("gap")].set_index("site_id")
    # One site each for 2023 and 2024: the later one stands.
    assert told.loc["alder", "comparable"] == "yes"
    assert told.loc["birch", "because"] == "period"
    assert told.loc["birch", "reason"] == "its latest period is 2022-23; that of the other sites is 2023-24"


def test_the_comparison_sites_are_pooled_apart_from_the_sites(its, network, dictionary):
    results = {}
    for name, own, other in (("alder", 5.0, 1.0), ("birch", 5.0, 2.0), ("cedar", 5.0, 3.0)):
        result = its(name, graduation_rate=(own, 1.0))
        beside = its(f"{name}-comparison", graduation_rate=(other, 1.0))
        both = pd.concat([result.tidy, beside.tidy], ignore_index=True)
        results[name] = {"interrupted_time_series": replace(result, tidy=both)}
    found = rows(compare_sites(results, network, dictionary), site_id=ALL_SITES).set_index("term")["estimate"]
    assert found["effect_average"] == pytest.approx(5.0)
    assert found["comparison_effect_average"] == pytest.approx(2.0)


def test_blurred_counts_give_two_ends_and_no_average(its, network, dictionary):
    def blurred(name, low, high):
        result = its(name, graduation_rate=(NAN, NAN), note="known only within bounds")
        ends = [
            result.tidy.assign(
                term=result.tidy["term"] + case, estimate=end, conf_low=end - 5, conf_high=end + 5, note=""
            )
            for case, end in (("_worst_case", low), ("_best_case", high))
        ]
        tidy = pd.concat([result.tidy, *ends], ignore_index=True)
        return {"interrupted_time_series": replace(result, tidy=tidy)}

    comparison = compare_sites(
        {"alder": blurred("alder", -2.0, 6.0), "birch": blurred("birch", 1.0, 3.0)}, network, dictionary
    )
    worst = rows(comparison, site_id="alder", term="effect_average_worst_case").iloc[0]
    assert worst["estimate"] == -2.0
    assert "worst and a best case only" in worst["note"]
    pooled = rows(comparison, site_id=ALL_SITES, term="effect_average").iloc[0]
    assert np.isnan(pooled["estimate"])
    assert "never pooled: Alder Park −2.0 points to +6.0 points" in comparison.summary()
    assert any("range −2.0 to 6.0, not pooled" in text.get_text() for text in comparison.plot().texts)


def test_another_population_keeps_a_site_out_of_the_pool(its, network, dictionary):
    results = {
        "alder": {"interrupted_time_series": its("alder", graduation_rate=(4.0, 1.0))},
        "birch": {"interrupted_time_series": its("birch", population="resident", graduation_rate=(9.0, 1.0))},
        "cedar": {"interrupted_time_series": its("cedar", graduation_rate=(5.0, 1.0))},
    }
    comparison = compare_sites(results, network, dictionary)
    frame = comparison.frames["comparable"].set_index(["site_id", "question"])
    assert frame.loc["birch", "because"].eq("population").all()
    assert rows(comparison, site_id=ALL_SITES, term="effect_average")["estimate"].iloc[0] == pytest.approx(
        4.5
    )
    assert comparison.frames["matrix"].loc[0, ["Alder Park", "Birchwater"]].tolist() == ["yes", "population"]


def test_another_reference_keeps_a_gap_out_of_the_pool(gaps, network, dictionary):
    results = {
        name: {"equity_gaps": gaps(name, estimate=-5.0, std_error=1.0, reference=reference)}
        for name, reference in (("alder", "a"), ("birch", "b"), ("cedar", "b"))
    }
    frame = compare_sites(results, network, dictionary).frames["comparable"].set_index("site_id")
    assert frame.loc["alder", "reason"] == "the gap is to a; that of the other sites is to b"


def test_fictional_sites_are_called_fictional(comparison):
    assert "fictional" in comparison.narrative[0]
    assert comparison.design["synthetic"] is True
    assert "Fictional" in figure_of(comparison.plot()).get_supxlabel()


def test_nothing_is_ranked_or_said_to_be_caused(comparison):
    text = comparison.summary().lower()
    for word in ("best site", "rank first", "caused", "led to", "due to", "outperform"):
        assert word not in text


def test_no_results_at_all_give_a_sentence_and_no_error(network, dictionary):
    comparison = compare_sites({}, network, dictionary)
    assert comparison.tidy.empty
    assert "No site has an estimate" in comparison.summary()


def test_a_comparison_reads_back_as_it_was_saved(comparison, tmp_path):
    save_result(comparison, tmp_path, inputs={})
    again = read_result(tmp_path, "comparison")
    assert again.summary() == comparison.summary()
    assert alt_text(again.plot()) == alt_text(comparison.plot())


def test_the_forest_lists_sites_by_name_and_those_not_told_with_the_reason(comparison):
    ax = comparison.plot(indicator="graduation_rate", term="effect_average")
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels[:3] == ["Alder Park, from 2018-19", "Birchwater, from 2018-19", "Cedar Flats, from 2019-20"]
    assert any("not told: counts are ranges" in text.get_text() for text in ax.texts)
    assert "Cedar Flats (counts are ranges)" in alt_text(ax)
    assert "Average +4.0" in alt_text(ax)


@pytest.mark.parametrize(
    ("indicator", "left"), [("graduation_rate", "←  worse"), ("chronic_absence", "←  better (lower)")]
)
def test_the_forest_says_which_side_is_better(comparison, indicator, left):
    assert comparison.plot(indicator=indicator).get_xlabel().startswith(left)


def test_the_callers_results_are_left_as_they_were(its, network, dictionary):
    result = its("alder", graduation_rate=(4.0, 1.0))
    before = result.tidy.copy()
    compare_sites({"alder": {"interrupted_time_series": result}}, network, dictionary)
    assert result.tidy.equals(before)
