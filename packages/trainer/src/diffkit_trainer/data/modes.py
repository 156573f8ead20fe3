"""Any image as 8 bits a channel: any mode, turned upright, on white, cut square."""

import torch
from PIL import Image

from diffkit_trainer.errors import RefusedError
from diffkit_trainer.pixels import raw_bytes

__all__ = ["is_grey", "square", "upright_eight_bits"]

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as L or RGB, turned as its EXIF orientation says.

    Modes of `is_grey` give L, all else RGB. Transparency is laid over white. I;16 and I hold 16 bits, of which the upper 8
    are kept (65535 -> 255; I is clamped to that range first). F is scaled by 255 where no value is above 1, else taken as 0 to
    255; rounded and clamped. Raises ValueError for an F image that holds NaN or an infinity.

    >>> upright_eight_bits(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    255
    >>> upright_eight_bits(Image.new("RGBA", (1, 1), (255, 0, 0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    turn = TURNS.get(_orientation(image))
    flat = _eight_bits(image)
    return flat if turn is None else flat.transpose(turn)


def is_grey(mode: str) -> bool:
    """Whether an image of this mode becomes grey; it becomes RGB otherwise.

    >>> is_grey("I;16B"), is_grey("P")
    (True, False)
    """
    return mode in ("1", "L", "LA", "La", "I", "F") or mode.startswith("I;16")


def square(image: Image.Image, size: int) -> Image.Image:
    """The centre square resized to size x size: the shorter side becomes `size`, the rest of the longer one is cut off.

    Cut first and resized then, so that a 10000 x 1 image costs no more than any other. Where the overhang is odd, the extra
    row or column goes at the right or the bottom. A square of the right size is returned as it is; a smaller one is enlarged.
    The filter is Pillow's bicubic: it is antialiased, rings less than Lanczos at hard edges, and is what image statistics such
    as the clean FID are computed with (Parmar, Zhang and Zhu 2022).

    >>> square(Image.new("L", (1000, 1)), 8).size
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
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose a picture that decodes
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    grey = is_grey(image.mode)
    if image.mode.startswith("I;16"):
        upper = 0 if image.mode.endswith("B") else 1
        return Image.frombytes("L", image.size, image.tobytes()[upper::2])
    if image.mode in ("I", "F"):
        return _from_numbers(image)
    if image.has_transparency_data:
        on_top = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), on_top)
    return image.convert("L" if grey else "RGB")


def _from_numbers(image: Image.Image) -> Image.Image:
    dtype = torch.int32 if image.mode == "I" else torch.float32
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=dtype)
    if dtype is torch.int32:
        values = values.clamp(0, 65535) >> 8
    elif not values.isfinite().all():
        raise RefusedError("holds NaN or an infinity")
    else:
        values = (values * (255 if values.max() <= 1 else 1)).round().clamp(0, 255)
    return Image.frombytes("L", image.size, bytes(raw_bytes(values.to(torch.uint8))))
