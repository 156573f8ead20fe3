"""A folder of images, whatever its depth: every file listed once and decoded in parallel, every bad file named."""

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.convert import as_pixels
from diffkit_trainer.decode import decode, reason, refusal
from diffkit_trainer.errors import DataError

__all__ = ["SUFFIXES", "Decoded", "list_images", "printable", "read_folder"]

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""A file is an image if its name ends so, in capitals or not."""

LISTED = 20
BATCH = 64


class Decoded(NamedTuple):
    """What a folder gave: uint8 pixels (N, C, H, W), the N files relative to it, and what was left out, with the reason."""

    pixels: Tensor
    files: list[str]
    bad: list[tuple[Path, str]]


def read_folder(
    root: Path,
    size: int | None = None,
    *,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], object] | None = None,
) -> Decoded:
    """Every image below `root`, in the order of its relative path: grey (C = 1) if all are grey, else RGB.

    Raises DataError where the folder is missing, empty or without images; for all the bad files at once, unless skip_bad leaves
    them out; where none is left; and, if size is None, at the first image that differs in size from the first.
    """
    files, bad = list_images(root)
    total = len(files) + len(bad)
    pixels, names = torch.empty(0, dtype=torch.uint8), list[str]()
    for name, image in _decoded(root, files, size):
        if on_progress is not None:
            on_progress(len(bad) + len(names) + 1, total)
        if isinstance(image, str):
            bad.append((name, image))
            continue
        kept, shape = len(names), (image.height, image.width)
        if not kept:
            pixels = _room(root, len(files), 1 if image.mode == "L" else 3, *shape)
        elif shape != pixels.shape[2:]:
            raise DataError(
                f"{printable(root)}: images of different sizes: {printable(names[0])} is {pixels.shape[3]} x {pixels.shape[2]}, "
                f"{printable(name)} is {image.width} x {image.height}; pass --size to bring them to one"
            )
        if image.mode == "RGB" and pixels.shape[1] == 1:
            grey, pixels = pixels, _room(root, len(files), 3, *shape)
            pixels[:kept] = grey[:kept]
        pixels[kept] = as_pixels(image)
        names.append(name)
    found = [(root / name, why) for name, why in sorted(bad)]
    if bad and not (skip_bad and names):
        raise DataError(_report(root, sorted(bad), total, none_left=skip_bad), found)
    return Decoded(pixels[: len(names)], names, found)


def list_images(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The image files below `root`, and what is named like one but can never be: (relative paths, (relative path, reason)s).

    Sorted by relative path, whatever order the file system lists them in. Names that begin with a dot are left out. Links are
    followed, and each real file and folder counts once: under its own name if it lies below root, else under the first link to
    it, so that loops end. Suffixes: `SUFFIXES`. Raises DataError, with a message each, if there is no such folder, if it is
    empty, and if it holds no images.
    """
    if not os.path.isdir(root):
        what = "is a file, not a folder" if os.path.exists(root) else "no such folder"
        raise DataError(f"{printable(root)}: {what}; give a folder of images, a folder of IDX files, or 'digits'")
    try:
        with os.scandir(root) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        raise DataError(f"{printable(root)}: {reason(error)}; expected a folder that can be listed") from error
    if empty:
        raise DataError(f"{printable(root)}: the folder is empty; expected images in it")
    files, bad = _walk(root)
    if not files and not bad:
        raise DataError(f"{printable(root)}: no images in this folder or below it; looked for {' '.join(SUFFIXES)}")
    return sorted(files), sorted(bad)


def printable(name: str | os.PathLike[str]) -> str:
    r"""A file name that fits on one line of UTF-8: undecodable bytes and control characters as escapes.

    >>> printable("a\udce9\n.png")
    'a\\xe9\\n.png'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _walk(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    files: list[str] = []  # strings: a million Paths would take more than the 200 MB that listing may
    bad: list[tuple[str, str]] = []
    linked_files: list[tuple[str, str]] = []  # (relative path, real path)
    linked_folders: list[tuple[str, str]] = []
    folders = [("", os.path.realpath(root))]
    real_folders: dict[str, str] = {}  # real path: relative path
    while folders or linked_folders:
        # links come last, and in order: what lies below root keeps its own name, and the listing order decides nothing
        linked_folders.sort(reverse=True)
        prefix, real = (folders or linked_folders).pop()
        if real in real_folders:
            continue
        real_folders[real] = prefix
        try:
            with os.scandir(real) as scan:
                entries = [entry for entry in scan if not entry.name.startswith(".")]
        except OSError as error:
            bad.append((prefix, reason(error)))
            continue
        for entry in entries:
            relative, link = prefix + entry.name, entry.is_symlink()
            named = entry.name.lower().endswith(SUFFIXES)
            try:
                # the listing tells a regular file by itself; a million calls of stat would take seconds
                mode = stat.S_IFREG if entry.is_file(follow_symlinks=False) else entry.stat().st_mode
            except OSError as error:
                bad += [(relative, f"dangling link, {reason(error)}")] if named else []
                continue
            refused = refusal(mode)
            if named and refused:
                bad.append((relative, refused))
            elif named and link:
                linked_files.append((relative, os.path.realpath(entry.path)))
            elif named:
                files.append(relative)
            elif stat.S_ISDIR(mode) and link:
                linked_folders.append((relative + os.sep, os.path.realpath(entry.path)))
            elif stat.S_ISDIR(mode):
                folders.append((relative + os.sep, os.path.join(real, entry.name)))
    return files + _unlisted(linked_files, files, real_folders), bad


def _unlisted(links: list[tuple[str, str]], files: list[str], real_folders: dict[str, str]) -> list[str]:
    """The first link to each real file that is not listed already."""
    if not links:
        return []
    real_of = {prefix: real for real, prefix in real_folders.items()}
    seen = set()
    for name in files:
        head, tail = os.path.split(name)
        seen.add(os.path.join(real_of[head + os.sep if head else ""], tail))
    first = []
    for name, real in sorted(links):
        if real not in seen:
            seen.add(real)
            first.append(name)
    return first


def _decoded(root: Path, files: list[str], size: int | None) -> Iterator[tuple[str, Image.Image | str]]:
    """Each file's image, or the reason why there is none; in order, a batch ahead of the reader at most."""
    base = str(root)
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, warnings.catch_warnings():
        # Pillow warns of damaged EXIF, which loses no picture, and of large images, which decode refuses itself, with their size
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            yield from zip(batch, pool.map(partial(_attempt, base, size), batch), strict=True)


def _attempt(base: str, size: int | None, name: str) -> Image.Image | str:
    try:
        return decode(os.path.join(base, name), size)
    except Exception as error:  # a decoder fails on damaged input in any way it likes: IndexError, struct.error, ...
        return reason(error)


def _room(root: Path, count: int, channels: int, height: int, width: int) -> Tensor:
    try:
        return torch.empty(count, channels, height, width, dtype=torch.uint8)
    except RuntimeError as error:
        need = f"{count} images of {width} x {height} need {count * channels * height * width / 1e9:.0f} GB of memory"
        raise DataError(f"{printable(root)}: {need}; pass a smaller --size") from error


def _report(root: Path, bad: list[tuple[str, str]], total: int, *, none_left: bool) -> str:
    listed = ", ".join(f"{printable(name)} ({printable(why)})" for name, why in bad[:LISTED])
    more = f" and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
    way_out = "no image is left" if none_left else "remove them or pass --skip-bad"
    return f"{printable(root)}: {len(bad)} of {total} files cannot be read as images: {listed}{more}; {way_out}"
