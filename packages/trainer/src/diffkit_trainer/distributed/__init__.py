"""Several processes that train one network together. Imports nothing of this package."""
