"""Image files decoded to upright squares of 8 bits per channel, or the reason why not."""

import os
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from io import BufferedReader
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError, features

from diffkit_trainer.data.colour_and_crop import crop, to_grey_or_rgb, to_mode
from diffkit_trainer.data.generated import GENERATED, is_generated
from diffkit_trainer.errors import RefusedError
from diffkit_trainer.files.regular_file import open_regular
from diffkit_trainer.options import Mode

__all__ = ["FORMATS", "decode", "decode_all", "failure_reason", "missing_decoders", "open_image"]

FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heics", ".heif", ".heifs", ".hif"),
}
"""The image formats that are read, by Pillow's names, with the suffixes that a file of a folder is recognised by.

Pillow knows many more, of which one (EPS) starts another program.
"""


def _has_avif() -> bool:
    return "avif" in features.modules and bool(features.check("avif"))


def _has_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


class Decoder(NamedTuple):
    """A decoder that may be missing: whether it is `installed`, what installs it, and the first words of its format's files."""

    installed: Callable[[], bool]
    install: str
    brands: tuple[bytes, ...]


DECODERS = {
    "AVIF": Decoder(_has_avif, "pip install 'pillow>=11.3'", (b"avif", b"avis")),
    "HEIF": Decoder(_has_heif, "pip install 'diffkit-trainer[heif]'", (b"heic", b"heix", b"heim", b"heis", b"mif1")),
}

FILES_PER_BATCH = 64
MAX_THREADS = 8


@cache
def missing_decoders() -> Mapping[str, str]:
    """The formats that this installation cannot read, each with the command that installs its decoder."""
    return {name: decoder.install for name, decoder in DECODERS.items() if not decoder.installed()}


def decode(path: str | os.PathLike[str], size: tuple[int, int] | None = None, *, generated: bool = True) -> Image.Image:
    """The first frame of a file in mode L (if the file is grey) or RGB, cropped and resized to a size unless that is None.

    size: (height, width). The content decides the format, not the suffix; formats outside `FORMATS` are refused. Raises what
    Pillow or the system raises (see `failure_reason`), and ValueError for more than PIL.Image.MAX_IMAGE_PIXELS pixels, for pixels
    that are not finite, and, unless `generated` images are read, for one of them: `GENERATED`.
    """
    with open_regular(path) as file:
        return _decode(file, size, None, generated=generated)


def _decode(file: BufferedReader, size: tuple[int, int] | None, mode: Mode | None, *, generated: bool) -> Image.Image:
    with open_image(file) as image:
        if not generated and is_generated(image):
            raise RefusedError(GENERATED)
        if size is not None:
            # decode a much larger JPEG at 1/2, 1/4 or 1/8 of its size, but never below twice the target, so that
            # the resize filter still does the last halving; it may have to be turned by its EXIF orientation
            image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        upright = to_grey_or_rgb(image) if mode is None else to_mode(image, mode)
    return upright if size is None else crop(upright, size)


def decode_all(
    open_file: Callable[[str], BufferedReader],
    files: Sequence[str],
    size: tuple[int, int] | None,
    mode: Mode | None = None,
    *,
    generated: bool,
) -> Generator[tuple[str, Image.Image | str], None, None]:
    """Each file with its image, or the reason why it is not read, in order.

    open_file: opens the file of a name, in several threads. mode: None for grey or RGB, as the file is. generated: read images
    that diffkit generated too; else their reason is `GENERATED`. At most one batch of files is decoded ahead of the caller.
    """
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        # Pillow warns of damaged EXIF, which is harmless, and of large images, which `open_image` refuses
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(files), FILES_PER_BATCH):
            batch = files[start : start + FILES_PER_BATCH]
            yield from zip(batch, pool.map(partial(_decode_or_reason, open_file, size, mode, generated), batch), strict=True)


def open_image(file: BufferedReader, formats: tuple[str, ...] | None = None) -> Image.Image:
    """The image in an open file, not decoded yet. formats: by default all that this installation reads.

    Raises RefusedError for an empty file, for more than PIL.Image.MAX_IMAGE_PIXELS pixels, and for a missing decoder.
    """
    if not file.peek(1):
        raise RefusedError("empty")
    try:
        image = Image.open(file, formats=formats or [name for name in FORMATS if name not in missing_decoders()])
    except UnidentifiedImageError:
        if not formats and (missing := _missing_decoder(file)):
            raise RefusedError(missing) from None
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedError(f"too large{_declared_size(file)}") from error
    # up to twice its limit Pillow only warns, and a file of 492 kB then takes 1.3 GB
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise RefusedError(f"too large: {image.width} x {image.height}, at most {limit} pixels")
    return image


def failure_reason(error: Exception) -> str:
    """A few words on why a file cannot be read, from the error that reading it raised.

    >>> failure_reason(OSError("image file is truncated (3 bytes not processed)"))
    'truncated'
    >>> failure_reason(PermissionError(13, "Permission denied"))
    'permission denied'
    """
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    text = str(error)
    if isinstance(error, RefusedError):
        return text
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return f"damaged: {text or type(error).__name__}"


def _decode_or_reason(
    open_file: Callable[[str], BufferedReader], size: tuple[int, int] | None, mode: Mode | None, generated: bool, name: str
) -> Image.Image | str:
    try:
        with open_file(name) as file:
            return _decode(file, size, mode, generated=generated)
    except Exception as error:  # on damaged input a decoder may raise anything: IndexError, struct.error, ...
        return failure_reason(error)


def _missing_decoder(file: BufferedReader) -> str:
    """Which format a file has whose decoder is missing, and how to install it; "" for another file."""
    file.seek(0)
    head = file.read(12)
    missing = missing_decoders()
    names = (name for name in missing if head[4:8] == b"ftyp" and head[8:] in DECODERS[name].brands)
    return next((f"{name}, which needs {missing[name]}" for name in names), "")


def _declared_size(file: BufferedReader) -> str:
    """The size in the header. Image.open raises before it reports it, the format's own reader reports it without decoding."""
    for name in FORMATS:
        file.seek(0)
        try:
            reader = Image.OPEN[name][0](file, "")
        except Exception:  # another format
            continue
        return f": {reader.width} x {reader.height}, at most {Image.MAX_IMAGE_PIXELS} pixels"
    return ""
