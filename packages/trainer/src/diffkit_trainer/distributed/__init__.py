"""Several processes that train one network. Imports nothing of this package."""
