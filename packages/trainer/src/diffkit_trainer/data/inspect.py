"""A report on a data set before training: every image and every file that cannot be read."""

import hashlib
import os
import warnings
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from diffkit_trainer.data.colour_and_crop import is_grey, to_grey_or_rgb
from diffkit_trainer.data.decode import MAX_THREADS, failure_reason, open_image
from diffkit_trainer.data.folder_warnings import folder_warnings
from diffkit_trainer.data.generated import GENERATED, is_generated
from diffkit_trainer.data.images import Progress
from diffkit_trainer.data.listing import Listing, list_images
from diffkit_trainer.data.sources import IMAGE_FILES, open_images, source_kind
from diffkit_trainer.files.text import printable
from diffkit_trainer.pixels import raw_bytes

__all__ = ["DatasetReport", "ImageReport", "inspect_images"]


@dataclass(frozen=True)
class ImageReport:
    """One image: its name, size, mode in the file, class or None, sha256 of its pixels, and whether it may be transparent.

    size: (width, height) after EXIF rotation; of a sample of an array its space reversed, (L,), (W, H) or (W, H, D). mode: of
    such a sample its channels and type.
    """

    name: str
    size: tuple[int, ...]
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
    """All images of a source, and the files that cannot be read as images: (name, reason).

    left_out: the numbers of what else was left out, by kind. warnings: the same, and which images are in no class, a line each.
    """

    images: list[ImageReport]
    bad: list[tuple[str, str]]
    left_out: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def duplicates(self) -> list[list[str]]:
        """Groups of names of images with equal pixels."""
        groups = defaultdict(list)
        for image in self.images:
            groups[image.digest, image.size].append(image.name)
        return [names for names in groups.values() if len(names) > 1]


def inspect_images(source: str | Path = "digits", *, on_progress: Progress | None = None) -> DatasetReport:
    """A report on every image of a source of `open_images`, at its original size. Files that cannot be read are listed in it.

    on_progress(done, total) is called after every file. Raises DataError if there is no folder, or no image in it, and for an
    array whose samples are not all finite.

    >>> report = inspect_images("digits")
    >>> len(report.images), report.images[0].size, report.images[0].label, report.bad, report.duplicates()
    (1797, (8, 8), '0', [], [])
    """
    root = Path(source)
    if source_kind(source) not in IMAGE_FILES:
        return _report_array(source)
    listing = list_images(root)
    read = partial(_report_file, listing)
    images, bad, left_out = list[ImageReport](), list(listing.bad), listing.left_out
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged EXIF is harmless
        for done, (name, found) in enumerate(zip(listing.files, pool.map(read, listing.files), strict=True), 1):
            if isinstance(found, ImageReport):
                images.append(found)
            elif found == GENERATED:
                left_out[GENERATED] += 1
            else:
                bad.append((name, found))
            if on_progress is not None:
                on_progress(done, len(listing.files))
    if any(image.label is None for image in images):
        images = [replace(image, label=None) for image in images]
    named = [(printable(name), printable(reason)) for name, reason in sorted(bad)]
    lines = folder_warnings(left_out, [image.name for image in images], listing.generated)
    return DatasetReport(images, named, dict(left_out), lines)


def _report_file(listing: Listing, name: str) -> ImageReport | str:
    try:
        with listing.open(name) as file, open_image(file) as image:
            if not listing.generated and is_generated(image):
                return GENERATED
            mode, transparent = image.mode, image.has_transparency_data
            image.load()
            pixels = to_grey_or_rgb(image)
    except Exception as error:  # on damaged input a decoder may raise anything
        return failure_reason(error)
    # a grey image in RGB is the same image
    digest = hashlib.sha256(pixels.convert("RGB").tobytes()).hexdigest()
    folder, inside, _ = name.partition(os.sep)
    return ImageReport(printable(name), pixels.size, mode, printable(folder) if inside else None, digest, transparent)


def _report_array(source: str | Path) -> DatasetReport:
    """The report on images that are not one file each. They are named by their numbers."""
    images = open_images(source)
    images.statistics()  # refuses samples that are not finite
    labels = [None] * len(images) if images.labels is None else [images.classes[i] for i in images.labels.tolist()]
    channels, *space = images.shape
    kind = str(images.pixels.dtype).removeprefix("torch.")
    modes = {1: "L", 3: "RGB"} if kind == "uint8" and len(space) == 2 else {}
    mode = modes.get(channels, f"{channels} x {kind}")
    digests = (hashlib.sha256(raw_bytes(pixels)).hexdigest() for pixels in images.pixels)
    names, size = map(str, range(len(images))), tuple(reversed(space))
    reports = [ImageReport(n, size, mode, y, d) for n, y, d in zip(names, labels, digests, strict=True)]
    return DatasetReport(reports, [], warnings=images.warnings)
