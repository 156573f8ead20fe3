"""Noise schedules t -> (alpha, sigma), the forward process, and prediction types by one 2x2 inverse."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
