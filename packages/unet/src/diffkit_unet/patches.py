"""Patches of pixels as channels."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

__all__ = ["from_patches", "to_patches"]


def to_patches(x: Tensor, size: int) -> Tensor:
    """Each patch of size x size pixels as one pixel: x (B, C, H, W) -> (B, C size^2, ceil(H / size), ceil(W / size)).

    The pixel (i, j) of a patch of channel c is channel (c size + i) size + j. Where size does not divide the height or the width,
    the last row or column is repeated. A space of one or three axes has the same.

    >>> import torch
    >>> to_patches(torch.arange(4.0).reshape(1, 1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    >>> to_patches(torch.arange(3.0).reshape(1, 1, 3), 2)
    tensor([[[0., 2.],
             [1., 2.]]])
    """
    padding = [pixels for side in reversed(x.shape[2:]) for pixels in (0, -side % size)]
    x = functional.pad(x, padding, mode="replicate")
    dims = x.ndim - 2
    if dims == 2:  # fused, and it keeps the memory format
        return functional.pixel_unshuffle(x, size)
    for axis in reversed(range(2, 2 + dims)):
        x = x.unflatten(axis, (-1, size))  # (B, C, h, size, ...)
    return x.permute(0, 1, *range(3, x.ndim, 2), *range(2, x.ndim, 2)).flatten(1, 1 + dims)


def from_patches(x: Tensor, size: int, space: Sequence[int]) -> Tensor:
    """The inverse of `to_patches`, cropped to the space (H, W): x (B, C size^2, h, w) -> (B, C, H, W).

    >>> import torch
    >>> image = torch.randn(2, 3, 5, 7)
    >>> torch.equal(from_patches(to_patches(image, 2), 2, (5, 7)), image)
    True
    """
    dims = len(space)
    if dims == 2:
        x = functional.pixel_shuffle(x, size)
    else:
        x = x.unflatten(1, (-1, *(size,) * dims))  # (B, C, size, ..., h, ...)
        x = x.permute(0, 1, *(axis for i in range(2, 2 + dims) for axis in (i + dims, i)))  # (B, C, h, size, ...)
        for axis in range(2, 2 + dims):
            x = x.flatten(axis, axis + 1)
    for axis, side in enumerate(space, start=2):
        x = x.narrow(axis, 0, side)
    return x
