"""What a packed folder says of itself, in index.json, and the images that it holds."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
import torch
from msgspec import Meta, Struct
from msgspec.structs import replace

from diffkit_trainer.data.images import Images
from diffkit_trainer.data.packed.mapped import mapped
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.atomic import write_whole
from diffkit_trainer.files.signed_json import signed, verified
from diffkit_trainer.files.strict_json import read_json
from diffkit_trainer.files.typed_json import as_type

__all__ = ["Index", "Packed", "Seen", "open_packed", "seen", "write_index"]

LONGEST = 2**30  # our own file, and a million names of bad files are 100 MB
Side: TypeAlias = Annotated[int, Meta(ge=0, lt=2**40)]


class Seen(NamedTuple):
    """What the system says of a file: another, once anybody has written to it."""

    size: int
    inode: int
    mtime_ns: int
    ctime_ns: int


class Index(Struct, frozen=True):
    """The images' shape, the files that are none with the reason, and what it would take all bytes to know again: fingerprint,
    mean and deviation.

    seen: what the system said of each file when its bytes were last known to be those of the fingerprint.
    """

    shape: tuple[Side, Side, Side, Side]
    bad: list[tuple[str, str]]
    classes: tuple[str, ...] = ()
    fingerprint: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Meta(gt=0)], ...] = ()
    seen: dict[str, Seen] = {}

    def __post_init__(self) -> None:
        count, channels, *_ = self.shape
        if count and not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"expected a mean and a deviation of each of {channels} channels, found {self.mean} and {self.std}")


Packed: TypeAlias = tuple[Index, Images | None]
"""The index of a packed folder, and its images, where it holds any."""


def write_index(folder: Path, index: Index) -> None:
    """Write index.json, whole or not at all; OSError where the disk refuses."""
    write_whole(folder / "index.json", json.dumps(signed(msgspec.to_builtins(index))))


def open_packed(folder: Path, root: Path, name: str) -> Packed:
    """The index, and the images, mapped; None where no file of the folder was one.

    All bytes are read where a file is not as it was last `seen`. What the system cannot tell, such as a disk that gives back
    other bytes than it was given, is not noticed then. Raises DataError or RunError for a pack that is not what was written.
    root, name: where the bad files lie, and what the images are called.
    """
    path = folder / "index.json"
    index = as_type(verified(read_json(path, LONGEST), path), Index, path)
    pixels = mapped(folder / "pixels", index.shape, torch.uint8)
    if not index.shape[0]:
        return index, None
    labels = mapped(folder / "labels", index.shape[:1], torch.int64) if index.classes else None
    skipped = tuple((root / bad, why) for bad, why in index.bad)
    try:
        images = Images(pixels, labels, index.classes, name, skipped)
    except ValueError as error:
        raise DataError(f"{folder}: damaged: {error}") from None
    now = seen(folder, index.classes)
    if now != index.seen:
        if images.fingerprint != index.fingerprint:
            raise DataError(f"{folder}: damaged: its bytes are not those that were packed")
        with suppress(OSError):  # somebody else's cache: all bytes are read each time
            write_index(folder, replace(index, seen=now))
    images.__dict__["fingerprint"] = index.fingerprint
    images.__dict__["_statistics"] = index.mean, index.std
    return index, images


def seen(folder: Path, classes: Sequence[str]) -> dict[str, Seen]:
    """What the system says now of the files beside the index."""
    found = {name: (folder / name).stat() for name in ("pixels", *["labels"] * bool(classes))}
    return {name: Seen(of.st_size, of.st_ino, of.st_mtime_ns, of.st_ctime_ns) for name, of in found.items()}
