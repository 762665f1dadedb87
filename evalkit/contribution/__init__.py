"""Contribution analysis: theory of change, evidence, ceiling, rivals and the claim they allow."""

from evalkit.contribution.analysis import contribution_analysis
from evalkit.contribution.attribution import lint_attribution
from evalkit.contribution.ceiling import contribution_ceiling, unduplicated_reach
from evalkit.contribution.claim import classify
from evalkit.contribution.draws import draw_posteriors
from evalkit.contribution.evidence import update
from evalkit.contribution.narratives import lint_network, lint_results
from evalkit.contribution.performance import performance_measures
from evalkit.contribution.qca import qualitative_comparison
from evalkit.contribution.qca_cases import combinations_across_sites, site_cases
from evalkit.contribution.qca_tables import calibrate, calibrate_crisp, necessity, truth_table
from evalkit.contribution.rivals import kitagawa
from evalkit.contribution.shapley import shapley_split
from evalkit.contribution.theory import check_theory, theory_problems

__all__ = [
    "calibrate",
    "calibrate_crisp",
    "check_theory",
    "classify",
    "combinations_across_sites",
    "contribution_analysis",
    "contribution_ceiling",
    "draw_posteriors",
    "kitagawa",
    "lint_attribution",
    "lint_network",
    "lint_results",
    "necessity",
    "performance_measures",
    "qualitative_comparison",
    "shapley_split",
    "site_cases",
    "theory_problems",
    "truth_table",
    "unduplicated_reach",
    "update",
]
