"""Has the curve been turned? Four verdicts in the sense of Results-Based Accountability.

Results-Based Accountability asks whether an indicator does better than its own history would have had it, not
whether it is good. So the yardstick is the baseline forecast: the earlier trend carried on, with an interval
for a new value.

* **turned**: the last actual value lies outside the forecast's interval on the favourable side, and the trend
  of the post-period goes the favourable way.
* **beat the baseline**: the last actual value lies outside the interval on the favourable side, but the trend
  of the post-period does not go the favourable way, or rests on fewer than three values: it gets worse more
  slowly than it did, or jumped once.
* **not yet**: the last actual value lies inside the interval or on its unfavourable side.
* **cannot be told**: there is no forecast or no actual value; the least and the most favourable values inside
  the bounds of a censored series give different verdicts; or the interval reaches so far that no possible
  value lies outside it on the favourable side, unless the actual value lies outside it on the other side.

References
----------
Friedman (2005), Trying Hard Is Not Good Enough, on baselines and turning the curve.
"""

import math
from dataclasses import dataclass

TURNED = "turned"
BEAT = "beat the baseline"
NOT_YET = "not yet"
CANNOT = "cannot be told"
VERDICTS = (TURNED, BEAT, NOT_YET, CANNOT)

FEWEST_FOR_A_DIRECTION = 3  # post-period values: two always lie on a line


@dataclass(frozen=True)
class Reading:
    """One way to read the data; all in the indicator's unit.

    Attributes
    ----------
    actual : the last actual value
    low, high : the forecast's interval for that period
    post_trend : trend of the post-period; NaN where it rests on fewer than three values
    """

    actual: float
    low: float
    high: float
    post_trend: float


def judge(reading: Reading, *, favourable: str, possible: tuple[float, float]) -> tuple[str, str]:
    """Give the verdict on one reading, and why in a clause.

    Parameters
    ----------
    favourable : "higher" or "lower"
    possible : the least and the greatest value the indicator can take
    """
    sign = 1 if favourable == "higher" else -1
    better_end, worse_end = (reading.high, reading.low) if sign > 0 else (reading.low, reading.high)
    if not all(math.isfinite(value) for value in (reading.actual, reading.low, reading.high)):
        return CANNOT, "there is no forecast or no actual value to hold against it"
    if sign * (reading.actual - better_end) > 0:
        if sign * reading.post_trend > 0:
            return (
                TURNED,
                "the last value beats the forecast's interval and the trend goes the favourable way",
            )
        if math.isnan(reading.post_trend):
            return BEAT, "the last value beats the forecast's interval; it is too early to speak of a trend"
        return (
            BEAT,
            "the last value beats the forecast's interval, but the trend is not favourable",
        )
    limit = possible[1] if sign > 0 else possible[0]
    if sign * (better_end - limit) >= 0 and sign * (reading.actual - worse_end) >= 0:
        return CANNOT, "the forecast's interval is so wide that no possible value could lie beyond it"
    if sign * (reading.actual - worse_end) < 0:
        return NOT_YET, "the last value is worse than the forecast's interval"
    return NOT_YET, "the last value lies inside the forecast's interval"


def judge_both(
    worst: Reading, best: Reading, *, favourable: str, possible: tuple[float, float]
) -> tuple[str, str]:
    """Give the verdict that the least and the most favourable reading share, or that it cannot be told."""
    verdicts = [judge(reading, favourable=favourable, possible=possible) for reading in (worst, best)]
    if verdicts[0][0] == verdicts[1][0]:
        return verdicts[0]
    return CANNOT, f"it depends on the hidden values: {verdicts[0][0]} at worst, {verdicts[1][0]} at best"
