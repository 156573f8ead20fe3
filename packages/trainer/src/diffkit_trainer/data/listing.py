"""The image files below a folder, each once, in an order of their own."""

import os
import stat
from pathlib import Path

from diffkit_trainer.data.decode import reason
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.regular import refusal

__all__ = ["SUFFIXES", "list_images", "printable"]

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""A file is an image if its name ends so, in capitals or not."""


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
