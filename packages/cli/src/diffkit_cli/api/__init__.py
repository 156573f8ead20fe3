"""Runs from Python, by the code paths of `diffkit train` and `diffkit sample`.

Imports training, sampling, reports and the modules of the package's root.
"""
