"""Metrics of generated images against the data. Imports data, errors and rng."""
