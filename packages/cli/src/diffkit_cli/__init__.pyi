from .api.images import GeneratedImages
from .api.run import Run, open_run

__all__ = ["GeneratedImages", "Run", "open_run"]
