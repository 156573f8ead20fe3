"""Lists the image files below a folder, or in an archive, each once, sorted by path, and what is left out."""

import os
from collections import Counter
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from diffkit_trainer.data.archives.archive import Archive, is_archive
from diffkit_trainer.data.archives.saved_dataset import SavedDataset, is_saved_dataset
from diffkit_trainer.data.decode import FORMATS, failure_reason, missing_decoders
from diffkit_trainer.data.folder_walk import walk
from diffkit_trainer.data.folder_warnings import folder_warnings, kind_of
from diffkit_trainer.data.generated import all_generated
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.regular_file import open_regular
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import suggestion

__all__ = ["Listing", "list_images"]

NO_DATA = "give a folder, zip or tar of images, an array, or 'digits'"
TRAINING, HELD_OUT = ("train", "training"), ("test", "testing", "val", "valid", "validation", "dev", "eval")


class Listing(NamedTuple):
    """The image files below `root`, what has an image's name but cannot be one with the reason, and counts of what is left out.

    Paths are relative to `root`, which is the folder of the training images where a folder holds splits. left_out: by kind.
    generated: whether diffkit generated all of the files, which are then read; others leave them out. archive: what holds the
    files, if `root` is no folder; their names then begin with `prefix` in it.
    """

    root: Path
    files: list[str]
    bad: list[tuple[str, str]]
    left_out: Counter[str]
    generated: bool = False
    archive: Archive | SavedDataset | None = None
    prefix: str = ""

    def open(self, name: str) -> BufferedReader:
        """One of the files, opened for reading."""
        if self.archive is not None:
            return self.archive.open(self.prefix + name)
        return open_regular(os.path.join(self.root, name))  # noqa: PTH118 - for a million files


def list_images(root: Path) -> Listing:
    """The image files below a folder, in an archive, see `Archive`, or in a data set on disk, see `SavedDataset`.

    A file is an image if its name ends in a suffix of `FORMATS` that this installation reads, in any case; names that begin with
    a dot are left out. Sorted by relative path, whatever order the file system lists them in. Links are followed, and each real
    file and folder is listed once: by its own path if it is below root, else by the first link to it, so that loops end. The
    folders of runs are left out, and where all first folders are splits, such as train and test, so is what is not in train.
    Raises DataError if there is no such folder, if it is empty, and if it holds no images, with a message for each.
    """
    suffixes = tuple(suffix for name in FORMATS if name not in missing_decoders() for suffix in FORMATS[name])
    if is_saved_dataset(root):
        rows = SavedDataset(root)
        if not rows.files:
            raise DataError(f"{printable(root)}: the data set is empty; expected images in it")
        return Listing(root, sorted(rows.files), [], Counter(), archive=rows)
    archive = Archive(root) if is_archive(root) else None
    if archive is None:
        _require_files(root)
    files, bad, left_out = walk(root, suffixes) if archive is None else _members(archive, suffixes)
    if not files and not bad:
        warnings = "; ".join(["", *folder_warnings(left_out, files)])
        where = "in this folder or below it" if archive is None else "in it"
        raise DataError(f"{printable(root)}: no images {where}{warnings}; looked for {' '.join(suffixes)}")
    found = _training_split(Listing(root, sorted(files), sorted(bad), left_out, archive=archive))
    return found._replace(generated=bool(found.files) and all_generated(found.open, found.files))


def _nearest(root: Path) -> str:
    """The folder beside it whose name is meant; "" for none."""
    try:
        return suggestion(root.name, (each.name for each in os.scandir(root.parent) if each.is_dir()))
    except OSError:
        return ""


def _require_files(root: Path) -> None:
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises where the folder is not accessible
        what = "is a file, not a folder" if os.path.exists(root) else "no such folder"  # noqa: PTH110 - as above
        raise DataError(f"{printable(root)}: {what}; {_nearest(root) or NO_DATA}")
    try:
        with os.scandir(root) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        raise DataError(f"{printable(root)}: {failure_reason(error)}; expected a folder that can be listed") from error
    if empty:
        raise DataError(f"{printable(root)}: the folder is empty; expected images in it")


def _members(archive: Archive, suffixes: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]], Counter[str]]:
    """As `walk` gives them; names of which a part begins with a dot are left out."""
    names = [name for name in archive.files if not any(part.startswith(".") for part in name.split("/"))]
    files = [name for name in names if name.lower().endswith(suffixes)]
    bad = [(name, reason) for name, reason in archive.bad if name.lower().endswith(suffixes)]
    return files, bad, Counter(kind_of(name) for name in names if not name.lower().endswith(suffixes))


def _training_split(found: Listing) -> Listing:
    """What is in the folder of the training images, where all first folders are splits."""
    folders = {name.partition(os.sep)[0] for name in found.files if os.sep in name}
    training = [name for name in folders if name.lower() in TRAINING]
    if len(training) != 1 or not all(name.lower() in (*TRAINING, *HELD_OUT) for name in folders):
        return found
    loose = [name for name in found.files if os.sep not in name]
    if len(folders) == 1 and not all_generated(found.open, loose):
        return found
    prefix, start = training[0] + os.sep, len(training[0]) + 1
    for name in found.files:
        if not name.startswith(prefix):
            found.left_out[f"in {name.partition(os.sep)[0]}{os.sep}" if os.sep in name else f"beside {prefix}"] += 1
    files = [name[start:] for name in found.files if name.startswith(prefix)]
    bad = [(name[start:], reason) for name, reason in found.bad if name.startswith(prefix)]
    return found._replace(root=found.root / training[0], files=files, bad=bad, prefix=prefix)
