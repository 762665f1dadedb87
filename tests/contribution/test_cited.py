"""Expected numbers by hand, from the stated rule: e from the tail of the interval, s from its power."""

import pytest
from made_up_town import MODEL, changed, site_with, time_series
from scipy import stats

from evalkit.contribution import contribution_analysis
from evalkit.contribution.cited import citation_problem, read_estimate, with_estimates

CITED = {
    "id": "cited",
    "hypotheses": ["main"],
    "statement": "Chronic absence fell below its projected baseline.",
    "estimate": "its:chronic_absence:effect_average",
    "rationale": "The series knows nothing of the coaches.",
    "source": "district",
}


def filled(results, dictionary, **change):
    model = changed(evidence=[*MODEL["evidence"], CITED | change])
    done = with_estimates(model, results, site=site_with(model), dictionary=dictionary, conf_level=0.95)
    return done.evidence[-1]


def test_s_and_e_follow_from_the_estimate_and_what_theory_expects(dictionary):
    # Reach .4, dose .75, effect .05 to .25: 1.5 to 7.5 points expected. A fall of 8, interval 5 to 11.
    item = filled(time_series(), dictionary)
    error = 6 / (2 * stats.norm.ppf(0.975))
    assert item.observed == "yes"
    assert item.s_lo == pytest.approx(1 - stats.norm.cdf(1.959964 - 1.5 / error), abs=1e-6)
    assert item.s_hi == pytest.approx(1 - stats.norm.cdf(1.959964 - 7.5 / error), abs=1e-6)
    assert (item.e_lo, item.e_hi) == pytest.approx((0.025, 0.025 + 0.975 * 0.30))
    assert item.rationale.startswith(
        "The series knows nothing of the coaches. Read from the estimate 8.0 (5.0 to 11.0)"
    )


def test_an_interval_that_covers_zero_was_looked_for_and_not_seen(dictionary):
    assert filled(time_series(-2, -6, 2), dictionary).observed == "no"
    assert filled(time_series(8, 5, 11), dictionary).observed == "no"


def test_an_estimate_that_no_result_holds_was_not_sought(dictionary):
    item = filled({}, dictionary)
    assert item.observed == "not_sought"
    assert "No result holds the estimate its:chronic_absence:effect_average" in item.rationale


def test_a_comparison_that_stood_still_makes_another_cause_less_likely(dictionary):
    results = time_series()
    tidy = results["interrupted_time_series"].tidy
    still = tidy.assign(site_id="made-up-comparison", estimate=0.5, conf_low=-2.0, conf_high=3.0)
    results["interrupted_time_series"].tidy.loc[1] = still.iloc[0]
    assert filled(results, dictionary).e_hi == pytest.approx(0.025 + 0.975 * 0.15)


def test_without_a_stated_effect_the_power_is_a_wide_range():
    reading = read_estimate(
        estimate=8, conf_low=5, conf_high=11, std_error=1.5, expected=None, beside_comparison=False,
        conf_level=0.95,
    )  # fmt: skip
    assert reading.s == (0.2, 0.8)


def test_a_cited_estimate_counts_like_any_other_item(dictionary):
    def posterior(evidence):
        found = contribution_analysis(
            site_with(changed(evidence=evidence)), time_series(), audience="public", dictionary=dictionary
        )
        return found.glance["posterior"].iloc[0], found.frames["evidence"]

    alone, _ = posterior(MODEL["evidence"][:1])
    both, log = posterior([MODEL["evidence"][0], CITED])
    assert both > alone
    assert log["observed"].tolist() == ["seen", "seen"]


@pytest.mark.parametrize(
    ("citation", "words"),
    [
        ("chronic_absence", "write method, indicator and term"),
        ("itz:chronic_absence:level_change", "did you mean 'its'?"),
        ("its:chronic_absense:level_change", "did you mean 'chronic_absence'?"),
        ("its:chronic_absence:pre_trend", "cannot serve as evidence"),
        ("its:chronic_absence:level_change", ""),
        ("turn_the_curve:chronic_absence:baseline_forecast_difference", ""),
    ],
)
def test_a_citation_that_means_nothing_is_told_with_its_mend(citation, words, dictionary):
    found = citation_problem(citation, dictionary)
    assert (words in found) if words else found == ""
