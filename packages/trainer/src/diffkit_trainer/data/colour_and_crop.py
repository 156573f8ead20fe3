"""Any Pillow image as 8 bits per channel, grey or RGB: modes, EXIF orientation, transparency; and the crop to a size."""

from typing import TypeAlias

from PIL import Image

from diffkit_trainer.errors import RefusedError
from diffkit_trainer.options import Mode

__all__ = ["EXIF_TRANSPOSES", "Size", "crop", "height_and_width", "is_grey", "to_grey_or_rgb", "to_mode"]

Size: TypeAlias = int | tuple[int, int]
"""The side of a square, or (height, width)."""
MAX_SIDE = 4096

GREY_MODES = ("1", "L", "LA", "La", "I", "F")
EXIF_ORIENTATION = 0x0112
EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image of an EXIF orientation upright."""


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as L or RGB, turned upright by its EXIF orientation.

    Modes of `is_grey` give L, all others RGB. Transparent pixels are blended with white. I;16 and I hold 16 bits, of which the
    upper 8 are kept (65535 -> 255; I is clamped to 16 bits first). F is multiplied by 255 if no value is above 1, else taken as
    0 to 255; then rounded and clamped. Raises ValueError for an F image with NaN or infinity.

    >>> to_grey_or_rgb(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    255
    >>> to_grey_or_rgb(Image.new("RGBA", (1, 1), (255, 0, 0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    return _upright(_convert(image), image)


def to_mode(image: Image.Image, mode: Mode) -> Image.Image:
    """An image of any mode in the given one, turned upright by its EXIF orientation; "L16" as F, where 1 stands for 65535.

    L and RGB are blended with white, as in `to_grey_or_rgb`; LA and RGBA keep the transparency. Raises RefusedError for a colour
    image as "L16".

    >>> to_mode(Image.new("I;16", (1, 1), 13107), "L16").getpixel((0, 0))
    0.20000000298023224
    >>> to_mode(Image.new("RGBA", (1, 1), (255, 0, 0, 0)), "RGBA").getpixel((0, 0))
    (255, 0, 0, 0)
    """
    if mode == "L16":
        converted = _convert_to_unit(image)
    elif mode in ("LA", "RGBA") and image.has_transparency_data:
        converted = image.convert("RGBA").convert(mode)
    else:
        converted = _convert(image).convert(mode)
    return _upright(converted, image)


def is_grey(mode: str) -> bool:
    """Whether an image of this mode becomes grey; other modes become RGB.

    >>> is_grey("I;16B"), is_grey("P")
    (True, False)
    """
    return mode in GREY_MODES or mode.startswith("I;16")


def height_and_width(size: Size) -> tuple[int, int]:
    """(height, width) of a size. Raises ValueError unless both are from 1 to 4096.

    >>> height_and_width(64), height_and_width((48, 64))
    ((64, 64), (48, 64))
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"size must be in 1 ... {MAX_SIDE}, got {size}")
    return height, width


def crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The centre of the image, with the proportions of `size`, (height, width), resized to it.

    The crop is as large as fits: one side of the image is kept, the other is cropped at both ends. It comes first, so that a
    10000 x 1 image costs no more than any other. If the overhang is odd, the extra row or column is cut at the right or the
    bottom. An image of that size is returned as it is; smaller images are enlarged. The filter is Pillow's bicubic: it is
    antialiased, rings less than Lanczos at hard edges, and is the filter of the clean FID (Parmar, Zhang and Zhu 2022).

    >>> crop(Image.new("L", (1000, 1)), (6, 8)).size
    (8, 6)
    """
    height, width = size
    across: float = image.width
    down: float = image.height
    if across * height > down * width:
        across = min(across, down * width / height)
    else:
        down = min(down, across * height / width)
    left, top = (image.width - across) // 2, (image.height - down) // 2
    if (across, down) == (width, height):
        return image if image.size == (width, height) else image.crop((int(left), int(top), int(left) + width, int(top) + height))
    return image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))


def _upright(converted: Image.Image, image: Image.Image) -> Image.Image:
    """The converted image, turned upright by the EXIF orientation of the original."""
    transpose = EXIF_TRANSPOSES.get(_orientation(image))
    return converted if transpose is None else converted.transpose(transpose)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # the image decodes even if its EXIF is damaged
        return 1


def _convert(image: Image.Image) -> Image.Image:
    grey = is_grey(image.mode)
    if image.mode.startswith("I;16"):
        upper = 0 if image.mode.endswith("B") else 1
        return Image.frombytes("L", image.size, image.tobytes()[upper::2])
    if image.mode in ("I", "F"):
        return _convert_numbers(image)
    if image.has_transparency_data:
        foreground = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), foreground)
    return image.convert("L" if grey else "RGB")


def _convert_numbers(image: Image.Image) -> Image.Image:
    import torch  # here: the metadata of an image are read without it

    from diffkit_trainer.pixels import raw_bytes

    dtype = torch.int32 if image.mode == "I" else torch.float32
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=dtype)
    if dtype is torch.int32:
        values = values.clamp(0, 65535) >> 8
    elif not values.isfinite().all():
        raise RefusedError("holds NaN or an infinity")
    else:
        values = (values * (255 if values.max() <= 1 else 1)).round().clamp(0, 255)
    return Image.frombytes("L", image.size, bytes(raw_bytes(values.to(torch.uint8))))


def _convert_to_unit(image: Image.Image) -> Image.Image:
    """A grey image as F, from 0 to 1."""
    import torch

    from diffkit_trainer.pixels import raw_bytes

    if not is_grey(image.mode) or image.mode == "F":
        raise RefusedError(f"of mode {image.mode}, expected grey of 8 or 16 bits for mode L16")
    wide = image.mode.startswith("I")
    values = torch.frombuffer(
        bytearray(image.convert("I" if wide else "L").tobytes()), dtype=torch.int32 if wide else torch.uint8
    )
    unit = values.float().clamp(0, 65535) / (65535 if wide else 255)
    return Image.frombytes("F", image.size, bytes(raw_bytes(unit)))
