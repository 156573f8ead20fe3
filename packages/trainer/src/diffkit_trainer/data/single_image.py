"""A single image or mask, resized to a given shape, for editing."""

from pathlib import Path

from PIL import Image, ImageOps
from torch import Tensor

from diffkit_trainer.data.decode import FORMATS, decode, failure_reason
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable
from diffkit_trainer.pixels import image_to_tensor

__all__ = ["decode_image", "read_image", "read_mask"]


def read_image(path: str | Path, shape: tuple[int, int, int]) -> Tensor:
    """The image as uint8 (C, H, W), grey if C is 1, else RGB. It is cropped about its centre and resized if its size differs.

    Reads the same formats as `open_images`. Raises DataError for a file that cannot be read as an image.
    """
    channels, height, width = shape
    image = decode_image(path)
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    return image_to_tensor(image.convert("L" if channels == 1 else "RGB"))


def read_mask(path: str | Path, image_path: str | Path, size: tuple[int, int]) -> Tensor:
    """The mask of an image as bool (1, H, W), True where its grey level is 128 or more; cropped and resized as `read_image` does.

    Raises DataError for a file that cannot be read, and if the mask and the image differ in size.
    """
    mask, image = decode_image(path), decode_image(image_path)
    if mask.size != image.size:
        sizes = ", ".join(f"{printable(p)} is {i.width} x {i.height}" for p, i in ((path, mask), (image_path, image)))
        raise DataError(f"a mask must have its image's size: {sizes}")
    height, width = size
    if mask.size != (width, height):
        mask = ImageOps.fit(mask, (width, height), Image.Resampling.BOX)
    white: Tensor = image_to_tensor(mask.convert("L")) >= 128
    return white


def decode_image(path: str | Path) -> Image.Image:
    """The image at its own size, upright, in mode L or RGB. Raises DataError as `read_image` does."""
    try:
        return decode(path)
    except Exception as error:  # on damaged input a decoder may raise anything
        raise DataError(f"{printable(path)}: {failure_reason(error)}; expected one of {', '.join(FORMATS)}") from None
