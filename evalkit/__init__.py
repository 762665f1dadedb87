"""evalkit: evaluation and research for collective-impact initiatives.

Everything public is importable from here; each part is loaded where it is first used, so that
`import evalkit` stays quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> module that holds it
_HOME = {
    "open_site": "evalkit.views",
    "open_network": "evalkit.views",
    "find_workspace": "evalkit.workspace",
    "init_workspace": "evalkit.workspace",
    "check_workspace": "evalkit.audit",
    "read_dictionary": "evalkit.dictionary",
    "read_network": "evalkit.parameters",
    "read_indicators": "evalkit.readers",
    "read_edfacts_acgr": "evalkit.readers",
    "IndicatorTable": "evalkit.indicators",
    "IndicatorSeries": "evalkit.indicators",
    "check_quality": "evalkit.quality",
    "turn_the_curve": "evalkit.its",
    "interrupted_time_series": "evalkit.its",
    "fit_series": "evalkit.its",
    "fit_arrays": "evalkit.its",
    "fit_beside": "evalkit.its",
    "fit_many": "evalkit.its",
    "pooled_family": "evalkit.its",
    "family_note": "evalkit.its",
    "its_sensitivity": "evalkit.its",
    "leading_sensitivity": "evalkit.its",
    "its_power": "evalkit.its",
    "quasi_poisson": "evalkit.its",
    "equity_gaps": "evalkit.equity",
    "rate_difference": "evalkit.equity",
    "rate_ratio": "evalkit.equity",
    "summary_measures": "evalkit.equity",
    "gaps_against": "evalkit.equity",
    "gap_bounds": "evalkit.equity",
    "gap_before_after": "evalkit.equity",
    "before_and_since": "evalkit.equity",
    "hetop": "evalkit.equity",
    "v_gap": "evalkit.equity",
    "probit_gap": "evalkit.equity",
    "kitagawa": "evalkit.equity",
    "oaxaca_blinder": "evalkit.equity",
    "idea_risk_ratio": "evalkit.equity",
    "intersections": "evalkit.equity",
    "one_proportion_interval": "evalkit.intervals",
    "two_proportion_interval": "evalkit.intervals",
    "contribution_analysis": "evalkit.contribution",
    "check_theory": "evalkit.contribution",
    "performance_measures": "evalkit.contribution",
    "combinations_across_sites": "evalkit.contribution",
    "qualitative_comparison": "evalkit.contribution",
    "truth_table": "evalkit.contribution",
    "necessity": "evalkit.contribution",
    "calibrate": "evalkit.contribution",
    "shapley_split": "evalkit.contribution",
    "unduplicated_reach": "evalkit.contribution",
    "lint_attribution": "evalkit.contribution",
    "lint_network": "evalkit.contribution",
    "comparison_pool": "evalkit.synthesis",
    "pool_random_effects": "evalkit.synthesis",
    "compare_sites": "evalkit.synthesis",
    "learning_review": "evalkit.synthesis",
    "case_study": "evalkit.synthesis",
    "release": "evalkit.disclosure",
    "protect": "evalkit.disclosure",
    "attack": "evalkit.disclosure",
    "scan_outputs": "evalkit.disclosure",
    "hidden_numbers": "evalkit.disclosure",
    "simulate_network": "evalkit.simulate",
    "simulate_series": "evalkit.simulate",
    "Result": "evalkit.results",
    "read_result": "evalkit.results",
    "save_result": "evalkit.results",
    "show": "evalkit.charts.display",
    "table": "evalkit.charts.display",
    "prose": "evalkit.charts.display",
    "finding": "evalkit.charts.display",
    "bullets": "evalkit.charts.display",
    "EvalkitError": "evalkit.errors",
    "ParameterError": "evalkit.errors",
    "DataError": "evalkit.errors",
    "DesignError": "evalkit.errors",
    "RunError": "evalkit.errors",
    "PublishError": "evalkit.errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Load a public name from its room the first time it is used."""
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        try:
            return import_module(f"evalkit.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"evalkit.{name}":
                raise
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, for completion."""
    return sorted(__all__)
