"""Interrupted time series and turn-the-curve."""

from evalkit.its.collection import interrupted_time_series
from evalkit.its.engine import ArrayFit, fit_arrays
from evalkit.its.fit import fit_series
from evalkit.its.turn import turn_the_curve

__all__ = ["ArrayFit", "fit_arrays", "fit_series", "interrupted_time_series", "turn_the_curve"]
