"""Contribution analysis: theory of change, evidence, ceiling, rivals and the claim they allow."""

from evalkit.contribution.analysis import contribution_analysis
from evalkit.contribution.attribution import lint_attribution
from evalkit.contribution.ceiling import contribution_ceiling
from evalkit.contribution.claim import classify
from evalkit.contribution.evidence import update
from evalkit.contribution.theory import check_theory

__all__ = [
    "check_theory",
    "classify",
    "contribution_analysis",
    "contribution_ceiling",
    "lint_attribution",
    "update",
]
