import pytest

from evalkit.contribution.rivals import DEFAULT_RIVALS, RIVAL_LABELS, kitagawa


def test_a_change_splits_into_mix_and_rate_as_published():
    found = kitagawa([0.5, 0.5], [0.4, 0.6], [0.6, 0.8], [0.7, 0.85])
    assert (found.total, found.composition, found.rate) == pytest.approx((0.09, 0.0175, 0.0725), abs=1e-6)


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="add up to 1"):
        kitagawa([0.5, 0.4], [0.4, 0.6], [0.6, 0.8], [0.7, 0.85])


def test_every_default_rival_has_a_label():
    assert set(DEFAULT_RIVALS) <= set(RIVAL_LABELS)
