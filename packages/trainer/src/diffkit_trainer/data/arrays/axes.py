"""Which axes of an array are samples, channels and space."""

from typing import get_args

from torch import Tensor

from diffkit_trainer.options import Axes

__all__ = ["AXES", "default_axes", "to_samples"]

AXES: tuple[Axes, ...] = get_args(Axes)

MAX_CHANNELS = 4


def default_axes(shape: tuple[int, ...]) -> Axes | None:
    """The axes that an array of this shape has unless they are given; None for fewer than 2 or more than 5.

    Channels are the second axis of 4 or 5. Another axis of at most 4 entries is the channels: of 3 axes the second or the last,
    of 4 or 5 the last, if the second has more.

    >>> [default_axes(shape) for shape in ((9, 100), (9, 28, 28), (9, 2, 100), (9, 3, 32, 32), (9, 32, 32, 3), (9, 1, 8, 8, 8))]
    ['NL', 'NHW', 'NCL', 'NCHW', 'NHWC', 'NCDHW']
    """
    if not 2 <= len(shape) <= 5:
        return None
    second, last = (side <= MAX_CHANNELS for side in (shape[1], shape[-1]))
    channels_last = last and not second
    rules: dict[int, Axes] = {
        2: "NL",
        3: "NCL" if second else "NLC" if last else "NHW",
        4: "NHWC" if channels_last else "NCHW",
        5: "NDHWC" if channels_last else "NCDHW",
    }
    return rules[len(shape)]


def to_samples(array: Tensor, axes: Axes) -> Tensor:
    """The array as (N, C, *space), without a copy; without C in the axes it has one channel.

    Raises ValueError for another number of axes.

    >>> import torch
    >>> to_samples(torch.zeros(9, 32, 24, 3), "NHWC").shape, to_samples(torch.zeros(9, 100), "NL").shape
    (torch.Size([9, 3, 32, 24]), torch.Size([9, 1, 100]))
    """
    if array.ndim != len(axes):
        raise ValueError(f"axes {axes} are {len(axes)}, but the array has {array.ndim}: {' x '.join(map(str, array.shape))}")
    return array.movedim(axes.index("C"), 1) if "C" in axes else array.unsqueeze(1)
