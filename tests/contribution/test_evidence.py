"""Golden values: the definitions D1 to D5 of the shared page on contribution analysis; arithmetic by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.contribution.evidence import (
    EvidenceItem,
    cluster_log_ratio,
    decibels,
    evidence_test,
    joint_log_ratio,
    likelihood_ratio,
    likelihood_ratio_range,
    posterior_probability,
    prior_needed,
    share_among_rivals,
    update,
)

probability = st.floats(0.02, 0.98)


def item(s, e, observed="yes", *, source="records", party="independent", cluster=""):
    s = s if isinstance(s, tuple) else (s, s)
    e = e if isinstance(e, tuple) else (e, e)
    return EvidenceItem(s=s, e=e, observed=observed, source=source, party=party, cluster=cluster)


@st.composite
def ranges(draw):
    low, high = sorted((draw(probability), draw(probability)))
    return low, high


@st.composite
def items(draw):
    return EvidenceItem(
        s=draw(ranges()),
        e=draw(ranges()),
        observed=draw(st.sampled_from(["yes", "no", "not_sought"])),
        source=draw(st.sampled_from(["a", "b", "c"])),
        party=draw(st.sampled_from(["independent", "partner"])),
        cluster=draw(st.sampled_from(["", "delivery"])),
    )


@pytest.mark.parametrize(
    ("s", "e", "seen", "absent", "name"),
    [
        (0.6, 0.05, 0.923077, 0.296296, "smoking gun"),
        (0.95, 0.4, 0.703704, 0.076923, "hoop"),
        (0.95, 0.05, 0.95, 0.05, "doubly decisive"),
        (0.6, 0.4, 0.6, 0.4, "straw in the wind"),
    ],
)
def test_the_four_tests_move_an_even_prior_as_published(s, e, seen, absent, name):
    assert posterior_probability(0.5, np.log(likelihood_ratio(s, e, observed="yes"))) == pytest.approx(
        seen, abs=1e-6
    )
    assert posterior_probability(0.5, np.log(likelihood_ratio(s, e, observed="no"))) == pytest.approx(
        absent, abs=1e-6
    )
    assert evidence_test(s, e) == name


def test_a_likely_sight_that_is_likely_anyway_is_only_a_straw():
    assert evidence_test(0.95, 0.6) == "straw in the wind"


def test_a_ratio_of_exactly_ten_is_a_smoking_gun():
    assert evidence_test(0.9, 0.09) == "smoking gun"


def test_gun_seen_hoop_passed_and_straw_absent_multiply_to_nineteen():
    ratios = likelihood_ratio([0.6, 0.95, 0.6], [0.05, 0.4, 0.4], observed=["yes", "yes", "no"])
    joint = np.log(ratios).sum()
    assert math.exp(joint) == pytest.approx(19, abs=1e-6)
    assert posterior_probability(0.5, joint) == pytest.approx(0.95, abs=1e-6)
    assert decibels(joint) == pytest.approx(12.787536, abs=1e-6)
    assert prior_needed(0.85, joint) == pytest.approx(0.229730, abs=1e-6)


def test_evidence_that_nobody_looked_for_changes_nothing():
    assert likelihood_ratio(0.9, 0.1, observed="not_sought") == 1
    assert update([item(0.9, 0.1, "not_sought")], prior=(0.3, 0.5)).value.point == pytest.approx(0.4)


def test_certainty_is_clipped_to_99_to_1():
    assert likelihood_ratio(1.0, 0.0) == pytest.approx(99)


def test_an_unknown_observation_is_refused():
    with pytest.raises(ValueError, match="'maybe'"):
        likelihood_ratio(0.5, 0.5, observed="maybe")


@pytest.mark.parametrize(("rho", "expected"), [(0, 0.941176), (0.25, 0.901861), (0.5, 0.863938), (1, 0.8)])
def test_two_dependent_items_count_for_less(rho, expected):
    joint = cluster_log_ratio(np.log([4, 4]), rho)
    assert posterior_probability(0.5, joint) == pytest.approx(expected, abs=1e-6)


def test_default_dependence_is_whole_within_a_source_half_within_a_party_and_none_between_parties():
    log_four = math.log(4)
    values = [log_four, log_four]
    one_source = [item(0.8, 0.2), item(0.8, 0.2)]
    one_party = [item(0.8, 0.2, source="a"), item(0.8, 0.2, source="b")]
    two_parties = [item(0.8, 0.2, party="resident"), item(0.8, 0.2, party="partner")]
    assert joint_log_ratio(one_source, values) == pytest.approx(log_four)
    assert joint_log_ratio(one_party, values) == pytest.approx(2 * log_four / 1.5)
    assert joint_log_ratio(two_parties, values) == pytest.approx(2 * log_four)
    found = update(one_party, prior=(0.5, 0.5))
    assert found.value.point == pytest.approx(0.863938, abs=1e-6)
    assert (found.independent, found.dependent) == pytest.approx((0.941176, 0.8), abs=1e-6)


def test_a_weak_item_from_the_same_source_does_not_dilute_a_strong_one():
    assert cluster_log_ratio(np.log([100, 1.1]), 1.0) == pytest.approx(math.log(100))


@given(st.floats(0.05, 4), st.integers(1, 12), st.floats(0, 1))
def test_like_items_join_by_the_plain_formula(value, count, rho):
    plain = count * value / (1 + (count - 1) * rho)
    assert cluster_log_ratio([value] * count, rho) == pytest.approx(plain)
    assert cluster_log_ratio([-value] * count, rho) == pytest.approx(-plain)


@given(st.lists(st.floats(0.01, 4), min_size=1, max_size=8), st.floats(0, 1))
def test_joined_items_lie_between_the_strongest_and_their_sum_and_above_the_plain_formula(values, rho):
    joined = cluster_log_ratio(values, rho)
    assert max(values) - 1e-12 <= joined <= sum(values) + 1e-12
    assert joined >= sum(values) / (1 + (len(values) - 1) * rho) - 1e-12


@given(st.lists(st.floats(-4, 4), max_size=8), st.floats(0.01, 4), st.floats(0, 1))
def test_one_more_item_for_the_hypothesis_never_speaks_against_it(values, more, rho):
    assert cluster_log_ratio([*values, more], rho) >= cluster_log_ratio(values, rho) - 1e-12


def test_ranges_of_prior_and_evidence_reach_the_posterior():
    found = update([item((0.5, 0.7), (0.03, 0.1))], prior=(0.4, 0.6)).value
    assert (found.low, found.high) == pytest.approx((0.769231, 0.972222), abs=1e-6)


def test_absent_evidence_turns_the_range_around():
    low, high = likelihood_ratio_range(0.5, 0.7, 0.03, 0.1, observed="no")
    assert (low, high) == pytest.approx((0.3 / 0.97, 0.5 / 0.9))


def test_rivals_share_one_unit_of_belief():
    likelihoods = np.log([0.8 * 0.7, 0.3 * 0.2, 0.3 * 0.6])
    assert share_among_rivals([1, 1, 1], likelihoods) == pytest.approx([0.70, 0.075, 0.225], abs=1e-6)


@given(probability, probability, probability, st.floats(0, 0.5))
def test_posterior_rises_with_s_and_falls_with_e(prior, s, e, more):
    base = posterior_probability(prior, np.log(likelihood_ratio(s, e)))
    assert posterior_probability(prior, np.log(likelihood_ratio(s + more, e))) >= base - 1e-12
    assert posterior_probability(prior, np.log(likelihood_ratio(s, e + more))) <= base + 1e-12


@given(st.lists(items(), max_size=8), ranges())
def test_the_range_contains_the_point(log, prior):
    found = update(log, prior=prior)
    assert found.value.low - 1e-9 <= found.value.point <= found.value.high + 1e-9


@given(st.lists(items(), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_does_not_matter(log, random):
    shuffled = list(log)
    random.shuffle(shuffled)
    first, second = update(log, prior=(0.4, 0.6)), update(shuffled, prior=(0.4, 0.6))
    assert first.value.point == pytest.approx(second.value.point, abs=1e-12)
    assert first.value.low == pytest.approx(second.value.low, abs=1e-12)


@given(st.lists(items(), min_size=1, max_size=8), st.data())
def test_leaving_out_evidence_that_speaks_for_it_never_raises_the_lower_bound(log, data):
    left_out = data.draw(st.integers(0, len(log) - 1))
    gone = log[left_out]
    low, _ = likelihood_ratio_range(*gone.s, *gone.e, observed=gone.observed)
    rest = [*log[:left_out], *log[left_out + 1 :]]
    before, after = update(log, prior=(0.4, 0.6)).value, update(rest, prior=(0.4, 0.6)).value
    if low >= 1:
        assert after.low <= before.low + 1e-12
