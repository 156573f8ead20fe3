"""Images from a data set object: torch's, Hugging Face's, or any iterable."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.data.colour_and_crop import crop, to_grey_or_rgb
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.errors import DataError
from diffkit_trainer.pixels import image_to_tensor, tensor_to_image

__all__ = ["IMAGE_KEYS", "LABEL_KEYS", "is_dataset", "open_dataset"]

IMAGE_KEYS, LABEL_KEYS = ("image", "img"), ("label", "labels", "fine_label")


def is_dataset(source: Any) -> bool:
    """Whether the source is an object with images, not a path."""
    return not isinstance(source, str | Path)


def open_dataset(
    dataset: Iterable[Any],
    size: tuple[int, int] | None = None,
    *,
    skip_bad: bool = False,  # noqa: ARG001 - every reader of a source takes it
    on_progress: Progress | None = None,
) -> Images:
    """The images, labels and classes of everything in a data set; see `open_images`. skip_bad has no effect.

    An item is a sample, a pair (sample, label), or a mapping with one of `IMAGE_KEYS` and optionally one of `LABEL_KEYS`. A
    sample is a Pillow image or a tensor of real numbers (C, *space); for a size a uint8 tensor (1 or 3, H, W). A label is an
    integer or the name of a class; all items have the same kind of label, or none. The classes are the data set's own names
    (`.classes`, or Hugging Face's `.features`), else the names that occur, sorted, or "0" to the largest label. Raises DataError,
    with the item's number, for anything else.
    """
    images: list[Tensor] = []
    labels: list[int | str | None] = []
    total = len(dataset) if isinstance(dataset, Sized) else 0
    for i, item in enumerate(_items(dataset)):
        value, label = _image_and_label(item, i)
        images.append(_sample(value, size, i))
        _require_same_shape(images[0], images[-1], i)
        labels.append(_label(label, i))
        if type(labels[-1]) is not type(labels[0]):
            first, other = (f"{each!r:.60}" for each in (labels[0], labels[-1]))
            raise DataError(
                f"item {i} of the data set has the label {other}, the first {first}; expected all of one kind, or none"
            )
        if on_progress is not None:
            on_progress(i + 1, max(total, i + 1))
    if not images:
        raise DataError("the data set is empty; expected images in it")
    channels = max(image.shape[0] for image in images)  # grey images among colour ones become RGB
    pixels = torch.stack([image.expand(channels, *image.shape[1:]) for image in images])
    return Images(pixels, *_labels_and_classes(labels, _class_names(dataset)))


def _sample(value: Any, size: tuple[int, int] | None, i: int) -> Tensor:
    if isinstance(value, Tensor) and size is None and 2 <= value.ndim <= 4:
        return value.detach().cpu()
    try:
        image = to_grey_or_rgb(value) if isinstance(value, Image.Image) else tensor_to_image(value)
    except (ValueError, AttributeError, OSError) as error:
        expected = "a Pillow image or a tensor (C, *space)" if size is None else "a Pillow image or a uint8 tensor to resize"
        raise DataError(f"item {i} of the data set: expected {expected} ({error})") from None
    return image_to_tensor(image if size is None else crop(image, size))


def _require_same_shape(first: Tensor, other: Tensor, i: int) -> None:
    images = first.dtype == other.dtype == torch.uint8 and first.ndim == other.ndim == 3
    if images and {len(first), len(other)} <= {1, 3} and first.shape[1:] != other.shape[1:]:
        sizes = (f"{each.shape[2]} x {each.shape[1]}" for each in (other, first))
        raise DataError(f"item {i} of the data set is {', the first is '.join(sizes)}; pass a size to resize them")
    if (first.shape, first.dtype) != (other.shape, other.dtype) and not (images and {len(first), len(other)} == {1, 3}):
        kinds = (f"{' x '.join(map(str, each.shape))} of {str(each.dtype).removeprefix('torch.')}" for each in (other, first))
        raise DataError(f"item {i} of the data set is {', the first is '.join(kinds)}; expected all alike")


def _items(dataset: Any) -> Iterator[Any]:
    # torch's data sets do not end: iterating over one continues until its __getitem__ raises
    indexed = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    return (dataset[i] for i in range(len(dataset))) if indexed else iter(dataset)


def _image_and_label(item: Any, i: int) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        if not any(key in item for key in IMAGE_KEYS):
            found = ", ".join(map(repr, item))
            raise DataError(
                f"item {i} of the data set: expected one of the keys {', '.join(map(repr, IMAGE_KEYS))}; got {found:.200}"
            )
        image, label = (next((item[key] for key in keys if key in item), None) for keys in (IMAGE_KEYS, LABEL_KEYS))
        return image, label
    if isinstance(item, tuple | list) and item:
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _label(value: Any, i: int) -> int | str | None:
    """A label as an int, also from a tensor or array with one integer; a name or None unchanged."""
    if value is None or isinstance(value, str):
        return value
    try:
        return int(operator.index(value))
    except TypeError:
        raise DataError(
            f"item {i} of the data set: expected an integer or a class name as its label, got {value!r:.60}"
        ) from None


def _labels_and_classes(labels: Sequence[Any], names: tuple[str, ...]) -> tuple[Tensor | None, tuple[str, ...]]:
    if labels[0] is None:
        return None, ()
    if isinstance(labels[0], str):
        names = names or tuple(sorted(set(labels)))
        index = {name: k for k, name in enumerate(names)}
        for i, label in enumerate(labels):
            if label not in index:
                raise DataError(f"item {i} of the data set has the label {label!r:.60}; its classes are {', '.join(names):.200}")
        labels = [index[label] for label in labels]
    names = names or tuple(map(str, range(max(labels) + 1)))
    for i, label in enumerate(labels):
        if not 0 <= label < len(names):
            raise DataError(f"item {i} of the data set has the label {label}; expected 0 ... {len(names) - 1}, one a class")
    return torch.tensor(labels), names


def _class_names(dataset: Any) -> tuple[str, ...]:
    if hasattr(dataset, "classes"):
        return tuple(map(str, dataset.classes))
    features = getattr(dataset, "features", None) or {}
    return next((tuple(features[key].names) for key in LABEL_KEYS if hasattr(features.get(key), "names")), ())
