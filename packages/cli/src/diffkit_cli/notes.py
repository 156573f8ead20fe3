"""What a picture says of how it was drawn, and the pictures that say it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import DataError, read_note, save_images, to_png

from diffkit_cli.console import plural, warn

__all__ = ["asked_then", "read_drawn", "write_drawn", "write_images"]

KINDS: dict[str, Any] = {
    **{"command": str, "weights": str, "step": int, "raw": bool},
    **{"seed": int, "n": int, "grid": bool, "classes": list, "size": list},
    **{"sampler": str, "steps": int, "eta": float, "spacing": str, "guidance": float},
}
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
        to_png(pixels[0], out, notes[0])
    else:
        write_images(pixels, out, notes)


def write_images(pixels: Any, out: Path, notes: Sequence[Mapping[str, Any]], *, columns: int | None = None) -> None:
    """The images as a grid or a folder, see `save_images`; says how many others such a folder holds."""
    written = save_images(pixels, out, columns=columns, notes=notes)
    others = len(set(out.glob("*.png")) - set(written)) if out.is_dir() else 0
    if others:
        warn(f"{out} holds {plural(others, 'other PNG')} too, from before")


def read_drawn(path: Path) -> dict[str, Any]:
    """The note of a PNG of `diffkit sample`, its keys and their types checked.

    Raises DataError where the PNG has none, was made by another command, or its note is not what is written here.
    """
    note = read_note(path)
    if note.get("command") != "sample":
        raise DataError(f"{path}: was drawn by diffkit {note.get('command')}, expected a picture of diffkit sample")
    for key, kind in KINDS.items():
        value = note.get(key)
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise DataError(f"{path}: its note says {key} = {value!r}, expected {kind.__name__}")
    if [type(side) for side in note["size"]] != [int, int] or any(type(name) is not str for name in note["classes"]):
        raise DataError(f"{path}: its note says size = {note['size']!r}, classes = {note['classes']!r}; expected numbers, names")
    return note


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
