"""Any Pillow image as 8 bits per channel, grey or RGB: modes, EXIF orientation, transparency; and the square crop."""

from PIL import Image

from diffkit_trainer.errors import RefusedError

__all__ = ["EXIF_TRANSPOSES", "crop_square", "is_grey", "to_grey_or_rgb"]

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
    transpose = EXIF_TRANSPOSES.get(_orientation(image))
    converted = _convert(image)
    return converted if transpose is None else converted.transpose(transpose)


def is_grey(mode: str) -> bool:
    """Whether an image of this mode becomes grey; other modes become RGB.

    >>> is_grey("I;16B"), is_grey("P")
    (True, False)
    """
    return mode in GREY_MODES or mode.startswith("I;16")


def crop_square(image: Image.Image, size: int) -> Image.Image:
    """The centre square resized to size x size: the shorter side becomes `size`, the longer one is cropped at both ends.

    The crop comes first, so that a 10000 x 1 image costs no more than any other. If the overhang is odd, the extra row or
    column is cut at the right or the bottom. A square of that size is returned as it is; smaller images are enlarged.
    The filter is Pillow's bicubic: it is antialiased, rings less than Lanczos at hard edges, and is the filter of the clean FID
    (Parmar, Zhang and Zhu 2022).

    >>> crop_square(Image.new("L", (1000, 1)), 8).size
    (8, 8)
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    if side == size:
        return image if image.size == (size, size) else image.crop(box)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


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
