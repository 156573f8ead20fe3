"""A report on a data set before training: every image and every file that cannot be read."""

import hashlib
import os
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from diffkit_trainer.data.colour_and_crop import is_grey
from diffkit_trainer.data.decode import FORMATS, MAX_THREADS, decode, failure_reason
from diffkit_trainer.data.images import Progress
from diffkit_trainer.data.listing import list_images
from diffkit_trainer.data.sources import open_images, source_kind
from diffkit_trainer.files.text import printable
from diffkit_trainer.pixels import raw_bytes

__all__ = ["DatasetReport", "ImageReport", "inspect_images"]


@dataclass(frozen=True)
class ImageReport:
    """One image: its name, size, mode in the file, class or None, sha256 of its pixels, and whether it may be transparent.

    size: (width, height) after EXIF rotation.
    """

    name: str
    size: tuple[int, int]
    mode: str
    label: str | None
    digest: str
    transparent: bool = False

    @property
    def grey(self) -> bool:
        """Whether the image is read as grey; see `is_grey`."""
        return is_grey(self.mode)


@dataclass(frozen=True)
class DatasetReport:
    """All images of a source, and the files that cannot be read as images: (name, reason)."""

    images: list[ImageReport]
    bad: list[tuple[str, str]]

    def duplicates(self) -> list[list[str]]:
        """Groups of names of images with equal pixels."""
        groups = defaultdict(list)
        for image in self.images:
            groups[image.digest, image.size].append(image.name)
        return [names for names in groups.values() if len(names) > 1]


def inspect_images(source: str | Path = "digits", *, on_progress: Progress | None = None) -> DatasetReport:
    """A report on every image of a source of `open_images`, at its original size. Files that cannot be read are listed in it.

    on_progress(done, total) is called after every file. Raises DataError if there is no folder, or no image in it.

    >>> report = inspect_images("digits")
    >>> len(report.images), report.images[0].size, report.images[0].label, report.bad, report.duplicates()
    (1797, (8, 8), '0', [], [])
    """
    root = Path(source)
    if source_kind(source) != "folder":
        return _report_array(source)
    files, bad = list_images(root)
    flat = any(len(Path(name).parts) == 1 for name in files)
    images: list[ImageReport] = []
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged EXIF is harmless
        for done, result in enumerate(pool.map(partial(_report_file, root, flat), files), 1):
            if isinstance(result, ImageReport):
                images.append(result)
            else:
                bad.append(result)
            if on_progress is not None:
                on_progress(done, len(files))
    return DatasetReport(images, [(printable(name), printable(reason)) for name, reason in sorted(bad)])


def _report_file(root: Path, flat: bool, name: str) -> ImageReport | tuple[str, str]:
    try:
        pixels = decode(root / name)
        with Image.open(root / name, formats=tuple(FORMATS)) as image:
            mode, transparent = image.mode, image.has_transparency_data
    except Exception as error:  # on damaged input a decoder may raise anything
        return name, failure_reason(error)
    # a grey image in RGB is the same image
    digest = hashlib.sha256(pixels.convert("RGB").tobytes()).hexdigest()
    label = None if flat else printable(Path(name).parts[0])
    return ImageReport(printable(name), pixels.size, mode, label, digest, transparent)


def _report_array(source: str | Path) -> DatasetReport:
    """The report on images that are not one file each. They are named by their numbers."""
    images = open_images(source)
    _, height, width = images.shape
    labels = [None] * len(images) if images.labels is None else [images.classes[i] for i in images.labels.tolist()]
    mode = "L" if images.shape[0] == 1 else "RGB"
    digests = (hashlib.sha256(raw_bytes(pixels)).hexdigest() for pixels in images.pixels)
    names = map(str, range(len(images)))
    return DatasetReport(
        [ImageReport(n, (width, height), mode, y, d) for n, y, d in zip(names, labels, digests, strict=True)], []
    )
