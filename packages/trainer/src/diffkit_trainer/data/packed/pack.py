"""Packs a folder of images: decoded once, into one file that every later run maps into memory."""

import errno
import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from diffkit_trainer.data.colour_and_crop import Size, height_and_width
from diffkit_trainer.data.decode import missing_decoders
from diffkit_trainer.data.folder import bad_files_message, class_labels, open_folder
from diffkit_trainer.data.generated import GENERATED
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.data.listing import Listing, list_images
from diffkit_trainer.data.packed.cache import cache_folder, mark_used, remove_unused
from diffkit_trainer.data.packed.index import Index, Pack, file_states, open_packed, write_index
from diffkit_trainer.data.packed.writer import PackWriter
from diffkit_trainer.errors import DataError, RunError
from diffkit_trainer.files.atomic import commit_folder, remove_folder
from diffkit_trainer.files.lock import wait_for_lock
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import Mode
from diffkit_trainer.pixels import raw_bytes

__all__ = ["pack"]

VERSION = 5
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def pack(
    source: str | Path,
    size: Size,
    *,
    mode: Mode | None = None,
    cache: Path | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> Images:
    """The images of a folder or an archive as `open_images` gives them, mapped from a file that the first call writes.

    The file is in `cache`, by default `cache_folder()`, and takes a byte per pixel and channel, or 4 of 16 bits. It is
    written again if `size` differs, or the name, size, modification time or permissions of any file in the folder; the former
    pack is removed then, and so are packs that were not opened for 30 days, see `remove_unused`. An interrupted call is continued
    by the next one. A second process waits for the first, and never sees an incomplete pack. A run that has opened a pack keeps
    it, whatever happens to the folder. A damaged pack is written again, with a warning; see `open_packed` for what is noticed. If
    there can be no cache, the images are decoded into memory, with a warning.

    on_progress(done, total) is called in this thread after every file that is decoded. Raises as `open_images` does; DataError
    also if files change meanwhile; RunError, with the bytes needed, if the disk has too little space.
    """
    sides = height_and_width(size)
    listing = list_images(Path(source))
    root, names, unreadable, *_ = listing
    key = _key(listing, sides, mode)
    try:
        folder = _require_writable((cache or cache_folder()) / "packed", key)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) in DISK_FULL:
            raise RunError(f"{cache or cache_folder()}: {reason}; {3 * math.prod(sides) * len(names)} bytes are needed") from None
        where = f"{name}: {reason}" if (name := getattr(error, "filename", None)) else reason
        warnings.warn(f"no cache for packed images ({where}): decoding into memory; set DIFFKIT_CACHE to a folder", stacklevel=2)
        return open_folder(source, sides, mode=mode, skip_bad=skip_bad, on_progress=on_progress)
    open_pack = partial(open_packed, folder, listing, printable(Path(source).resolve().name), mode)
    found = _existing_pack(open_pack, folder)
    if found is None:
        try:
            with wait_for_lock(folder.with_name(f"{key}.lock")):
                found = _existing_pack(open_pack, folder, discard_damaged=True)
                if found is None:
                    _write_pack(folder, listing, sides, mode, on_progress)
                    remove_unused(folder.parent, key)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); set DIFFKIT_CACHE to another folder") from None
    index, images = found or open_pack()
    mark_used(folder / "index.json")
    if images is None or (index.bad and not skip_bad):
        message = bad_files_message(root, index.bad, len(names) + len(unreadable), none_left=skip_bad)
        raise DataError(message, [(root / name, reason) for name, reason in index.bad])
    return images


def _existing_pack(open_pack: Callable[[], Pack], folder: Path, *, discard_damaged: bool = False) -> Pack | None:
    """The pack in the folder; None if it is missing or damaged. discard_damaged: warn of a damaged one and remove it."""
    if not folder.exists():
        return None
    try:
        return open_pack()
    except (DataError, RunError) as error:
        reason = str(error)
    if discard_damaged:  # here: the error holds the mapped files, and Windows removes none that is open
        warnings.warn(f"{reason}; packing these images again", stacklevel=3)
        remove_folder(folder)
    return None


def _require_writable(packed: Path, key: str) -> Path:
    """The folder of the pack. Raises OSError if it does not exist yet and cannot be created."""
    if not (packed / key / "index.json").exists():
        packed.mkdir(parents=True, exist_ok=True)
        (packed / f"{key}.lock").open("a").close()
    return packed / key


def _write_pack(folder: Path, listing: Listing, size: tuple[int, int], mode: Mode | None, on_progress: Progress | None) -> None:
    root, names, unreadable, *_ = listing
    writer = PackWriter(folder.with_name(f"{folder.name}.partial"), size, mode)
    writer.decode(listing, lambda done: on_progress and on_progress(done + len(unreadable), len(names) + len(unreadable)))
    if _key(listing, size, mode) != folder.name:
        writer.discard()
        raise DataError(f"{printable(root)}: files changed while they were read; try again when nothing writes to this folder")
    index = _finish(writer, names, unreadable)  # in a function, which keeps no file mapped: Windows renames none that is open
    write_index(writer.folder, index)
    commit_folder(writer.folder, folder)
    if index.shape[0]:
        write_index(folder, replace(index, states=file_states(folder, index.classes)))  # last: the commit changes the states


def _finish(writer: PackWriter, names: list[str], unreadable: list[tuple[str, str]]) -> Index:
    pixels, good = writer.finish(names)
    count, channels, height, width = pixels.shape
    shape = count, channels, height, width
    generated = [name for name, reason in writer.bad if reason == GENERATED]
    bad = sorted([*unreadable, *((name, reason) for name, reason in writer.bad if reason != GENERATED)])
    if not good:
        return Index(shape, bad)
    labels, classes = class_labels(good)
    if labels is not None:
        (writer.folder / "labels").write_bytes(raw_bytes(labels))
    images = Images(pixels, labels, classes)
    return Index(shape, bad, classes, images.fingerprint, *images.statistics(), generated)


def _key(listing: Listing, size: tuple[int, int], mode: Mode | None) -> str:
    """The name of a pack: a hash of the folder's path and the size, "-", and a hash of the folder's current content."""
    root, names, unreadable, *_ = listing
    digest = hashlib.sha256(json.dumps([VERSION, *size, os.fspath(root.resolve()), *([mode] if mode else [])]).encode())
    data = digest.hexdigest()[:32]
    digest.update(json.dumps([unreadable, sorted(missing_decoders())]).encode())
    base = os.fspath(root)
    if listing.archive is not None:  # which has one state, that of its file
        stat = listing.archive.path.stat()
        digest.update(json.dumps([names, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]).encode())
        names = []
    for name in names:
        try:
            stat = os.stat(os.path.join(base, name))  # noqa: PTH116, PTH118 - for a million files
            digest.update(f"{json.dumps(name)} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\n".encode())
        except OSError as error:
            digest.update(f"{json.dumps(name)} {error.errno}\n".encode())
    return f"{data}-{digest.hexdigest()[:32]}"
