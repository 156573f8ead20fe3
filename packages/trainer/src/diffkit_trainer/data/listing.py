"""Lists the image files below a folder, each once, sorted by path, and what is left out."""

import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from diffkit_trainer.data.decode import FORMATS, failure_reason, missing_decoders
from diffkit_trainer.data.folder_warnings import RUN, folder_warnings, kind_of
from diffkit_trainer.data.generated import all_generated
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.regular_file import irregular_kind
from diffkit_trainer.files.text import printable

__all__ = ["Listing", "list_images"]

RUN_FILES, RUN_IMAGES = ("config.json", "checkpoints"), ("checkpoints", "samples")
TRAINING, HELD_OUT = ("train", "training"), ("test", "testing", "val", "valid", "validation", "dev", "eval")


class Listing(NamedTuple):
    """The image files below `root`, what has an image's name but cannot be one with the reason, and counts of what is left out.

    Paths are relative to `root`, which is the folder of the training images where a folder holds splits. left_out: by kind.
    generated: whether diffkit generated all of the files, which are then read; others leave them out.
    """

    root: Path
    files: list[str]
    bad: list[tuple[str, str]]
    left_out: Counter[str]
    generated: bool = False


def list_images(root: Path) -> Listing:
    """The image files below a folder.

    A file is an image if its name ends in a suffix of `FORMATS` that this installation reads, in any case; names that begin with
    a dot are left out. Sorted by relative path, whatever order the file system lists them in. Links are followed, and each real
    file and folder is listed once: by its own path if it is below root, else by the first link to it, so that loops end. The
    folders of runs are left out, and where all first folders are splits, such as train and test, so is what is not in train.
    Raises DataError if there is no such folder, if it is empty, and if it holds no images, with a message for each.
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
    suffixes = tuple(suffix for name in FORMATS if name not in missing_decoders() for suffix in FORMATS[name])
    files, bad, left_out = _walk(root, suffixes)
    if not files and not bad:
        warnings = "; ".join(["", *folder_warnings(left_out, files)])
        raise DataError(f"{printable(root)}: no images in this folder or below it{warnings}; looked for {' '.join(suffixes)}")
    found = _training_split(Listing(root, sorted(files), sorted(bad), left_out))
    return found._replace(generated=bool(found.files) and all_generated(found.root, found.files))


def _training_split(found: Listing) -> Listing:
    """What is in the folder of the training images, where all first folders are splits."""
    folders = {name.partition(os.sep)[0] for name in found.files if os.sep in name}
    training = [name for name in folders if name.lower() in TRAINING]
    if len(training) != 1 or not all(name.lower() in (*TRAINING, *HELD_OUT) for name in folders):
        return found
    loose = [name for name in found.files if os.sep not in name]
    if len(folders) == 1 and not all_generated(found.root, loose):
        return found
    prefix, start = training[0] + os.sep, len(training[0]) + 1
    for name in found.files:
        if not name.startswith(prefix):
            found.left_out[f"in {name.partition(os.sep)[0]}{os.sep}" if os.sep in name else f"beside {prefix}"] += 1
    files = [name[start:] for name in found.files if name.startswith(prefix)]
    bad = [(name[start:], reason) for name, reason in found.bad if name.startswith(prefix)]
    return Listing(found.root / training[0], files, bad, found.left_out)


def _walk(root: Path, suffixes: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]], Counter[str]]:
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
