"""Equity gaps: who is behind whom, by how much, how surely, and how many children that is."""

from evalkit.equity.differences import rate_difference, rate_ratio
from evalkit.equity.gaps import equity_gaps
from evalkit.equity.noise import expected_range
from evalkit.equity.parity import GapTrend, additional_to_parity, gap_trend, parity_words
from evalkit.equity.summary import summary_measures

__all__ = [
    "GapTrend",
    "additional_to_parity",
    "equity_gaps",
    "expected_range",
    "gap_trend",
    "parity_words",
    "rate_difference",
    "rate_ratio",
    "summary_measures",
]
