"""One image file, from anywhere, to an upright square of 8 bits; or a few words for why not."""

import os
from io import BufferedReader

from PIL import Image, UnidentifiedImageError

from diffkit_trainer.data.modes import square, upright_eight_bits
from diffkit_trainer.errors import RefusedError
from diffkit_trainer.files.regular import open_regular

__all__ = ["FORMATS", "decode", "image_in", "reason"]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""The only formats that are opened: Pillow knows many more, and one of them (EPS) starts another program."""


def decode(path: str | os.PathLike[str], size: int | None = None) -> Image.Image:
    """The file's first frame as an image of mode L (it was grey) or RGB, cut to size x size unless size is None.

    Opens `FORMATS` only, whatever the name's suffix. Raises what Pillow or the system raises (`reason` says it in a few words);
    ValueError for more pixels than PIL.Image.MAX_IMAGE_PIXELS and for pixels that are no numbers.
    """
    with open_regular(path) as file, image_in(file) as image:
        if size is not None:
            # a JPEG much larger than the target is decoded at 1/2, 1/4 or 1/8, but never below twice the target: the
            # filter then still has the last halving to itself
            image.draft(None, (2 * size, 2 * size))
        image.load()
        upright = upright_eight_bits(image)
    return upright if size is None else square(upright, size)


def image_in(file: BufferedReader, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The image in an open file, not decoded yet; RefusedError for an empty file and for more pixels than Pillow's limit."""
    if not file.peek(1):
        raise RefusedError("empty")
    try:
        image = Image.open(file, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedError(f"too large{_declared_size(file)}") from error
    # Pillow only warns up to twice its limit, and a 492 kB file can then take 1.3 GB
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise RefusedError(f"too large: {image.width} x {image.height}, at most {limit} pixels")
    return image


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
    return text if isinstance(error, RefusedError) else f"damaged: {text or type(error).__name__}"


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
