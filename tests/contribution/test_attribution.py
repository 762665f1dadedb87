import pytest

from evalkit.contribution.attribution import lint_attribution


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The program caused the gain.", "caused"),
        ("Home visiting led to readiness.", "led to"),
        ("The rise was largely due to coaching.", "was largely due to"),
        ("Rates rose because of the program.", "because of the program"),
        ("The work resulted in fewer absences.", "resulted in"),
        ("Thanks to mentors, more graduated.", "Thanks to"),
        ("The gain is attributable to tutoring.", "is attributable to"),
        ("Our partners drove the improvement.", "drove the improvement"),
    ],
)
def test_words_that_claim_attribution_are_found_and_mended(text, words):
    (sentence,) = lint_attribution(text, "plausible")
    assert f'"{words}"' in sentence
    assert "write" in sentence


def test_the_line_is_named():
    (sentence,) = lint_attribution("First line.\nThe program caused it.", "possible")
    assert sentence.startswith("line 2:")


def test_the_top_class_may_say_it():
    assert lint_attribution("The program caused the gain.", "strongly supported") == []


@pytest.mark.parametrize(
    "text",
    [
        "It is plausible that tutoring contributed to the gain.",
        "This does not show that the program caused the gain.",
        "The schedule led by residents ran on time.",
        "Payment is due today.",
        "Because of the weather, schools closed.",
    ],
)
def test_plain_words_and_denials_pass(text):
    assert lint_attribution(text, "possible") == []
