"""Atomic writes, strict JSON, tensors, locks. Imports errors, limits and schedules, no images and no training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
