"""Contribution analysis: theory of change, evidence, ceiling, rivals and the claim they allow."""
