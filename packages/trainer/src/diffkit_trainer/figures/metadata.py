"""Metadata of a generated image, how it was made: JSON in its PNG, GIF or WebP file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from diffkit_trainer.data.decode import failure_reason, open_image
from diffkit_trainer.data.generated import KEY, metadata_text
from diffkit_trainer.errors import DataError, RunError
from diffkit_trainer.files.regular_file import open_regular
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.text import printable
from diffkit_trainer.files.typed_json import with_format, without_format

__all__ = ["KEY", "png_info", "read_metadata", "save_options"]

MAX_CHARACTERS = 2**16


def save_options(kind: str, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of Pillow's `save` that write the metadata, plain JSON, into a file of a format; none for None."""
    if metadata is None:
        return {}
    if kind == "PNG":
        return {"pnginfo": png_info(metadata)}
    text = f"{KEY} {_as_json(metadata)}"
    if kind == "GIF":
        return {"comment": text.encode()}
    exif = Image.Exif()
    exif[Base.ImageDescription] = text
    return {"exif": exif}


def png_info(metadata: Mapping[str, Any] | None) -> PngInfo | None:
    """The metadata, plain JSON, as the argument `pnginfo` of Pillow's `save`; None for None."""
    if metadata is None:
        return None
    info = PngInfo()
    info.add_text(KEY, _as_json(metadata))
    return info


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The metadata of an image that diffkit wrote, PNG, GIF or WebP.

    Raises DataError for a file that cannot be read, is not such an image or has no metadata, and for metadata of a newer format.

    >>> from PIL import Image
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (8, 8)).save(f"{folder}/a.png", pnginfo=png_info({"seed": 7}))
    ...     print(read_metadata(f"{folder}/a.png"))
    {'seed': 7}
    """
    try:
        with open_regular(path) as file, open_image(file) as image:
            if image.format == "PNG" and KEY not in image.info:  # it follows the pixels if another program rewrote the file
                image.load()
            text = metadata_text(image)
    except Exception as error:  # a damaged image may raise anything
        raise DataError(f"{printable(path)}: {failure_reason(error)}; expected an image that diffkit wrote") from None
    if text is None:
        raise DataError(
            f"{printable(path)}: has no diffkit metadata: it was not made by diffkit, or another program removed them"
        )
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"{printable(path)}: its metadata has {len(text)} characters, expected at most {MAX_CHARACTERS}")
    try:
        return without_format(parse_object(text.encode("utf-8", "surrogatepass"), "its metadata"), "its metadata")
    except RunError as error:
        raise DataError(f"{printable(path)}: {error}") from None


def _as_json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(with_format(metadata), allow_nan=False)
