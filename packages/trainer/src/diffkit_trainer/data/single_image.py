"""A single image or mask as pixels of a given shape, for editing."""

from pathlib import Path

from PIL import Image, ImageOps
from torch import Tensor

from diffkit_trainer.data.decode import decode, reason
from diffkit_trainer.data.listing import printable
from diffkit_trainer.errors import DataError
from diffkit_trainer.pixels import as_pixels

__all__ = ["read_image", "read_mask"]


def read_image(path: str | Path, shape: tuple[int, int, int]) -> Tensor:
    """The image as uint8 (C, H, W): grey or RGB as C says; of another size it is cut about its centre and resized.

    Reads what `decode` reads. Raises DataError for a file that cannot be read as an image.
    """
    channels, height, width = shape
    image = _decoded(path)
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    return as_pixels(image.convert("L" if channels == 1 else "RGB"))


def read_mask(path: str | Path, beside: str | Path, size: tuple[int, int]) -> Tensor:
    """The mask of the image `beside`, cut and resized as `read_image` does: bool (1, H, W), True where it is white.

    White is a grey level from 128. Raises DataError for a file that cannot be read, and where the two differ in size.
    """
    mask, image = _decoded(path), _decoded(beside)
    if mask.size != image.size:
        sizes = ", ".join(f"{printable(p)} is {i.width} x {i.height}" for p, i in ((path, mask), (beside, image)))
        raise DataError(f"a mask must be of its image's size: {sizes}")
    height, width = size
    if mask.size != (width, height):
        mask = ImageOps.fit(mask, (width, height), Image.Resampling.BOX)
    white: Tensor = as_pixels(mask.convert("L")) >= 128
    return white


def _decoded(path: str | Path) -> Image.Image:
    try:
        return decode(path)
    except Exception as error:  # a decoder fails on damaged input in any way it likes
        raise DataError(f"{printable(path)}: {reason(error)}; expected PNG, JPEG, WebP or another that Pillow reads") from None
