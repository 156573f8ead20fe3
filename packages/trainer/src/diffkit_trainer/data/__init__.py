"""Image data from any source, as one `Images`. Imports files, pixels and errors; knows nothing of training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
