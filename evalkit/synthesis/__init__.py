"""Across sites: comparison, pooling, the learning review, and the case study that brings one site together."""
