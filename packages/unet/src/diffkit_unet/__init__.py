"""A small U-Net for diffusion: sinusoidal embedding, residual, down and up blocks, presets.

The public names are in `__init__.pyi`. Each is loaded on first use: names and configs of presets need no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
