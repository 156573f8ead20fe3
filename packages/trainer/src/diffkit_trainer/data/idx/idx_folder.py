"""A folder with IDX files of images and labels, as MNIST and its relatives are distributed."""

import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from diffkit_trainer.data.idx.idx_file import read_idx
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.data.resize import resized
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable

__all__ = ["find_idx", "is_idx_folder", "open_idx", "open_idx_folder", "read_idx_pair"]

NAME = re.compile(r"(?P<prefix>.*?)-?(?P<kind>images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?")
MAX_SIDE = 4096


def is_idx_folder(source: Any) -> bool:
    """Whether the source is a folder that holds IDX images. Raises DataError as `find_idx` does."""
    return isinstance(source, str | Path) and find_idx(Path(source)) is not None


def open_idx_folder(
    source: str | Path,
    size: tuple[int, int] | None,
    *,
    skip_bad: bool = False,  # noqa: ARG001 - every reader of a source takes it
    on_progress: Progress | None = None,
) -> Images:
    """The images of such a folder; see `open_images`."""
    root = Path(source)
    pair = find_idx(root)
    if pair is None:
        raise DataError(f"{printable(root)}: no IDX files of images in this folder")
    return open_idx(*pair, printable(root.resolve().name), size, on_progress)


def find_idx(root: Path) -> tuple[Path, Path | None] | None:
    """The images file and the labels file of a folder, or None if it holds no IDX images.

    Names: PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, or with a dot before idx, or without a prefix, with or without
    .gz; a plain file is preferred to its gzipped copy. Of several pairs the one with "train" in its prefix is taken; if that
    does not single one out, DataError lists them. The labels may be missing.
    """
    found: dict[str, dict[str, Path]] = {}
    for match in _matches(root):
        path = root / match[0]
        if path.is_file():  # opening a FIFO would block
            found.setdefault(match["prefix"], {}).setdefault(match["kind"][:6], path)
    pairs = {prefix: files for prefix, files in found.items() if "images" in files}
    if not pairs:
        return None
    train = {prefix: files for prefix, files in pairs.items() if "train" in prefix.split("-")}
    chosen = list((train if len(pairs) > 1 else pairs).values())
    if len(chosen) != 1:
        names = ", ".join(printable(files["images"].name) for files in pairs.values())
        raise DataError(f"{printable(root)}: several IDX files of images: {names}; keep one, or begin one name with 'train'")
    return chosen[0]["images"], chosen[0].get("labels")


def open_idx(images: Path, labels: Path | None, name: str, size: tuple[int, int] | None, on_progress: Progress | None) -> Images:
    """The images of one pair of IDX files, resized to (height, width) unless size is None."""
    pixels, values, classes = read_idx_pair(images, labels)
    if size is not None and pixels.shape[2:] != size:
        pixels = resized(pixels, size, on_progress)
    elif on_progress is not None:
        on_progress(len(pixels), len(pixels))
    return Images(pixels, values, classes, name)


def read_idx_pair(images: Path, labels: Path | None) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
    """Pixels (N, 1, H, W), labels (N,) and classes "0" to the largest label; without a labels file no labels and no classes.

    Raises DataError if a file is not what its name says, if it holds no images or a side longer than 4096, and if the numbers
    of images and labels differ.
    """
    pixels = read_idx(images, 3)
    if not pixels.numel() or max(pixels.shape[1:]) > MAX_SIDE:
        shape = " x ".join(map(str, pixels.shape))
        raise DataError(f"{printable(images)}: holds {shape} pixels; expected at least one image with sides of 1 to {MAX_SIDE}")
    pixels = pixels.unsqueeze(1)  # (N, 1, H, W)
    if labels is None:
        return pixels, None, ()
    values = read_idx(labels, 1).long()
    if len(values) != len(pixels):
        counts = f"{len(values)} labels, expected {len(pixels)}, the number of images in {printable(images.name)}"
        raise DataError(f"{printable(labels)}: found {counts}")
    return pixels, values, tuple(map(str, range(int(values.max()) + 1)))


def _matches(root: Path) -> list[re.Match[str]]:
    try:
        with os.scandir(root) as entries:
            matches = [match for entry in entries if (match := NAME.fullmatch(entry.name))]
    except OSError:  # `open_folder` reports what is wrong with the folder
        return []
    return sorted(matches, key=lambda match: match[0])  # X comes before X.gz
