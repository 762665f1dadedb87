import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.contribution.draws import central_range, draw_posteriors
from evalkit.contribution.evidence import EvidenceItem, update

probability = st.floats(0.02, 0.98)


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


@settings(max_examples=50, deadline=None)
@given(st.lists(items(), max_size=8), ranges())
def test_every_draw_lies_within_the_range_that_the_ends_allow(log, prior):
    bounds = update(log, prior=prior).value
    drawn = draw_posteriors(log, [prior], [range(len(log))], draws=200)[0]
    assert drawn.min() >= bounds.low - 1e-9
    assert drawn.max() <= bounds.high + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.lists(items(), max_size=8), probability)
def test_ranges_of_no_width_give_the_point_in_every_draw(log, prior):
    fixed = [
        EvidenceItem((item.s[0],) * 2, (item.e[0],) * 2, item.observed, item.source, item.party, item.cluster)
        for item in log
    ]
    drawn = draw_posteriors(fixed, [(prior, prior)], [range(len(fixed))], draws=5)[0]
    assert drawn == pytest.approx(update(fixed, prior=(prior, prior)).value.point, abs=1e-12)


def test_the_mean_of_uniform_draws_is_that_of_the_integral():
    # One item with s = .9 and e uniform on [.1, .3], prior .5: the mean of .9/(.9+e) is .9/.2 · ln(1.2/1.0).
    item = EvidenceItem((0.9, 0.9), (0.1, 0.3), "yes", "a", "independent")
    drawn = draw_posteriors([item], [(0.5, 0.5)], [[0]])[0]
    # Ten thousand draws of a number whose standard deviation is about .045.
    assert drawn.mean() == pytest.approx(4.5 * np.log(1.2), abs=0.002)


def test_the_same_seed_draws_the_same_and_the_order_of_items_does_not_matter():
    log = [
        EvidenceItem((0.5, 0.5 + step / 20), (0.1, 0.3), "yes", str(step % 3), "independent")
        for step in range(6)
    ]
    shuffled = random.Random(1).sample(log, len(log))
    first, second = (
        draw_posteriors(some, [(0.4, 0.6)], [range(len(some))], draws=100) for some in (log, shuffled)
    )
    assert first == pytest.approx(second, abs=1e-12)


def test_central_range_leaves_two_and_a_half_percent_on_either_side():
    assert central_range(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.5, 0.975))


def test_without_evidence_the_draws_are_those_of_the_prior():
    drawn = draw_posteriors([], [(0.4, 0.6)], [[]])[0]
    assert central_range(drawn) == pytest.approx((0.405, 0.5, 0.595), abs=0.006)
