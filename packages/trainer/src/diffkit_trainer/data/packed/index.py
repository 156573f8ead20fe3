"""The index of a packed folder, index.json, and the images in the folder."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
import torch
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from diffkit_trainer.data.folder_warnings import folder_warnings
from diffkit_trainer.data.generated import GENERATED
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.listing import Listing
from diffkit_trainer.data.packed.memory_map import map_tensor
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.atomic import atomic_write_text
from diffkit_trainer.files.checksum_json import verify_checksum, with_checksum
from diffkit_trainer.files.strict_json import read_json
from diffkit_trainer.files.typed_json import as_type
from diffkit_trainer.options import Mode

__all__ = ["MAX_BYTES", "FileState", "Index", "Pack", "dtype_of", "file_states", "open_packed", "write_index"]

MAX_BYTES = 2**30  # diffkit's own file, and a million names of bad files take 100 MB
Side: TypeAlias = Annotated[int, Meta(ge=0, lt=2**40)]


class FileState(NamedTuple):
    """The fields of stat by which a write to the file is detected."""

    size: int
    inode: int
    mtime_ns: int
    ctime_ns: int


class Index(Struct, frozen=True):
    """The shape of the images, the bad files with the reason, the classes, and the fingerprint, mean and deviation of the images.

    generated: the files that were left out because diffkit generated them.
    states: the state of each file when its bytes were last verified against the fingerprint.
    """

    shape: tuple[Side, Side, Side, Side]
    bad: list[tuple[str, str]]
    classes: tuple[str, ...] = ()
    fingerprint: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Meta(gt=0)], ...] = ()
    generated: list[str] = []
    states: dict[str, FileState] = field(name="seen", default_factory=dict)

    def __post_init__(self) -> None:
        count, channels, *_ = self.shape
        if count and not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"expected a mean and a deviation of each of {channels} channels, found {self.mean} and {self.std}")


Pack: TypeAlias = tuple[Index, Images | None]
"""The index of a packed folder, and its images; None if all files were bad."""


def write_index(folder: Path, index: Index) -> None:
    """Write index.json atomically. Raises OSError if it cannot be written."""
    atomic_write_text(folder / "index.json", json.dumps(with_checksum(msgspec.to_builtins(index))))


def dtype_of(mode: Mode | None) -> torch.dtype:
    """The type of the pixels of images that are packed in a mode."""
    return torch.float32 if mode == "L16" else torch.uint8


def open_packed(folder: Path, listing: Listing, name: str, mode: Mode | None = None) -> Pack:
    """The index of a packed folder, and its images, mapped into memory. listing: the original folder; name: the images' name.

    All bytes are verified if the state of a file differs from the index. A change that stat does not show, such as a disk that
    returns other bytes than were written, is not noticed. Raises DataError or RunError for a pack that is missing or damaged.
    """
    path = folder / "index.json"
    index = as_type(verify_checksum(read_json(path, MAX_BYTES), path), Index, path)
    pixels = map_tensor(folder / "pixels", index.shape, dtype_of(mode))
    if not index.shape[0]:
        return index, None
    labels = map_tensor(folder / "labels", index.shape[:1], torch.int64) if index.classes else None
    skipped = tuple((listing.root / bad, reason) for bad, reason in index.bad)
    gone = {*index.generated, *(bad for bad, _ in index.bad)}
    good = [each for each in listing.files if each not in gone]
    warnings = folder_warnings({**listing.left_out, GENERATED: len(index.generated)}, good, listing.generated)
    try:
        images = Images(pixels, labels, index.classes, name, skipped, warnings, files=tuple(good))
    except ValueError as error:
        raise DataError(f"{folder}: damaged: {error}") from None
    states = file_states(folder, index.classes)
    if states != index.states:
        if images.fingerprint != index.fingerprint:
            raise DataError(f"{folder}: damaged: its bytes do not match its fingerprint")
        with suppress(OSError):  # a cache that cannot be written: all bytes are verified each time
            write_index(folder, replace(index, states=states))
    images.__dict__["fingerprint"] = index.fingerprint
    images.__dict__["_statistics"] = index.mean, index.std
    return index, images


def file_states(folder: Path, classes: Sequence[str]) -> dict[str, FileState]:
    """The current state of the files that the index describes."""
    stats = {name: (folder / name).stat() for name in ("pixels", *["labels"] * bool(classes))}
    return {name: FileState(stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats.items()}
