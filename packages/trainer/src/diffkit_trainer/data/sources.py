"""Where images come from: the table of data sources."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from diffkit_trainer.data.archives.archive import is_archive
from diffkit_trainer.data.archives.saved_dataset import is_saved_dataset
from diffkit_trainer.data.arrays.array_file import is_array_file
from diffkit_trainer.data.arrays.open_array import open_array
from diffkit_trainer.data.colour_and_crop import Size, height_and_width
from diffkit_trainer.data.datasets import is_dataset, open_dataset
from diffkit_trainer.data.folder import is_folder, open_folder
from diffkit_trainer.data.idx.digits import is_digits, open_digits
from diffkit_trainer.data.idx.idx_folder import is_idx_folder, open_idx_folder
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.options import Axes, Mode

__all__ = ["IMAGE_FILES", "SOURCES", "ImageFolder", "open_images", "source_kind"]

SOURCES: dict[str, tuple[Callable[[Any], bool], Callable[..., Images]]] = {
    "dataset": (is_dataset, open_dataset),
    "digits": (is_digits, open_digits),
    "array": (is_array_file, open_array),
    "archive": (is_archive, open_folder),
    "saved": (is_saved_dataset, open_folder),
    "idx": (is_idx_folder, open_idx_folder),
    "folder": (is_folder, open_folder),  # last: it takes any path, and reports what is wrong with it
}
"""Name: (whether a source is of this kind, its reader). The first kind that fits is used.

A reader is called as open(source, size, skip_bad=..., on_progress=...), size: (height, width) or None; see `open_images`.
"""

IMAGE_FILES = ("folder", "archive", "saved")
"""The kinds whose images are files, of any size; they can be packed."""

OWN_OPTIONS = {"axes": ("array",), "mode": IMAGE_FILES}
"""The options of some kinds alone."""


def open_images(
    source: str | Path | Iterable[Any] = "digits",
    size: Size | None = None,
    *,
    axes: Axes | None = None,
    mode: Mode | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> Images:
    """All images or other samples of a source; images are decoded to bytes.

    source: "digits", the bundled 1,797 handwritten digits of 8 x 8 (unless a folder has that name); a folder of IDX files
    (MNIST and its relatives; of several pairs the one named "train"); a folder of images, searched through all its subfolders,
    of which the first level names the classes if every image is in one; a zip or tar file of such a folder, which is not
    unpacked; a folder that Hugging Face's `save_to_disk` wrote, with images; a file of arrays, .npy, .npz or .safetensors, which
    stays where it is, see `open_array`; or a data set object: torch's, Hugging Face's, or any iterable of images, see
    `open_dataset`. For a large folder or archive see `pack`.
    size: the side of a square, or (height, width), each from 1 to 4096: every image is cropped about its centre to these
    proportions and resized, smaller ones are enlarged. With None the images stay as they are, and must all have the same size.
    axes: of an array, such as "NHWC" or "NDHW". Without it, the second axis is the channels if there are 4 or 5, see
    `default_axes`.
    mode: of images in files. "LA" and "RGBA" keep the transparency, and "L16" the 16 bits of grey images, as float32 from 0 to 1;
    see `to_mode`.
    skip_bad: leave out files that cannot be read, and list them in `skipped`; otherwise DataError lists them all.
    on_progress(done, total) is called in this thread after every file.

    Without a mode C is 1 if all images are grey, else 3. The order of the images, and so the training, does not depend on the
    order in which the file system lists them. Raises ValueError for a size, axes or mode that do not fit, and DataError for
    anything wrong with the data.

    >>> open_images("digits", size=16).pixels.shape
    torch.Size([1797, 1, 16, 16])
    """
    sides = None if size is None else height_and_width(size)
    kind = source_kind(source)
    own = {name: value for name, value in (("axes", axes), ("mode", mode)) if value is not None}
    for name in own:
        if kind not in OWN_OPTIONS[name]:
            raise ValueError(f"{name} is for data of the kind {' or '.join(OWN_OPTIONS[name])}, got {kind}: leave it out")
    _, open_source = SOURCES[kind]
    return open_source(source, sides, skip_bad=skip_bad, on_progress=on_progress, **own)


ImageFolder = open_images
"""The same under the name that other libraries use."""


def source_kind(source: object) -> str:
    """The name in `SOURCES` of the first kind that the source fits. Raises DataError for a folder with several IDX data sets.

    >>> source_kind("digits"), source_kind("nowhere"), source_kind([])
    ('digits', 'folder', 'dataset')
    """
    return next(kind for kind, (fits, _) in SOURCES.items() if fits(source))
