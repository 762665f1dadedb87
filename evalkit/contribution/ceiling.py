"""The contribution ceiling: the most that the persons reached could account for."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

NORMAL_95 = 1.959963984540054  # standard deviations; effect priors are stated as 95 % ranges


@dataclass(frozen=True)
class FiellerInterval:
    """Interval of a ratio of two estimates.

    Attributes
    ----------
    ratio : the point; NaN where the denominator is 0
    low, high : NaN unless `bounded`
    bounded : False where the interval of the denominator covers 0, so that the ratio may be anything
    """

    ratio: float
    low: float
    high: float
    bounded: bool


@dataclass(frozen=True)
class Exposure:
    """What one solution did for the persons in an indicator's denominator.

    Attributes
    ----------
    reach : share of the denominator served, in [0, 1]
    dose : mean fraction of the full dose among those served, in [0, 1]
    effect : improvement in the chance of the favourable outcome at full dose, as a proportion; NaN where no
        study states one
    effect_low, effect_high : its 95 % range; NaN where none is stated
    """

    reach: float
    dose: float
    effect: float
    effect_low: float = math.nan
    effect_high: float = math.nan


@dataclass(frozen=True)
class Ceiling:
    """What the reached could account for, beside what was observed; all proportions, improvement positive.

    Attributes
    ----------
    ceiling, std_error : Σ reach · dose · effect (+ spill-over to those not reached)
    share : ceiling over observed change, with Fieller's interval; NaN unless `has_share`, which needs an
        improvement whose interval excludes 0
    effect_needed : effect at full dose with which the reached alone would explain the whole change
    headroom : reach · (share still without the outcome), the change if every person reached got it
    headroom_share : headroom over observed change
    went_the_wrong_way : the interval of the change lies below 0
    attribution_is_impossible : the effect needed is larger than any effect can be
    """

    observed: float
    ceiling: float
    std_error: float
    share: float
    share_low: float
    share_high: float
    effect_needed: float
    headroom: float
    headroom_share: float
    has_share: bool
    went_the_wrong_way: bool
    attribution_is_impossible: bool

    @property
    def low(self) -> float:
        """Lower end of the ceiling's 95 % range."""
        return self.ceiling - NORMAL_95 * self.std_error

    @property
    def high(self) -> float:
        """Upper end of the ceiling's 95 % range."""
        return self.ceiling + NORMAL_95 * self.std_error


def fieller_interval(
    top: float, top_error: float, bottom: float, bottom_error: float, *, conf_level: float = 0.95
) -> FiellerInterval:
    """Give the interval of top/bottom for independent, normal estimates.

    Raises
    ------
    ValueError : a standard error is negative.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16:175-185.
    """
    if top_error < 0 or bottom_error < 0:
        raise ValueError("a standard error is negative")
    ratio = top / bottom if bottom != 0 else math.nan
    z = float(stats.norm.ppf(0.5 + conf_level / 2))
    a = bottom**2 - (z * bottom_error) ** 2
    c = top**2 - (z * top_error) ** 2
    if not a > 0:
        return FiellerInterval(ratio, math.nan, math.nan, False)
    root = math.sqrt(max(0.0, (top * bottom) ** 2 - a * c))
    return FiellerInterval(ratio, (top * bottom - root) / a, (top * bottom + root) / a, True)


def contribution_ceiling(
    exposures: Sequence[Exposure],
    *,
    change: float,
    change_error: float,
    change_low: float,
    change_high: float,
    lacking: float,
    reach: float | None = None,
    spill_over: float = 0.0,
    conf_level: float = 0.95,
) -> Ceiling:
    """Bound what the persons reached could account for.

    Parameters
    ----------
    exposures : one per solution; their ceilings add up
    change, change_error, change_low, change_high : observed change as a proportion, improvement positive (the
        caller turns the sign where lower is better), its standard error and interval
    lacking : share of persons without the favourable outcome: 1 − p0, or p0 where lower is better
    reach : share of the denominator reached by any solution; by default the sum of the reaches, at most 1
    spill_over : share of the effect that those not reached get, in [0, 1]

    Raises
    ------
    ValueError : no exposure; or reach, dose or spill-over outside [0, 1].
    """
    if not exposures:
        raise ValueError("a ceiling needs at least one exposure")
    for value in (spill_over, *(x for item in exposures for x in (item.reach, item.dose))):
        if not 0 <= value <= 1:
            raise ValueError(f"reach, dose and spill-over lie between 0 and 1, not {value}")
    touched = [item.reach + spill_over * (1 - item.reach) for item in exposures]
    ceiling = sum(part * item.dose * item.effect for part, item in zip(touched, exposures, strict=True))
    error = math.hypot(
        *(part * item.dose * _effect_error(item) for part, item in zip(touched, exposures, strict=True))
    )
    joint_reach = min(1.0, sum(item.reach for item in exposures)) if reach is None else reach
    # Solutions add their doses to the same persons, so what all reach · dose carries is the sum.
    carried = sum(item.reach * item.dose for item in exposures)
    is_change = bool(change_low > 0)
    ratio = fieller_interval(ceiling, error, change, change_error, conf_level=conf_level)
    has_share = is_change and ratio.bounded and not math.isnan(ratio.ratio)
    headroom = joint_reach * lacking
    needed = change / carried if carried > 0 else math.nan
    return Ceiling(
        observed=change,
        ceiling=ceiling,
        std_error=error,
        share=ratio.ratio if has_share else math.nan,
        share_low=ratio.low if has_share else math.nan,
        share_high=ratio.high if has_share else math.nan,
        effect_needed=needed,
        headroom=headroom,
        headroom_share=headroom / change if is_change else math.nan,
        has_share=has_share,
        went_the_wrong_way=bool(change_high < 0),
        attribution_is_impossible=bool(needed > lacking),
    )


def frechet_reach(served: Sequence[int], population: int) -> tuple[float, float]:
    """Bound the share reached by any partner from partner totals alone: [max n, min(N, Σn)] / N.

    Raises
    ------
    ValueError : a partner serves more persons of the denominator than it has.
    """
    if population < 1 or any(count < 0 or count > population for count in served):
        raise ValueError(f"served counts must lie between 0 and the denominator, {population}")
    return max(served, default=0) / population, min(population, sum(served)) / population


def unduplicated_reach(served: Mapping[str, Iterable[str]], denominator: Collection[str]) -> float:
    """Return the share of the denominator that any solution served, each person counted once.

    Parameters
    ----------
    served : solution -> ids of the persons it served; whoever is not in the denominator does not count
    denominator : ids of all persons that the indicator counts

    Raises
    ------
    ValueError : the denominator is empty.
    """
    counted = set(denominator)
    if not counted:
        raise ValueError("the denominator holds nobody")
    return len(counted & {person for people in served.values() for person in people}) / len(counted)


def anchored_contribution(reach: float, outcome_served: float, outcome_without: float) -> float:
    """Return reach · (outcome of the served − their outcome without the program)."""
    return reach * (outcome_served - outcome_without)


def threshold_effect(baseline: float, effect_size: float) -> float:
    """Turn Cohen's d into the change of the share above a threshold: Φ(Φ⁻¹(p0) + d) − p0.

    Parameters
    ----------
    baseline : p0, the share above the threshold without the program, in (0, 1)
    effect_size : Cohen's d of the measure behind the threshold
    """
    return float(stats.norm.cdf(stats.norm.ppf(baseline) + effect_size) - baseline)


def _effect_error(exposure: Exposure) -> float:
    width = exposure.effect_high - exposure.effect_low
    return 0.0 if math.isnan(width) else width / (2 * NORMAL_95)
