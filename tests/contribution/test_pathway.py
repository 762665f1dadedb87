import pytest

from evalkit.contribution.pathway import grade, pathway_confidence


def test_a_chain_is_no_stronger_than_its_weakest_link():
    found = pathway_confidence([0.9, 0.8, 0.7])
    assert (found.weakest, found.product, found.guaranteed) == pytest.approx((0.7, 0.504, 0.4), abs=1e-6)


def test_a_long_doubtful_chain_guarantees_nothing():
    assert pathway_confidence([0.5, 0.5, 0.5]).guaranteed == 0


def test_a_chain_without_links_is_refused():
    with pytest.raises(ValueError, match="at least one link"):
        pathway_confidence([])


@pytest.mark.parametrize(
    ("lower", "words"),
    [
        (0.99, "practical certainty"),
        (0.95, "reasonable certainty"),
        (0.949, "high confidence"),
        (0.85, "high confidence"),
        (0.70, "cautious confidence"),
        (0.50, "more likely than not"),
        (0.499, "not established"),
    ],
)
def test_the_lower_bound_is_graded(lower, words):
    assert grade(lower) == words
