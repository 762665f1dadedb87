"""Batch runs of the notebooks: what to run, running it, and the record it leaves."""
