"""Bytes of images in memory, cropped and resized."""

import torch
from torch import Tensor

from diffkit_trainer.data.colour_and_crop import crop
from diffkit_trainer.data.images import Progress
from diffkit_trainer.pixels import image_to_tensor, tensor_to_image

__all__ = ["resized"]


def resized(pixels: Tensor, size: tuple[int, int], on_progress: Progress | None = None) -> Tensor:
    """Images of bytes (N, 1 or 3, H, W), cropped about their centre and resized to (height, width), see `crop`.

    >>> resized(torch.zeros(5, 3, 8, 8, dtype=torch.uint8), (4, 6)).shape
    torch.Size([5, 3, 4, 6])
    """
    count, channels, *_ = pixels.shape
    found = torch.empty(count, channels, *size, dtype=torch.uint8)
    for i in range(count):
        found[i] = image_to_tensor(crop(tensor_to_image(pixels[i]), size))
        if on_progress is not None:
            on_progress(i + 1, count)
    return found
