"""The `diffkit` command; and `train` and `open_run`, to train a run and to sample from it in Python."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
