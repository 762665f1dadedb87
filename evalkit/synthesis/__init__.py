"""Across sites: comparison, pooling, the learning review, and the case study of one site."""

from evalkit.synthesis.comparison import compare_sites
from evalkit.synthesis.composition import CaseStudy, case_study
from evalkit.synthesis.learning import learning_review
from evalkit.synthesis.pooling import Pool, pool_random_effects
from evalkit.synthesis.pools import comparison_pool

__all__ = [
    "CaseStudy",
    "Pool",
    "case_study",
    "compare_sites",
    "comparison_pool",
    "learning_review",
    "pool_random_effects",
]
