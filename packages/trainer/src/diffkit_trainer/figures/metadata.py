"""Metadata of a generated image, how it was made: JSON in a text chunk of its PNG file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from diffkit_trainer.data.decode import failure_reason, open_image
from diffkit_trainer.errors import DataError, RunError
from diffkit_trainer.files.regular import open_regular
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.text import printable
from diffkit_trainer.files.typed_json import with_format, without_format

__all__ = ["KEY", "png_info", "read_metadata"]

KEY = "diffkit"
"""The keyword of the text chunk."""

MAX_CHARACTERS = 2**16


def png_info(metadata: Mapping[str, Any] | None) -> PngInfo | None:
    """The metadata, plain JSON, as the argument `pnginfo` of Pillow's `save`; None for None."""
    if metadata is None:
        return None
    info = PngInfo()
    info.add_text(KEY, json.dumps(with_format(metadata), allow_nan=False))
    return info


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The metadata of a PNG that diffkit wrote.

    Raises DataError for a file that cannot be read, is not a PNG or has no metadata, and for metadata of a newer format.

    >>> from PIL import Image
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (8, 8)).save(f"{folder}/a.png", pnginfo=png_info({"seed": 7}))
    ...     print(read_metadata(f"{folder}/a.png"))
    {'seed': 7}
    """
    try:
        with open_regular(path) as file, open_image(file, ("PNG",)) as image:
            text = image.info.get(KEY)
            if text is None:  # the chunk may follow the pixels if another program rewrote the file
                image.load()
                text = image.info.get(KEY)
    except Exception as error:  # a damaged PNG may raise anything
        raise DataError(f"{printable(path)}: {failure_reason(error)}; expected a PNG that diffkit wrote") from None
    if not isinstance(text, str):
        raise DataError(f"{printable(path)}: has no diffkit metadata; expected a PNG that diffkit wrote")
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"{printable(path)}: its metadata has {len(text)} characters, expected at most {MAX_CHARACTERS}")
    try:
        return without_format(parse_object(text.encode("utf-8", "surrogatepass"), "its metadata"), "its metadata")
    except RunError as error:
        raise DataError(f"{printable(path)}: {error}") from None
