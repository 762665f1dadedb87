"""Interrupted time series and turn-the-curve."""

from evalkit.its.engine import ArrayFit, fit_arrays

__all__ = ["ArrayFit", "fit_arrays"]
