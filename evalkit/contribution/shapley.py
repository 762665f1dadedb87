"""One change shared out among several partners, and the alarm when they claim more than there is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evalkit.contribution.ceiling import Exposure

MOST_PARTNERS = 16  # 2^16 coalitions


def shapley_split(values: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Share out the value of all partners together: each gets its mean addition over all orders of joining.

    Parameters
    ----------
    values : of every coalition of the partners; the empty one, where it is left out, is worth 0

    Returns
    -------
    partner -> its share, in the unit of the values; the shares add up to the value of all together.

    Raises
    ------
    ValueError : a coalition has no value, or there are more than `MOST_PARTNERS` partners.

    References
    ----------
    Shapley (1953), Contributions to the Theory of Games II, 307-317.
    """
    partners = sorted(frozenset().union(*values))
    count = len(partners)
    if count > MOST_PARTNERS:
        raise ValueError(f"{count} partners make too many coalitions; join some of them, at most 16")
    worth = np.zeros(1 << count)
    for code in range(1, 1 << count):
        coalition = frozenset(name for place, name in enumerate(partners) if code >> place & 1)
        if coalition not in values:
            raise ValueError(f"the coalition {', '.join(sorted(coalition))} has no value")
        worth[code] = values[coalition]
    worth[0] = values.get(frozenset(), 0.0)
    codes = np.arange(1 << count)
    sizes = np.array([int(code).bit_count() for code in codes])
    weights = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)] or [0.0])
    shares = {}
    for place, name in enumerate(partners):
        without = codes[(codes >> place & 1) == 0]
        added = worth[without | 1 << place] - worth[without]
        shares[name] = float((weights[sizes[without]] * added).sum())
    return shares


def coalition_values(
    exposures: Mapping[str, Sequence[Exposure]], *, lacking: float
) -> dict[frozenset[str], float]:
    """Say what each coalition of partners could account for: its ceilings, but no more than its headroom.

    Parameters
    ----------
    exposures : partner -> what its solutions did; effects must be known
    lacking : share still without the outcome, which caps what the persons reached can gain; NaN for no cap
    """
    values = {}
    for size in range(1, len(exposures) + 1):
        for partners in combinations(sorted(exposures), size):
            parts = [item for name in partners for item in exposures[name]]
            ceiling = sum(item.reach * item.dose * item.effect for item in parts)
            headroom = min(1.0, sum(item.reach for item in parts)) * lacking
            values[frozenset(partners)] = ceiling if math.isnan(headroom) else min(ceiling, headroom)
    return values


@dataclass(frozen=True)
class OverClaim:
    """What partners claim together, beside the most that changed; all improvements, in one unit."""

    claimed: float
    most: float

    @property
    def alarm(self) -> bool:
        """Whether the claims add up to more than the upper end of the interval of the change."""
        return self.claimed > self.most + 1e-12


def over_claim(claims: Mapping[str, float], *, change_high: float) -> OverClaim:
    """Add up what partners claim and set it beside the upper end of the observed change's interval.

    Parameters
    ----------
    claims : partner -> improvement it claims; NaN counts as no claim
    change_high : upper end of the interval of the observed improvement, in the same unit
    """
    return OverClaim(math.fsum(value for value in claims.values() if not math.isnan(value)), change_high)
