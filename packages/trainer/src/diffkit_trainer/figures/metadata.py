"""How a picture was made, written into the picture: a text chunk of JSON in a PNG."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from diffkit_trainer.data.decode import image_in, reason
from diffkit_trainer.data.listing import printable
from diffkit_trainer.errors import DataError, RunError
from diffkit_trainer.files.regular import open_regular
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import known_format, with_format

__all__ = ["KEY", "png_text", "read_metadata"]

KEY = "diffkit"
"""The chunk's keyword."""

LONGEST = 2**16


def png_text(note: Mapping[str, Any] | None) -> PngInfo | None:
    """What Pillow's `save(pnginfo=)` takes to write the note, plain JSON, as one text chunk; None for no note."""
    if note is None:
        return None
    info = PngInfo()
    info.add_text(KEY, json.dumps(with_format(note), allow_nan=False))
    return info


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The note of a PNG that was written here.

    Raises DataError for a file that cannot be read, is no PNG, or carries no note, and for a note of a format not known here.

    >>> from PIL import Image
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (8, 8)).save(f"{folder}/a.png", pnginfo=png_text({"seed": 7}))
    ...     print(read_metadata(f"{folder}/a.png"))
    {'seed': 7}
    """
    try:
        with open_regular(path) as file, image_in(file, ("PNG",)) as image:
            text = image.info.get(KEY)
            if text is None:  # the chunk may stand behind the pixels, where a tool rewrote the file
                image.load()
                text = image.info.get(KEY)
    except Exception as error:  # a damaged PNG fails in any way it likes
        raise DataError(f"{printable(path)}: {reason(error)}; expected a PNG that diffkit wrote") from None
    if not isinstance(text, str):
        raise DataError(f"{printable(path)}: carries no note of how it was made; expected a PNG that diffkit wrote")
    if len(text) > LONGEST:
        raise DataError(f"{printable(path)}: its note has {len(text)} characters, expected at most {LONGEST}")
    try:
        return known_format(parse_object(text.encode("utf-8", "surrogatepass"), "its note"), "its note")
    except RunError as error:
        raise DataError(f"{printable(path)}: {error}") from None
