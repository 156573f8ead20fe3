from .api.images import GeneratedImages
from .api.run import Run, open_run
from .api.train import train

__all__ = ["GeneratedImages", "Run", "open_run", "train"]
