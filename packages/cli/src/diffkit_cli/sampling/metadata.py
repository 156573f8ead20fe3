"""What a picture says of how it was drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from diffkit_trainer import DataError, read_metadata
from diffkit_trainer.files import Count, Text, convert
from msgspec import Meta, Struct

from diffkit_cli.options.choices import SAMPLERS, SPACINGS
from diffkit_cli.run_config import Side

__all__ = ["asked_then", "note_of_image", "read_drawn"]


class Drawn(Struct, omit_defaults=True):
    """The note of a picture of `diffkit sample`."""

    command: Text
    weights: Text
    step: Count
    raw: bool
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    n: Annotated[int, Meta(ge=1, le=10**6)]
    grid: bool
    classes: list[Text]
    size: tuple[Side, Side]
    sampler: Text
    steps: Annotated[int, Meta(ge=1, le=10**6)]
    eta: Annotated[float, Meta(ge=0, le=1)]
    spacing: Text
    guidance: float
    init: Text | None = None
    strength: Annotated[float, Meta(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        for name, value, words in (("sampler", self.sampler, SAMPLERS), ("spacing", self.spacing, SPACINGS)):
            if value not in words:
                raise ValueError(f"{name}: expected one of {', '.join(words)}, found {value!r:.60}")


ASKED = ("seed", "n", "raw", "classes", "sampler", "steps", "eta", "spacing", "guidance")


def note_of_image(note: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The note of image i alone, of those that one of `diffkit sample` is about: with its own seed and class.

    >>> note_of_image({"seed": 4, "n": 3, "grid": True, "classes": ["cat", "dog"]}, 1)
    {'seed': 5, 'n': 1, 'grid': False, 'classes': ['dog']}
    """
    classes = note["classes"]
    own = [classes[i % len(classes)]] if classes else []
    return {**note, "seed": note["seed"] + i, "n": 1, "grid": False, "classes": own}


def read_drawn(path: Path) -> dict[str, Any]:
    """The note of a PNG of `diffkit sample`, see `Drawn`; without keys that are not known here.

    Raises DataError where the PNG has none, was made by another command, or its note is not what is written here.
    """
    note = read_metadata(path)
    if note.get("command") != "sample":
        raise DataError(f"{path}: was drawn by diffkit {note.get('command')!r:.60}, expected a picture of diffkit sample")
    try:
        drawn: dict[str, Any] = msgspec.to_builtins(convert(note, Drawn))
    except ValueError as error:
        raise DataError(f"{path}: its note: {error}") from None
    return drawn


def asked_then(note: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options that draw the noted picture again, under those that are asked now.

    A sampler of one's own brings its own eta; ddpm its own number of steps, which no other sampler takes over.
    """
    then = {key: note[key] for key in ASKED} | {"size": "x".join(map(str, note["size"]))}
    sampler = asked.get("sampler", then["sampler"])
    if sampler != then["sampler"]:
        del then["eta"]
        if "ddpm" in (sampler, then["sampler"]):
            del then["steps"]
    return then | dict(asked)
