"""Runs from Python, by the code path of `diffkit sample`. Imports sampling, reports and the modules of the package's root."""
