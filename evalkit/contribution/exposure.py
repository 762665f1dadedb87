"""From counts of persons served to the ceiling of one claim."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evalkit.contribution.ceiling import Ceiling, Exposure, contribution_ceiling
from evalkit.contribution.observed import ObservedChange
from evalkit.contribution_model import ContributionModel, Hypothesis, JointReach, Reach
from evalkit.dictionary import Indicator

Counted = TypeVar("Counted", Reach, JointReach)

NO_REACH = "no count of the people served has been supplied"


@dataclass(frozen=True)
class Reached:
    """Whom the solutions of a claim reached, over the post periods with a count.

    Attributes
    ----------
    solutions, exposures : one per solution, its reach and dose averaged over the periods
    bounds : share of the denominator reached by any of them: twice the same number where the site has counted
        everybody once, else Fréchet's bounds, as some may be served twice
    dose : mean fraction of the full dose among those served
    hidden : a count is, or leaves, so few persons that nothing made from it may be shown
    """

    indicator: Indicator
    solutions: tuple[str, ...]
    exposures: tuple[Exposure, ...]
    bounds: tuple[float, float]
    dose: float
    effect_source: str
    hidden: bool = False

    def lacking(self, change: ObservedChange) -> float:
        """Return the share that the projected baseline leaves without the favourable outcome."""
        projected = change.projected / self.indicator.per
        return 1 - projected if self.indicator.favourable == "higher" else projected


def too_few(fewest: int) -> str:
    """Say why what the people served could account for is not shown."""
    return f"the count of people served is, or leaves, fewer than {fewest} persons"


def with_coded_counts(model: ContributionModel, *, fewest: int) -> ContributionModel:
    """Put every count of people served that may not be known at the most that it may be.

    What is weighed with them (a class, the power of an estimate) then tells no more of a count than that it
    is, or leaves, 1 to `fewest` − 1 persons; a ceiling is too high rather than too low.
    """
    return model.model_copy(
        update={
            "reach": tuple(_coded(item, fewest) for item in model.reach),
            "reach_together": tuple(_coded(item, fewest) for item in model.reach_together),
        }
    )


def reached_by(
    hypothesis: Hypothesis | None,
    model: ContributionModel,
    indicator: Indicator,
    *,
    start: str | None,
    last_period: str,
    fewest: int = 1,
) -> Reached | None:
    """Gather the reach of a claim's solutions: those on its pathway, else all that aim at its indicator.

    Parameters
    ----------
    hypothesis : None for all solutions that aim at the indicator
    fewest : persons that a count, or what it leaves of its denominator, must come to, to be shown

    Returns
    -------
    None where no count is supplied, or the indicator is a mean, of which nobody can hold a share.
    """
    rows = [item for item in model.reach if item.indicator == indicator.id]
    on_pathway = [item for item in rows if hypothesis is not None and item.solution in hypothesis.pathway]
    rows = on_pathway or rows
    inside = [
        item
        for item in rows
        if (start or "") <= item.period and (not last_period or item.period <= last_period)
    ]
    rows = inside or rows
    if not rows or indicator.kind != "rate":
        return None
    solutions = sorted({item.solution for item in rows})
    exposures = tuple(_exposure([item for item in rows if item.solution == name]) for name in solutions)
    served = sum(item.reach for item in exposures)
    doses = sum(item.reach * item.dose for item in exposures)
    return Reached(
        indicator=indicator,
        solutions=tuple(solutions),
        exposures=exposures,
        bounds=_joint_share(model, indicator, solutions, inside=rows)
        or (max(item.reach for item in exposures), min(1.0, served)),
        dose=doses / served if served else 0.0,
        effect_source="; ".join(sorted({item.effect_source for item in rows if item.effect_source})),
        hidden=any(0 < count < fewest for count in _persons(model, rows)),
    )


def ceiling_of(
    reached: Reached | None, change: ObservedChange, indicator: Indicator, *, conf_level: float
) -> Ceiling | None:
    """Set what the reached could account for beside the observed change, improvement positive."""
    if reached is None:
        return None
    sign = 1 if indicator.favourable == "higher" else -1
    low, high = sorted((sign * change.conf_low / indicator.per, sign * change.conf_high / indicator.per))
    return contribution_ceiling(
        reached.exposures,
        change=sign * change.estimate / indicator.per,
        change_error=change.std_error / indicator.per,
        change_low=low,
        change_high=high,
        lacking=reached.lacking(change),
        reach=reached.bounds[1],
        conf_level=conf_level,
    )


def _exposure(rows: Sequence[Reach]) -> Exposure:
    """Average one solution over its periods; the dose is weighted by the persons served."""
    shares = [item.served / item.population for item in rows]
    reach = sum(shares) / len(rows)
    carried = sum(share * item.dose for share, item in zip(shares, rows, strict=True)) / len(rows)
    stated = next((item for item in reversed(rows) if item.effect is not None), None)
    return Exposure(
        reach=reach,
        dose=carried / reach if reach else 0.0,
        effect=math.nan if stated is None or stated.effect is None else stated.effect,
        effect_low=_number(stated.effect_lo if stated else None),
        effect_high=_number(stated.effect_hi if stated else None),
    )


def _coded(item: Counted, fewest: int) -> Counted:
    most = item.served
    if 0 < item.served < fewest:
        most = min(fewest - 1, item.population)
    elif 0 < item.population - item.served < fewest:
        most = item.population - 1
    return item.model_copy(update={"served": most})


def _persons(model: ContributionModel, rows: Sequence[Reach]) -> Iterator[int]:
    """List the groups of persons that the counts tell of: served, not served, served by one or by several."""
    for item in rows:
        yield from (item.served, item.population - item.served)
    for joint in model.reach_together:
        parts = [
            item.served for item in rows if (item.indicator, item.period) == (joint.indicator, joint.period)
        ]
        if parts:
            yield from (joint.served, joint.population - joint.served, sum(parts) - joint.served)
            yield from (joint.served - part for part in parts)


def _joint_share(
    model: ContributionModel, indicator: Indicator, solutions: Sequence[str], *, inside: Sequence[Reach]
) -> tuple[float, float] | None:
    """Return the counted joint share, where it is about all these solutions in these periods."""
    everyone = {item.solution for item in model.reach if item.indicator == indicator.id}
    periods = {item.period for item in inside}
    counted = [
        item.served / item.population
        for item in model.reach_together
        if item.indicator == indicator.id and item.period in periods
    ]
    if not counted or everyone != set(solutions):
        return None
    share = sum(counted) / len(counted)
    return share, share


def _number(value: float | None) -> float:
    return math.nan if value is None else value
