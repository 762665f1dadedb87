"""Interrupted time series and turn-the-curve."""

from evalkit.its.beside import fit_beside
from evalkit.its.calibration import calibrate
from evalkit.its.collection import interrupted_time_series
from evalkit.its.counts import quasi_poisson
from evalkit.its.engine import ArrayFit, fit_arrays
from evalkit.its.fit import fit_series
from evalkit.its.many import fit_many
from evalkit.its.pooled import family_note, pooled_family
from evalkit.its.power import its_power
from evalkit.its.sensitivity import its_sensitivity, leading_sensitivity
from evalkit.its.turn import turn_the_curve

__all__ = [
    "ArrayFit",
    "calibrate",
    "family_note",
    "fit_arrays",
    "fit_beside",
    "fit_many",
    "fit_series",
    "interrupted_time_series",
    "its_power",
    "its_sensitivity",
    "leading_sensitivity",
    "pooled_family",
    "quasi_poisson",
    "turn_the_curve",
]
