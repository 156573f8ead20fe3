"""A file with an array of samples, and with their labels, as `Images`."""

from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.data.arrays.array_file import array_names, read_array
from diffkit_trainer.data.arrays.axes import AXES, default_axes, to_samples
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.data.resize import resized
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import Axes

__all__ = ["open_array"]

SAMPLES, LABELS = ("x", "x_train", "samples", "images", "data"), ("y", "y_train", "labels", "label")
"""The names of the arrays that are taken, the first of each that is there."""

MAX_CLASSES = 65536


def open_array(
    source: str | Path,
    size: tuple[int, int] | None,
    *,
    axes: Axes | None = None,
    skip_bad: bool = False,  # noqa: ARG001 - every reader of a source takes it
    on_progress: Progress | None = None,
) -> Images:
    """The samples of a file of arrays; see `open_images`. The array named as one of `SAMPLES`, else the first, has them.

    axes: by default `default_axes`. An array of integers named as one of `LABELS` has the class of each, from 0 on. What was
    taken is a line of `warnings`. Raises DataError for a damaged file and for arrays that do not fit, ValueError for a size other
    than the array's, unless it holds bytes of grey or RGB images, and for other axes than it has.
    """
    path = Path(source)
    names = array_names(path)
    name = next((each for each in SAMPLES if each in names), names[0])
    label_name = next((each for each in LABELS if each in names and each != name), None)
    array = read_array(path, name)
    found = axes or default_axes(tuple(array.shape))
    text = f"{' x '.join(map(str, array.shape)) or 'one number'} of {str(array.dtype).removeprefix('torch.')}"
    if found is None or not array.numel():
        raise DataError(f"{printable(path)}: {name or 'the array'} is {text}; expected one of {', '.join(AXES)}, none of them 0")
    pixels = to_samples(array, found)
    labels, classes = (None, ()) if label_name is None else _labels(path, label_name, len(pixels))
    if labels is None:
        label_name = None
    if size is not None and tuple(pixels.shape[2:]) != size:
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
            raise ValueError(f"size is for images of 8 bits: {printable(path)} holds {text}, which keep their size")
        pixels = resized(pixels, size, on_progress)
    elif on_progress is not None:
        on_progress(len(pixels), len(pixels))
    taken = [f"{name or 'the array'}, {text}, axes {found}", *([f"labels {label_name}"] if label_name is not None else [])]
    left = [each for each in names if each not in (name, label_name)]
    lines = [f"taken: {'; '.join(taken)}", *([f"left out: {', '.join(map(printable, left)):.200}"] if left else [])]
    return Images(pixels, labels, classes, printable(path.name), warnings=tuple(lines))


def _labels(path: Path, name: str, count: int) -> tuple[Tensor | None, tuple[str, ...]]:
    """The labels and classes; none where the array has floats, which are no classes."""
    values = read_array(path, name)
    if values.is_floating_point():
        return None, ()
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    where = f"{printable(path)}: {name}"
    if values.shape != (count,):
        found = f"{' x '.join(map(str, values.shape))} of {str(values.dtype).removeprefix('torch.')}"
        raise DataError(f"{where}: expected {count} integers, the class of each sample; found {found}")
    labels = values.long()
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= MAX_CLASSES:
        bad = int(((labels < 0) | (labels >= MAX_CLASSES)).nonzero()[0])
        raise DataError(f"{where}: expected classes from 0 to {MAX_CLASSES - 1}, found {int(labels[bad])} in sample {bad}")
    return labels, tuple(map(str, range(high + 1)))
