"""The contribution story in plain words; the interval stands beside every number."""

import math
from collections.abc import Mapping, Sequence

from evalkit.contribution.beliefs import Belief, Chain, Rival
from evalkit.contribution.ceiling import Ceiling
from evalkit.contribution.claim import Claim
from evalkit.contribution.evidence import Ranged
from evalkit.contribution.observed import ObservedChange
from evalkit.contribution.rival_tests import NOTHING_FOUND, TOO_SMALL, RivalTest
from evalkit.contribution.rivals import RIVAL_LABELS
from evalkit.dictionary import Indicator
from evalkit.wording import interval, listed, number, percent

WITHOUT_MODEL = "no theory of change or evidence log has been supplied"


def claim_sentence(indicator: Indicator, statement: str, claim: Claim) -> str:
    """State the class of a claim and the reason for it."""
    name = indicator.short_label
    match claim.claim_class:
        case "not assessable":
            return f"{name}: no claim can be assessed, because {claim.reason}."
        case "no change to explain":
            return f"{name}: there is no change to explain: {claim.reason}."
        case "too small":
            return (
                f"{name}: what was done is too small to carry the claim “{_bare(statement)}”: {claim.reason}."
            )
        case "strongly supported":
            return f"{name}: the claim “{_bare(statement)}” is strongly supported: {claim.reason}."
        case "plausible" | "supported":
            return (
                f"{name}: the claim “{_bare(statement)}” is {claim.claim_class}. "
                f"It is not rated higher, because {claim.reason}."
            )
        case _:
            return f"{name}: the claim “{_bare(statement)}” is {claim.claim_class}: {claim.reason}."


def change_sentence(indicator: Indicator, change: ObservedChange, *, conf_level: float) -> str:
    """Say how far the indicator went from its projected baseline."""
    if change.reason:
        return f"{indicator.short_label}: its change could not be estimated: {_bare(change.reason)}."
    side = "above" if change.estimate > 0 else "below"
    period = "" if change.term == "level_change" else " on average"
    unit = "points" if indicator.difference_unit == "percentage points" else indicator.difference_unit
    return (
        f"{indicator.short_label} stood{period} {number(abs(change.estimate))} {unit} {side} the baseline "
        f"projected from the years before the work began ({percent(100 * conf_level)} interval of the "
        f"difference {interval(change.conf_low, change.conf_high)} {unit})."
    )


def belief_sentence(belief: Belief, chain: Chain, *, withheld: int) -> str:
    """Say what the evidence did to the belief in a claim, with the range and the dependence bracket."""
    count, value = len(belief.sought), belief.posterior.value
    if count == 0:
        return "Nobody has yet gone to look for evidence on the claim itself."
    missing = len(belief.items) - count
    hidden = f", {withheld} of them confidential and not printed here" if withheld else ""
    weakest = (
        f" The weakest of the {chain.parts} parts of its pathway that were judged stands at "
        f"{_chance(chain.confidence.weakest)}; for all parts together to hold, at least "
        f"{percent(100 * chain.confidence.guaranteed)} is certain, and "
        f"{percent(100 * chain.confidence.product)} if the parts do not depend on one another."
        if chain.parts > 1
        else ""
    )
    unsought = (
        f" Nobody has yet gone to look for {_counted(missing, 'further item')} of evidence."
        if missing
        else ""
    )
    return (
        f"Before the evidence the claim was given a probability of {percent(100 * belief.prior)} "
        f"(range {_chances(belief.hypothesis.prior_lo, belief.hypothesis.prior_hi)}). After "
        f"{_counted(count, 'item')} of evidence{hidden}, it stands at {_probability(value)}. It would be "
        f"{_chance(belief.posterior.dependent)} if all that one party tells were one and the same news, and "
        f"{_chance(belief.posterior.independent)} if every item were news of its own.{weakest}{unsought}"
    )


def ceiling_sentence(
    ceiling: Ceiling | None,
    *,
    reason: str,
    reach: tuple[float, float],
    dose: float,
    lacking: float,
    conf_level: float,
) -> str:
    """Say what the persons reached could account for, in each of the cases that can arise.

    Parameters
    ----------
    ceiling : None where no count of persons served has been supplied, or it may not be shown
    reason : why there is no ceiling
    reach : lower and upper bound of the share of the denominator reached
    dose : mean fraction of the full dose
    lacking : share without the favourable outcome; NaN where unknown
    """
    if ceiling is None:
        return f"{reason.capitalize()}, so what they could account for is not shown here."
    shares = percent(100 * reach[0]) if math.isclose(*reach) else _percents(*reach)
    how_much = f"at {percent(100 * dose)} of the full dose on average"
    served = f"The work reached {shares} of the people counted, {how_much}."
    return " ".join([served, *_ceiling_parts(ceiling, lacking, conf_level)])


def rivals_sentence(rivals: Sequence[Rival]) -> str:
    """Say which rival explanations were examined, how likely they remain, and which nobody looked into."""
    looked = [rival for rival in rivals if rival.examined and rival.belief is not None]
    open_ones = [rival.label.lower() for rival in rivals if not rival.examined]
    parts = []
    if looked:
        told = [
            f"{rival.label.lower()}, {_probability(rival.belief.posterior.value)}"
            for rival in looked
            if rival.belief is not None
        ]
        noun = "Rival explanations that were" if len(looked) > 1 else "The rival explanation that was"
        remains = "each remains" if len(looked) > 1 else "it remains"
        parts.append(f"{noun} examined, and how likely {remains}: {_series(told)}.")
    if open_ones:
        parts.append(f"Not examined: {listed(open_ones)}.")
    return " ".join(parts)


