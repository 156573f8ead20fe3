"""Lists the image files below a folder, each once, sorted by path."""

import os
import stat
from pathlib import Path

from diffkit_trainer.data.decode import FORMATS, failure_reason
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.regular import irregular_kind
from diffkit_trainer.files.text import printable

__all__ = ["list_images"]

SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)


def list_images(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The image files below `root`, and what has an image's name but cannot be one: (relative paths, (relative path, reason)s).

    A file is an image if its name ends in a suffix of `FORMATS`, in any case; names that begin with a dot are left out. Sorted
    by relative path, whatever order the file system lists them in. Links are followed, and each real file and folder is listed
    once: by its own path if it is below root, else by the first link to it, so that loops end. Raises DataError if there is no
    such folder, if it is empty, and if it holds no images, with a message for each.
    """
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises where the folder is not accessible
        what = "is a file, not a folder" if os.path.exists(root) else "no such folder"  # noqa: PTH110 - as above
        raise DataError(f"{printable(root)}: {what}; give a folder of images, a folder of IDX files, or 'digits'")
    try:
        with os.scandir(root) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        raise DataError(f"{printable(root)}: {failure_reason(error)}; expected a folder that can be listed") from error
    if empty:
        raise DataError(f"{printable(root)}: the folder is empty; expected images in it")
    files, bad = _walk(root)
    if not files and not bad:
        raise DataError(f"{printable(root)}: no images in this folder or below it; looked for {' '.join(SUFFIXES)}")
    return sorted(files), sorted(bad)


def _walk(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    files: list[str] = []  # strings: a million Paths would take more than the 200 MB that listing is allowed
    bad: list[tuple[str, str]] = []
    linked_files: list[tuple[str, str]] = []  # (relative path, real path)
    linked_folders: list[tuple[str, str]] = []
    folders = [("", os.path.realpath(root))]
    real_folders: dict[str, str] = {}  # real path: relative path
    while folders or linked_folders:
        # links come last and sorted: files below root keep their own paths, and the file system's order has no effect
        linked_folders.sort(reverse=True)
        prefix, real = (folders or linked_folders).pop()
        if real in real_folders:
            continue
        real_folders[real] = prefix
        try:
            with os.scandir(real) as scan:
                entries = [entry for entry in scan if not entry.name.startswith(".")]
        except OSError as error:
            bad.append((prefix, failure_reason(error)))
            continue
        for entry in entries:
            relative, link = prefix + entry.name, entry.is_symlink()
            named = entry.name.lower().endswith(SUFFIXES)
            try:
                # scandir knows regular files; a million calls of stat would take seconds
                mode = stat.S_IFREG if entry.is_file(follow_symlinks=False) else entry.stat().st_mode
            except OSError as error:
                bad += [(relative, f"dangling link, {failure_reason(error)}")] if named else []
                continue
            kind = irregular_kind(mode)
            if named and kind:
                bad.append((relative, kind))
            elif named and link:
                linked_files.append((relative, os.path.realpath(entry.path)))
            elif named:
                files.append(relative)
            elif stat.S_ISDIR(mode) and link:
                linked_folders.append((relative + os.sep, os.path.realpath(entry.path)))
            elif stat.S_ISDIR(mode):
                folders.append((relative + os.sep, os.path.join(real, entry.name)))  # noqa: PTH118 - for a million files
    return files + _first_links(linked_files, files, real_folders), bad


def _first_links(links: list[tuple[str, str]], files: list[str], real_folders: dict[str, str]) -> list[str]:
    """The first link to each real file that is not in `files`."""
    if not links:
        return []
    real_of = {prefix: real for real, prefix in real_folders.items()}
    listed = set()
    for name in files:
        head, tail = os.path.split(name)
        listed.add(os.path.join(real_of[head + os.sep if head else ""], tail))  # noqa: PTH118 - as above
    first = []
    for name, real in sorted(links):
        if real not in listed:
            listed.add(real)
            first.append(name)
    return first
