"""Downsampling to half the size, and resizing to a given size. The docstrings show two axes of space; one and three are alike."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.layers import CONVOLUTIONS, Convolution, convolution, glorot

__all__ = ["Upsample", "downsample", "resized"]

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""The mode of linear interpolation, by the number of axes of the space."""


class Upsample(nn.Module):
    """Upsampling to a given size: "bilinear", or "nearest" followed by a 3x3 convolution unless `convolves` is false.

        x (B, C, h, w), size (H, W) -> (B, C, H, W)

    Pixel values lie at pixel centres (align_corners=False). `dims`: the number of axes of the space; "bilinear" is linear along
    each.

    >>> import torch
    >>> Upsample("nearest", 8)(torch.randn(2, 8, 3, 4), (5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, kind: Literal["bilinear", "nearest"], channels: int, *, convolves: bool = True, dims: int = 2) -> None:
        super().__init__()
        self.nearest = kind == "nearest"
        self.conv = convolution(channels, channels, kernel=3, dims=dims) if self.nearest and convolves else None

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        if not self.nearest:
            return resized(x, size)
        x = functional.interpolate(x, size=tuple(size), mode="nearest")
        return x if self.conv is None else self.conv(x)


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """x (B, C, *space) at another size, by linear interpolation along each axis; values lie at pixel centres.

    >>> import torch
    >>> resized(torch.tensor([[[0.0, 4.0]]]), (4,))
    tensor([[[0., 1., 3., 4.]]])
    """
    return functional.interpolate(x, size=tuple(size), mode=LINEAR[x.ndim - 2], align_corners=False)


def downsample(kind: Literal["average", "strided", "strided_same"], channels: int, dims: int = 2) -> nn.Module:
    """Downsampling to half the size, rounded up: x (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2)).

    "average": the mean of 2x2 pixels, at an odd edge of the one or two inside the image. "strided": a 3x3 convolution with
    stride 2 and one pixel of zero padding on each side. "strided_same": the same with TensorFlow's SAME padding, as in the DDPM
    paper's networks: for an even size the zeros are at the right and the bottom only. `dims`: the number of axes of the space.

    >>> import torch
    >>> downsample("strided_same", 8)(torch.randn(2, 8, 5, 6)).shape
    torch.Size([2, 8, 3, 3])
    """
    if kind == "average":
        return POOLS[dims](2, ceil_mode=True)
    if kind == "strided_same":
        return glorot(SAME_CONVOLUTIONS[dims](channels, channels, 3, stride=2))
    return glorot(CONVOLUTIONS[dims](channels, channels, 3, stride=2, padding=1))


class _AveragePool3d(nn.AvgPool3d):
    """Of an axis of size 1 too, which torch refuses: the last values of an odd axis are repeated."""

    def forward(self, x: Tensor) -> Tensor:
        padding = [repeated for side in reversed(x.shape[2:]) for repeated in (0, side % 2)]
        return super().forward(functional.pad(x, padding, mode="replicate"))


class _Same:
    """The padding of a convolution of 3 with stride 2: one zero at both ends of an odd axis, and at the end of an even one."""

    def forward(self, x: Tensor) -> Tensor:
        padding = [zeros for side in reversed(x.shape[2:]) for zeros in (side % 2, 1)]
        result: Tensor = super().forward(functional.pad(x, padding))  # type: ignore[misc]
        return result


class _SameConv1d(_Same, nn.Conv1d):
    pass


class _SameConv2d(_Same, nn.Conv2d):
    pass


class _SameConv3d(_Same, nn.Conv3d):
    pass


POOLS: dict[int, type[nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: _AveragePool3d}
SAME_CONVOLUTIONS: dict[int, type[Convolution]] = {1: _SameConv1d, 2: _SameConv2d, 3: _SameConv3d}
