"""Trains a denoiser on a folder of images: data, loss, EMA, loop, safe checkpoints."""

from diffkit_trainer.errors import DataError
from diffkit_trainer.grid import grid, save_images, to_png
from diffkit_trainer.images import Images, open_images

__all__ = ["DataError", "Images", "grid", "open_images", "save_images", "to_png"]
