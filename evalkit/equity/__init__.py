"""Equity gaps: who is behind whom, by how much, how surely, and how many children that is."""

from evalkit.equity.before_after import before_and_since, gap_before_after
from evalkit.equity.bounds import gap_bounds
from evalkit.equity.decomposition import kitagawa, oaxaca_blinder
from evalkit.equity.differences import rate_difference, rate_ratio
from evalkit.equity.disproportionality import idea_risk_ratio
from evalkit.equity.gaps import equity_gaps
from evalkit.equity.maihda import Intersections, intersections
from evalkit.equity.noise import expected_range
from evalkit.equity.ordinal import OrdinalGap, hetop, probit_gap, v_gap
from evalkit.equity.parity import GapTrend, additional_to_parity, gap_trend, parity_words
from evalkit.equity.summary import summary_measures
from evalkit.equity.yardsticks import gaps_against

__all__ = [
    "GapTrend",
    "Intersections",
    "OrdinalGap",
    "additional_to_parity",
    "before_and_since",
    "equity_gaps",
    "expected_range",
    "gap_before_after",
    "gap_bounds",
    "gap_trend",
    "gaps_against",
    "hetop",
    "idea_risk_ratio",
    "intersections",
    "kitagawa",
    "oaxaca_blinder",
    "parity_words",
    "probit_gap",
    "rate_difference",
    "rate_ratio",
    "summary_measures",
    "v_gap",
]