def tests_sentence(tests: Sequence[RivalTest]) -> str:
    """Say what the saved results say about the size of each rival; "" where they say nothing."""
    if not tests:
        return ""
    small = [test for test in tests if test.reading == TOO_SMALL]
    clean = any(test.reading == NOTHING_FOUND for test in tests)
    open_ones = [test.sentence for test in tests if test.reading not in (TOO_SMALL, NOTHING_FOUND)]
    parts = ["The rivals in numbers, as improvement beside that observed.", *open_ones]
    if small:
        sizes = [
            f"{RIVAL_LABELS[test.rival_type].lower()}, {number(test.estimate)}"
            + ("" if math.isnan(test.conf_low) else f" ({interval(test.conf_low, test.conf_high)})")
            for test in small
        ]
        parts.append(f"Too small to explain it: {_series(sizes)}.")
    if clean:
        parts.append(
            "The check of the data found no new definition, changed id or jump in the number counted."
        )
    return " ".join(parts)


def next_sentence(rows: Sequence[Mapping[str, object]]) -> str:
    """Say which evidence, not sought yet, would tell most; "" where every item has been sought."""
    if not rows:
        return ""
    row = rows[0]
    what = f"“{_bare(str(row['statement']))}”" if row["printed"] else "an item that may not be printed here"
    chances = {name: float(str(row[name])) for name in ("chance_seen", "if_seen", "if_absent")}
    classes = {str(row["class_if_seen"]), str(row["class_if_absent"])} - {"", str(row["class_now"])}
    change = f" The claim could then become {listed(sorted(classes), 'or')}." if classes else ""
    return (
        f"What would tell most, if somebody went to look: {what}. The chance to see it is "
        f"{_chance(chances['chance_seen'])}; the probability of the statement it bears on would then be "
        f"{_chance(chances['if_seen'])}, and {_chance(chances['if_absent'])} if it is not there.{change}"
    )


def withheld_sentence(withheld: int, total: int) -> str:
    """Say how many items count without being printed; "" where none does."""
    if not withheld:
        return ""
    verb = "comes" if withheld == 1 else "come"
    return (
        f"{withheld} of the {_counted(total, 'item')} of evidence {verb} from confidential sources: "
        "counted in the probabilities, not printed here."
    )


def _ceiling_parts(ceiling: Ceiling, lacking: float, conf_level: float) -> list[str]:
    parts = []
    if math.isnan(ceiling.ceiling):
        parts.append("No study of the effect has been supplied, so no ceiling can be given.")
    else:
        parts.append(
            f"Those reached could account for about {_points(ceiling.ceiling)} points of improvement (range "
            f"{interval(100 * ceiling.low, 100 * ceiling.high)})"
        )
        parts[-1] += _share_part(ceiling, conf_level)
    if ceiling.observed > 0 and not math.isnan(ceiling.effect_needed):
        needed = f"each person fully served would have had to gain {_points(ceiling.effect_needed)} points"
        if ceiling.attribution_is_impossible:
            parts.append(
                f"They cannot account for the whole change: {needed}, more than the "
                f"{_points(lacking)} points that were open to gain."
            )
        else:
            parts.append(f"To account for the whole change, {needed}.")
    if not math.isnan(ceiling.headroom):
        parts.append(
            "Had every person reached gained the outcome, the rate would have moved by "
            f"{_points(ceiling.headroom)} points."
        )
    return parts


def _share_part(ceiling: Ceiling, conf_level: float) -> str:
    if ceiling.has_share:
        all_of_it = ", as much as the whole change" if ceiling.share >= 1 else ""
        return (
            f", {percent(100 * ceiling.share)} of the observed change ({percent(100 * conf_level)} interval "
            f"{_percents(ceiling.share_low, ceiling.share_high)}){all_of_it}."
        )
    if ceiling.went_the_wrong_way:
        return "; no share can be estimated, because the change went the wrong way."
    return "; no share can be estimated, because the observed change may be no change at all."


def _bare(text: str) -> str:
    return text.strip().rstrip(".")


def _series(items: list[str]) -> str:
    return f"{'; '.join(items[:-1])}; and {items[-1]}" if len(items) > 1 else "".join(items)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _points(proportion: float) -> str:
    return number(100 * proportion)


def _percents(low: float, high: float) -> str:
    return f"{interval(100 * low, 100 * high, 0)}%"


def _probability(value: Ranged) -> str:
    told = {_chance(end) for end in (value.low, value.point, value.high)}
    if len(told) == 1:
        return _chance(value.point)
    return f"{_chance(value.point)} (range {_chances(value.low, value.high)})"


def _chances(low: float, high: float) -> str:
    return f"{_chance(low)} to {_chance(high)}"


def _chance(probability: float) -> str:
    """Write a probability in percent; one that would round to certainty says so."""
    if probability > 0.995:
        return "over 99%"
    return "under 1%" if probability < 0.005 else percent(100 * probability)
