"""What is in a folder of images, file by file, before anything is trained on it."""

import hashlib
import os
import warnings
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from diffkit_trainer.data.decode import FORMATS, decode, reason
from diffkit_trainer.data.idx import find_idx
from diffkit_trainer.data.listing import list_images, printable
from diffkit_trainer.data.modes import is_grey
from diffkit_trainer.data.sources import open_images
from diffkit_trainer.pixels import raw_bytes

__all__ = ["DatasetReport", "ImageReport", "inspect_images"]


@dataclass(frozen=True)
class ImageReport:
    """One image: its name, (width, height) upright, mode in the file, class or None, the sha256 of its pixels, and whether any
    of them may be transparent."""

    name: str
    size: tuple[int, int]
    mode: str
    label: str | None
    digest: str
    transparent: bool = False

    @property
    def grey(self) -> bool:
        """Whether it is read as grey, see `is_grey`."""
        return is_grey(self.mode)


@dataclass(frozen=True)
class DatasetReport:
    """All images of a source, and the files that cannot be read as images: (name, reason)."""

    images: list[ImageReport]
    bad: list[tuple[str, str]]

    def duplicates(self) -> list[list[str]]:
        """The names of images whose pixels are equal, group by group."""
        groups = defaultdict(list)
        for image in self.images:
            groups[image.digest, image.size].append(image.name)
        return [names for names in groups.values() if len(names) > 1]


def inspect_images(source: str | Path = "digits", *, on_progress: Callable[[int, int], object] | None = None) -> DatasetReport:
    """Read every image of a source of `open_images`, at its own size, and say what it is; bad files do not stop it.

    on_progress(done, total) is called after every file. Raises DataError where there is no folder, or nothing in it to look at.

    >>> examined = inspect_images("digits")
    >>> len(examined.images), examined.images[0].size, examined.images[0].label, examined.bad, examined.duplicates()
    (1797, (8, 8), '0', [], [])
    """
    root = Path(source)
    if (str(source) == "digits" and not root.is_dir()) or find_idx(root) is not None:
        return _arrays(source)
    files, bad = list_images(root)
    flat = any(len(Path(name).parts) == 1 for name in files)
    found: list[ImageReport] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged EXIF, which loses no picture
        for done, result in enumerate(pool.map(partial(_look, root, flat), files), 1):
            if isinstance(result, ImageReport):
                found.append(result)
            else:
                bad.append(result)
            if on_progress is not None:
                on_progress(done, len(files))
    return DatasetReport(found, [(printable(name), printable(why)) for name, why in sorted(bad)])


def _look(root: Path, flat: bool, name: str) -> ImageReport | tuple[str, str]:
    try:
        pixels = decode(root / name)
        with Image.open(root / name, formats=FORMATS) as image:
            mode, transparent = image.mode, image.has_transparency_data
    except Exception as error:  # a decoder fails on damaged input in any way it likes
        return name, reason(error)
    # a grey picture in RGB is the same picture
    digest = hashlib.sha256(pixels.convert("RGB").tobytes()).hexdigest()
    label = None if flat else printable(Path(name).parts[0])
    return ImageReport(printable(name), pixels.size, mode, label, digest, transparent)


def _arrays(source: str | Path) -> DatasetReport:
    """Images that lie in one array, named by their number."""
    images = open_images(source)
    _, height, width = images.shape
    labels = [None] * len(images) if images.labels is None else [images.classes[i] for i in images.labels.tolist()]
    mode = "L" if images.shape[0] == 1 else "RGB"
    digests = (hashlib.sha256(raw_bytes(pixels)).hexdigest() for pixels in images.pixels)
    names = map(str, range(len(images)))
    return DatasetReport(
        [ImageReport(n, (width, height), mode, y, d) for n, y, d in zip(names, labels, digests, strict=True)], []
    )
