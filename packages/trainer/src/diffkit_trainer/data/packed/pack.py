"""A folder of images decoded once, into one file that every later run maps into memory."""

import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from diffkit_trainer.data.folder import report
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.listing import list_images, printable
from diffkit_trainer.data.packed.cache import cache_folder, prune, used
from diffkit_trainer.data.packed.index import Index, Packed, open_packed, seen, write_index
from diffkit_trainer.data.packed.writer import Packing
from diffkit_trainer.data.sources import LARGEST, classes_of, of_folder
from diffkit_trainer.errors import DataError, RunError
from diffkit_trainer.files.atomic import publish, remove
from diffkit_trainer.files.lock import waiting_for
from diffkit_trainer.pixels import raw_bytes

__all__ = ["pack"]

VERSION = 3
FULL = (errno.ENOSPC, errno.EDQUOT)


def pack(
    source: str | Path,
    size: int,
    *,
    cache: Path | None = None,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], object] | None = None,
) -> Images:
    """The images of a folder as `open_images` gives them, their pixels mapped from a file that was made the first time.

    The file lies in `cache` (see `cache_folder`), and is made again when a name, a size, a time of change or a permission in
    the folder differs, or `size`; then the former one goes, and what nobody opened for 30 days (see `prune`). It takes 3 size^2
    bytes an image, size^2 where all are grey. Making it goes on where it was interrupted; a second process waits and then uses
    what the first has made; nothing of it is seen until it is whole. A training that has opened it goes on whatever happens to
    the folder. One that is damaged is made again, with a warning; where a file of it was touched since, all bytes are read to
    tell, see `open_packed`. Where there can be no cache, the images are decoded into memory, with a warning.
    on_progress(done, total) is called in this thread. Raises as `open_images` does; DataError too where files change while they
    are read; RunError, with the bytes needed, where the disk has too little room.
    """
    if not 1 <= size <= LARGEST:
        raise ValueError(f"size must be in 1 ... {LARGEST}, got {size}")
    root = Path(source)
    names, unreadable = list_images(root)
    key = _key(root, names, unreadable, size)
    try:
        folder = _writable((cache or cache_folder()) / "packed", key)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) in FULL:
            raise RunError(f"{cache or cache_folder()}: {why}; {3 * size * size * len(names)} bytes are needed") from None
        where = f"{name}: {why}" if (name := getattr(error, "filename", None)) else why
        warnings.warn(f"no cache for packed images ({where}): decoding into memory; set DIFFKIT_CACHE to a folder", stacklevel=2)
        return of_folder(root, size, skip_bad=skip_bad, on_progress=on_progress)
    here = partial(open_packed, folder, root, printable(root.resolve().name))
    found = _packed(here, folder)
    if found is None:
        try:
            with waiting_for(folder.with_name(f"{key}.lock")):
                found = _packed(here, folder, mend=True)
                if found is None:
                    _make(folder, root, names, unreadable, size, on_progress)
                    prune(folder.parent, key)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); set DIFFKIT_CACHE to another folder") from None
    index, images = found or here()
    used(folder / "index.json")
    if images is None or (index.bad and not skip_bad):
        total = len(names) + len(unreadable)
        raise DataError(report(root, index.bad, total, none_left=skip_bad), [(root / name, why) for name, why in index.bad])
    return images


def _packed(here: Callable[[], Packed], folder: Path, *, mend: bool = False) -> Packed | None:
    """What was packed; None where nothing was or it is damaged. mend: then say so, and make room for another."""
    if not folder.exists():
        return None
    try:
        return here()
    except (DataError, RunError) as error:
        if mend:
            warnings.warn(f"{error}; packing these images anew", stacklevel=3)
            remove(folder)
        return None


def _writable(packed: Path, key: str) -> Path:
    """The pack's folder. Raises OSError where it is not there yet and none could be made."""
    if not (packed / key / "index.json").exists():
        packed.mkdir(parents=True, exist_ok=True)
        (packed / f"{key}.lock").open("a").close()
    return packed / key


def _make(
    folder: Path,
    root: Path,
    names: list[str],
    unreadable: list[tuple[str, str]],
    size: int,
    on_progress: Callable[[int, int], object] | None,
) -> None:
    packing = Packing(folder.with_name(f"{folder.name}.partial"), size)
    packing.decode(root, names, lambda done: on_progress and on_progress(done + len(unreadable), len(names) + len(unreadable)))
    if _key(root, names, unreadable, size) != folder.name:
        packing.discard()
        raise DataError(f"{printable(root)}: files changed while they were read; try again when nothing writes to this folder")
    pixels, good = packing.finish(names)
    count, channels, height, width = pixels.shape
    shape, bad = (count, channels, height, width), sorted([*unreadable, *packing.bad])
    if not good:
        write_index(packing.folder, Index(shape, bad))
        publish(packing.folder, folder)
        return
    labels, classes = classes_of(good)
    if labels is not None:
        (packing.folder / "labels").write_bytes(raw_bytes(labels))
    images = Images(pixels, labels, classes)
    index = Index(shape, bad, classes, images.fingerprint, *images.statistics())
    write_index(packing.folder, index)
    publish(packing.folder, folder)
    write_index(folder, replace(index, seen=seen(folder, classes)))  # only now: what is published was touched


def _key(root: Path, names: list[str], unreadable: list[tuple[str, str]], size: int) -> str:
    """A name of the data (its folder and the size), a "-", and one of what is in it now."""
    digest = hashlib.sha256(json.dumps([VERSION, size, os.fspath(root.resolve())]).encode())
    data = digest.hexdigest()[:32]
    digest.update(json.dumps(unreadable).encode())
    base = os.fspath(root)
    for name in names:
        try:
            found = os.stat(os.path.join(base, name))
            digest.update(f"{json.dumps(name)} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\n".encode())
        except OSError as error:
            digest.update(f"{json.dumps(name)} {error.errno}\n".encode())
    return f"{data}-{digest.hexdigest()[:32]}"
