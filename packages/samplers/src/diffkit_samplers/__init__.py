"""Samplers for any denoiser and any array library: methods, grids, noise sources, wrappers of denoise, interpolation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
