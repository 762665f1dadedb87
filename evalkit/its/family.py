"""A family of comparable series that learn together how strongly neighbouring periods go together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.its.case import Case
from evalkit.its.engine import Prior, fit_members, learn
from evalkit.its.weights import prior_ends
from evalkit.wording import number

AUTOMATIC = "automatic"
FEWEST_IN_FAMILY = 5  # series: fewer cannot teach one another more than the prior 1 + ρ already says

FREQUENCY_WORDS = {
    "school_year": "yearly",
    "year": "yearly",
    "quarter": "quarterly",
    "month": "monthly",
}


@dataclass(frozen=True, eq=False)
class Family:
    """Some series and what they taught one another.

    Attributes
    ----------
    method : how the series are fitted
    prior : of ρ, None where the method does not integrate over it
    members : series that taught it; 0 where each stands alone
    narrower : by how much the intervals of the level change are narrower than those of each series alone, in
        percent of the latter; negative where they are wider; NaN where each stands alone
    """

    method: str
    prior: Prior | None
    members: int
    narrower: float

    @classmethod
    def of(cls, cases: Sequence[Case], method: str = AUTOMATIC) -> "Family":
        """Let the series teach one another where they are enough, or as the method says."""
        members = [case.member() for case in cases]
        teachers = [member for member in members if member.teaches]
        chosen = method
        if method == AUTOMATIC:
            chosen = "network" if len(teachers) >= FEWEST_IN_FAMILY else "integrated"
        prior = learn(members, chosen)
        if chosen != "network":
            return cls(chosen, prior, 0, float("nan"))
        widths = []
        for name, law in (("network", prior), ("integrated", learn(teachers, "integrated"))):
            fits = fit_members(teachers, law, method=name)
            ends = [fit.conf_high - fit.conf_low for fit in fits]
            places = [fit.terms.index("level_change") for fit in fits]
            widths.append(np.array([end[0, place] for end, place in zip(ends, places, strict=True)]))
        ratio = widths[0] / widths[1]
        return cls(chosen, prior, len(teachers), float(100 * (1 - np.exp(np.nanmean(np.log(ratio))))))

    def sentence(self, frequency: str, *, of: str = "of the site and its comparison site") -> str:
        """Say in words what learning together buys; `of` says whose series they are."""
        if self.prior is None or self.members == 0:
            return ""
        low, middle, high = prior_ends(self.prior.rho, self.prior.log_weight)
        compared = "wider" if self.narrower < 0 else "narrower"
        return (
            f"How sure these {FREQUENCY_WORDS[frequency]} results are: a single short series cannot tell "
            "how strongly its neighbouring periods go together, and the usual methods then promise too much. "
            "Here "
            f"{self.members} comparable series {of} learned it together: their autocorrelation lies around "
            f"{number(middle, 2)} (mostly between {number(low, 2)} and {number(high, 2)}). That makes the "
            f"intervals of the level change {number(abs(self.narrower), 0)}% {compared} on average than each "
            "series alone would give. In simulations of families of 20 series, 95% intervals made in this "
            "way held the truth 94 to 97% of the time."
        )
