"""One image file to 8 bits: any mode, turned upright, on white, cut square."""

import os
import stat
from io import BufferedReader

import torch
from PIL import Image, UnidentifiedImageError

from diffkit_trainer.convert import raw_bytes

__all__ = ["FORMATS", "decode", "reason", "refusal", "square", "upright_eight_bits"]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""The only formats that are opened: Pillow knows many more, and one of them (EPS) starts another program."""

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


def decode(path: str | os.PathLike[str], size: int | None = None) -> Image.Image:
    """The file's first frame as an image of mode L (it was grey) or RGB, cut to size x size unless size is None.

    Opens `FORMATS` only, whatever the name's suffix. Raises what Pillow or the system raises (`reason` says it in a few words);
    ValueError for more pixels than PIL.Image.MAX_IMAGE_PIXELS and for pixels that are no numbers.
    """
    with open(path, "rb") as file, _opened(file) as image:
        if size is not None:
            # a JPEG much larger than the target is decoded at 1/2, 1/4 or 1/8, but never below twice the target: the
            # filter then still has the last halving to itself
            image.draft(None, (2 * size, 2 * size))
        image.load()
        upright = upright_eight_bits(image)
    return upright if size is None else square(upright, size)


def upright_eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as L or RGB, turned as its EXIF orientation says.

    1, L, LA, I;16, I and F give L, all else RGB. Transparency is laid over white. I;16 and I hold 16 bits, of which the upper 8
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


def refusal(mode: int) -> str | None:
    """Why a path of this st_mode is never opened (reading a FIFO would wait for ever), or None for a regular file.

    >>> refusal(stat.S_IFDIR), refusal(stat.S_IFREG)
    ('a folder', None)
    """
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def reason(error: Exception) -> str:
    """A few words for what went wrong with one file.

    >>> reason(OSError("image file is truncated (3 bytes not processed)")), reason(PermissionError(13, "Permission denied"))
    ('truncated', 'permission denied')
    """
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return text if isinstance(error, _RefusedError) else f"damaged: {text or type(error).__name__}"


class _RefusedError(ValueError):
    """A readable image that we do not take; the text is the whole reason."""


def _opened(file: BufferedReader) -> Image.Image:
    if not file.peek(1):
        raise _RefusedError("empty")
    try:
        image = Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _RefusedError(f"too large{_declared_size(file)}") from error
    # Pillow only warns up to twice its limit, and a 492 kB file can then take 1.3 GB
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise _RefusedError(f"too large: {image.width} x {image.height}, at most {limit} pixels")
    return image


def _declared_size(file: BufferedReader) -> str:
    """Image.open refuses before it tells the size; the format's own reader tells it without decoding."""
    for name in FORMATS:
        file.seek(0)
        try:
            reader = Image.OPEN[name][0](file, "")
        except Exception:  # not this format: the next one
            continue
        return f": {reader.width} x {reader.height}, at most {Image.MAX_IMAGE_PIXELS} pixels"
    return ""


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose a picture that decodes
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        upper = 0 if image.mode.endswith("B") else 1
        return Image.frombytes("L", image.size, image.tobytes()[upper::2])
    if image.mode in ("I", "F"):
        return _from_numbers(image)
    grey = image.mode in ("1", "L", "LA", "La")
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
        raise _RefusedError("holds NaN or an infinity")
    else:
        values = (values * (255 if values.max() <= 1 else 1)).round().clamp(0, 255)
    return Image.frombytes("L", image.size, bytes(raw_bytes(values.to(torch.uint8))))
