"""What a picture says of how it was drawn, and the pictures that say it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from diffkit_trainer import DataError, read_metadata, save_images, save_png
from diffkit_trainer.files import Count, Text, convert
from msgspec import Meta, Struct

from diffkit_cli.options.choices import SAMPLERS, SPACINGS
from diffkit_cli.run_config import Side
from diffkit_cli.terminal.console import plural, warn

__all__ = ["asked_then", "read_drawn", "write_drawn", "write_images"]


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


def write_drawn(pixels: Any, out: Path, note: Mapping[str, Any], *, lone: bool = False) -> None:
    """The images as a grid or a folder, see `save_images`, each with the note; in a folder with its own seed and class.

    lone: one image that is written at its own size, not as a grid, where `out` ends in .png.
    """
    if out.suffix.lower() == ".png" and not lone:
        write_images(pixels, out, [{**note, "grid": True}])
        return
    classes: Sequence[str] = note["classes"]
    notes = [
        {**note, "seed": note["seed"] + i, "n": 1, "grid": False, "classes": [classes[i % len(classes)]] if classes else []}
        for i in range(len(pixels))
    ]
    if lone:
        save_png(pixels[0], out, notes[0])
    else:
        write_images(pixels, out, notes)


def write_images(pixels: Any, out: Path, notes: Sequence[Mapping[str, Any]], *, columns: int | None = None) -> None:
    """The images as a grid or a folder, see `save_images`; says how many others such a folder holds."""
    written = save_images(pixels, out, columns=columns, metadata=notes)
    others = len(set(out.glob("*.png")) - set(written)) if out.is_dir() else 0
    if others:
        warn(f"{out} holds {plural(others, 'other PNG')} too, from before")


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
