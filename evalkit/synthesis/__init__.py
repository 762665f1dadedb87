"""Across sites: comparison, pooling, the learning review, and the case study of one site."""
