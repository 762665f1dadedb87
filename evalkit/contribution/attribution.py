"""Words that claim more than the evidence allows, with the mend for each."""

import re
from typing import NamedTuple

from evalkit.contribution.claim import TOP_CLASS

_BE = r"(?:(?:is|are|was|were|be|been|being) )?(?:(?:largely|mainly|entirely|partly|directly) )?"
_WORK = (
    r"(?:the|our|this|its|their) (?:program|initiative|work|solution|partnership|effort|service|partner)s?"
)
_MOVE = r"(?:the|this|these|an?) (?:gain|change|rise|fall|drop|increase|decrease|improvement|turnaround)s?"

# A pattern that claims attribution -> what to write instead.
ATTRIBUTION_WORDS = {
    r"caus(?:e|es|ed|ing)": "contributed to",
    r"(?:led|leads|lead|leading) (?:directly )?to": "contributed to",
    rf"{_BE}due to": "came with",
    rf"because of {_WORK}": "with a contribution of …",
    r"result(?:ed|ing) (?:in|from)": "contributed to",
    r"results? in(?= (?:an?|more|fewer|better|higher|lower)\b)": "contributed to",
    r"as a (?:direct )?result of": "after",
    r"thanks to": "with a contribution of",
    rf"{_BE}(?:attributable|attributed) to": "came with a contribution of",
    rf"{_BE}responsible for": "contributed to",
    r"(?:brought|brings|bring) about": "contributed to",
    rf"(?:produced|achieved|drove|delivered|created) {_MOVE}": "contributed to …",
    rf"(?:impact|effect) of {_WORK}": "contribution of …",
    r"prove[sd]? that": "is evidence that",
}
_PATTERNS = tuple(
    (re.compile(rf"\b{pattern}\b", re.IGNORECASE), mend) for pattern, mend in ATTRIBUTION_WORDS.items()
)
# A denial within the same clause: "does not show that it caused".
_DENIAL = re.compile(r"(?:\b(?:not|never|no|cannot|nothing|whether)\b|n't\b)[^.;:]{0,40}$", re.IGNORECASE)


class AttributionFinding(NamedTuple):
    """Words that claim attribution, with the line of the text they stand on and a sentence with the mend."""

    line: int
    sentence: str


def attribution_findings(text: str, claim_class: str) -> list[AttributionFinding]:
    """Find the words in a text that claim attribution, in the order of the text; see `lint_attribution`."""
    if claim_class == TOP_CLASS:
        return []
    found = [
        (match.start(), match.group(0), mend)
        for pattern, mend in _PATTERNS
        for match in pattern.finditer(text)
        if not _DENIAL.search(text[: match.start()])
    ]
    return [
        AttributionFinding(
            text.count("\n", 0, start) + 1,
            f'"{words}" claims attribution, which the class "{claim_class}" does not allow; write "{mend}"',
        )
        for start, words, mend in sorted(found)
    ]


def lint_attribution(text: str, claim_class: str) -> list[str]:
    """Find the words in a text that claim attribution, and offer the mend.

    Parameters
    ----------
    claim_class : class of the claim the text is about; only "strongly supported" allows such words

    Returns
    -------
    One sentence for each finding, in the order of the text. Denials ("does not show that it caused") pass.
    """
    return [f"line {finding.line}: {finding.sentence}" for finding in attribution_findings(text, claim_class)]
