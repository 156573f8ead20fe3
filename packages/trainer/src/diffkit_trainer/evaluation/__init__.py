"""Metrics of generated images against the data. Imports data and rng."""
