"""The files of certain suffixes below a folder, each once, and what is left out."""

import os
import stat
from collections import Counter
from pathlib import Path

from diffkit_trainer.data.decode import failure_reason
from diffkit_trainer.data.folder_warnings import RUN, kind_of
from diffkit_trainer.files.regular_file import irregular_kind

__all__ = ["walk"]

RUN_FILES, RUN_IMAGES = ("config.json", "checkpoints"), ("checkpoints", "samples")


def walk(root: Path, suffixes: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]], Counter[str]]:
    """The files with these suffixes, what has such a name but cannot be one with the reason, and counts of others by kind.

    Names that begin with a dot are left out, and so are the folders of runs. Links are followed; of several that lead to the same
    file the first counts.
    """
    files: list[str] = []  # strings: a million Paths would take more than the 200 MB that listing is allowed
    bad: list[tuple[str, str]] = []
    left_out = Counter[str]()
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
        if sum(entry.name in RUN_FILES for entry in entries) == len(RUN_FILES):
            left_out[RUN] += 1
            if prefix:
                continue
            entries = [entry for entry in entries if entry.name not in RUN_IMAGES]
        for entry in entries:
            relative, link = prefix + entry.name, entry.is_symlink()
            named = entry.name.lower().endswith(suffixes)
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
            elif not kind:
                left_out[kind_of(entry.name)] += 1
    return files + _first_links(linked_files, files, real_folders), bad, left_out


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
