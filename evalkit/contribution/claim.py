"""The claim class: the first of an ordered list of reasons that holds decides what may be said."""

import math
from dataclasses import dataclass

from evalkit.contribution_model import CLAIM_CLASSES

CLASSES = CLAIM_CLASSES
TOP_CLASS = CLASSES[-1]
EARNS_CONTRIBUTED = ("plausible", "supported", "strongly supported")

SMALLEST_SHARE = 0.05  # share of the observed change; below it the solutions could explain next to nothing
SMALLEST_MEANINGFUL_CHANGE = 0.01  # proportion; a change of one person in a hundred
NOT_SUPPORTED_BELOW = 0.5  # upper bound of the posterior
PLAUSIBLE_FROM = 0.7  # lower bound of the posterior
SUPPORTED_FROM = 0.85
STRONGLY_SUPPORTED_FROM = 0.95
RIVAL_MAY_REACH = 0.5  # posterior of a rival, for "plausible"
RIVAL_MAY_REACH_SUPPORTED = 0.3  # posterior of a rival, for "supported"
BORDER = 1e-9  # probability; (.2 + .4) / 2 must not count as above .3
INDEPENDENT_PARTIES = 2  # sources whose party is "independent", for "supported"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that decides a claim, about one main hypothesis and one indicator.

    Attributes
    ----------
    obstacle : why no claim can be assessed (cells too small, definition break, a link without evidence); ""
    change_covers_zero : the interval of the observed change against the projected baseline holds 0
    change_is_favourable : the change went the way that is wanted
    share_high : upper end of the ceiling's share; None where it is unknown
    headroom : change if every person reached got the outcome, as a proportion; None where it is unknown
    lower, upper : bounds of the weakest link's posterior
    exposure_after_change : what was done began only after the outcome had been measured for the last time
    rivals_unexamined : names of rivals that nobody has looked into
    rivals_measured : names of rivals whose measured size could stand for at least half of the change
    strongest_rival : the highest posterior among the examined rivals; 0 where there is none
    independent_sources : number of sources of an independent party that speak for the hypothesis
    counterfactual_excludes_zero : the interval against the counterfactual excludes 0, in the right direction
    """

    obstacle: str = ""
    change_covers_zero: bool
    change_is_favourable: bool = True
    share_high: float | None = None
    headroom: float | None = None
    lower: float
    upper: float
    exposure_after_change: bool = False
    rivals_unexamined: tuple[str, ...] = ()
    rivals_measured: tuple[str, ...] = ()
    strongest_rival: float = 0.0
    independent_sources: int = 0
    counterfactual_excludes_zero: bool = False


@dataclass(frozen=True)
class Claim:
    """What may be said, and the reason in plain words."""

    claim_class: str
    reason: str

    @property
    def rank(self) -> int:
        """Place in `CLASSES`; higher says more."""
        return CLASSES.index(self.claim_class)


def classify(findings: Findings, *, smallest_meaningful_change: float = SMALLEST_MEANINGFUL_CHANGE) -> Claim:
    """Name the class of the first reason that holds.

    Parameters
    ----------
    smallest_meaningful_change : as a proportion; a headroom below it makes the claim "too small"

    Examples
    --------
    >>> classify(Findings(change_covers_zero=True, lower=0.9, upper=0.99)).claim_class
    'no change to explain'
    """
    early = _before_evidence(findings, smallest_meaningful_change)
    if early is not None:
        return early
    held_back = _held_back(findings)
    if held_back:
        return Claim("possible", held_back)
    short_of_supported = _short_of_supported(findings)
    if short_of_supported:
        return Claim("plausible", short_of_supported)
    if findings.lower < STRONGLY_SUPPORTED_FROM - BORDER:
        return Claim(
            "supported",
            _too_low(findings.lower, STRONGLY_SUPPORTED_FROM),
        )
    if not findings.counterfactual_excludes_zero:
        return Claim("supported", "the interval against the counterfactual does not exclude zero")
    return Claim(
        TOP_CLASS, "strong evidence from independent sources, weak rivals, and a clear break in the curve"
    )


def _before_evidence(findings: Findings, smallest_meaningful_change: float) -> Claim | None:
    if findings.obstacle:
        return Claim("not assessable", findings.obstacle)
    if findings.change_covers_zero:
        return Claim(
            "no change to explain",
            "the observed change against the projected baseline may be no change at all",
        )
    if not findings.change_is_favourable:
        return Claim(
            "no change to explain", "the observed change went the wrong way; there is no gain to explain"
        )
    if findings.share_high is not None and findings.share_high < SMALLEST_SHARE:
        return Claim(
            "too small",
            f"the persons reached could account for at most {100 * findings.share_high:.0f}% of the change",
        )
    if findings.headroom is not None and findings.headroom < smallest_meaningful_change:
        return Claim(
            "too small",
            "even if every person reached had gained the outcome, the rate would have moved by "
            f"less than {100 * smallest_meaningful_change:.0f} point",
        )
    if findings.exposure_after_change:
        return Claim("not supported", "the work began only after the outcome had been measured")
    if findings.upper < NOT_SUPPORTED_BELOW - BORDER:
        return Claim(
            "not supported",
            f"the evidence speaks against it: its probability is at most {_percent(findings.upper)}",
        )
    return None


def _held_back(findings: Findings) -> str:
    if findings.lower < PLAUSIBLE_FROM - BORDER:
        return _too_low(findings.lower, PLAUSIBLE_FROM)
    if findings.rivals_unexamined:
        count = len(findings.rivals_unexamined)
        return f"{count} rival explanation{'s have' if count > 1 else ' has'} not been examined"
    if findings.rivals_measured:
        return (
            f"the numbers at hand leave room for a rival explanation: {findings.rivals_measured[0].lower()} "
            "could account for at least half of the change"
        )
    if findings.strongest_rival > RIVAL_MAY_REACH + BORDER:
        return "a rival explanation is more likely than not"
    return ""


def _short_of_supported(findings: Findings) -> str:
    if findings.lower < SUPPORTED_FROM - BORDER:
        return _too_low(findings.lower, SUPPORTED_FROM)
    if findings.strongest_rival > RIVAL_MAY_REACH_SUPPORTED + BORDER:
        return f"a rival explanation keeps a probability of {_percent(findings.strongest_rival)}"
    if findings.independent_sources < INDEPENDENT_PARTIES:
        how_many = "only one" if findings.independent_sources else "no"
        return f"{how_many} independent source speaks for it; {INDEPENDENT_PARTIES} are needed"
    return ""


def _too_low(lower: float, needed: float) -> str:
    return f"its probability may be as low as {_percent(lower)}, and {_percent(needed)} is needed"


def _percent(probability: float) -> str:
    # Rounded down, so that a bound just short of a border never reads as if it had reached it.
    return f"{math.floor(100 * probability + 1e-9)}%"
