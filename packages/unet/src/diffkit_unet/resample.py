"""Downsampling to half the size, upsampling to a given size, and patches of pixels as channels."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.layers import convolution, glorot

__all__ = ["Upsample", "downsample", "from_patches", "to_patches"]


class Upsample(nn.Module):
    """Upsampling to a given size: "bilinear", or "nearest" followed by a 3x3 convolution unless `convolves` is false.

        x (B, C, h, w), size (H, W) -> (B, C, H, W)

    Pixel values lie at pixel centres (align_corners=False).

    >>> import torch
    >>> Upsample("nearest", 8)(torch.randn(2, 8, 3, 4), (5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, kind: Literal["bilinear", "nearest"], channels: int, *, convolves: bool = True) -> None:
        super().__init__()
        self.nearest = kind == "nearest"
        self.conv = convolution(channels, channels, kernel=3) if self.nearest and convolves else None

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if not self.nearest:
            return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
        x = functional.interpolate(x, size=size, mode="nearest")
        return x if self.conv is None else self.conv(x)


def downsample(kind: Literal["average", "strided", "strided_same"], channels: int) -> nn.Module:
    """Downsampling to half the size, rounded up: x (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2)).

    "average": the mean of 2x2 pixels, at an odd edge of the one or two inside the image. "strided": a 3x3 convolution with
    stride 2 and one pixel of zero padding on each side. "strided_same": the same with TensorFlow's SAME padding, as in the DDPM
    paper's networks: for an even size the zeros are at the right and the bottom only.

    >>> import torch
    >>> downsample("strided_same", 8)(torch.randn(2, 8, 5, 6)).shape
    torch.Size([2, 8, 3, 3])
    """
    if kind == "average":
        return nn.AvgPool2d(2, ceil_mode=True)
    layer: nn.Conv2d = (_SameConv2d if kind == "strided_same" else nn.Conv2d)(channels, channels, 3, stride=2, padding=1)
    return glorot(layer)


def to_patches(x: Tensor, size: int) -> Tensor:
    """Each patch of size x size pixels as one pixel: x (B, C, H, W) -> (B, C size^2, ceil(H / size), ceil(W / size)).

    The pixel (i, j) of a patch of channel c is channel (c size + i) size + j. Where size does not divide the height or the width,
    the last row or column is repeated.

    >>> import torch
    >>> to_patches(torch.arange(4.0).reshape(1, 1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    padding = (0, -x.shape[3] % size, 0, -x.shape[2] % size)
    return functional.pixel_unshuffle(functional.pad(x, padding, mode="replicate"), size)


def from_patches(x: Tensor, size: int, height: int, width: int) -> Tensor:
    """The inverse of `to_patches`, cropped: x (B, C size^2, h, w) -> (B, C, height, width).

    >>> import torch
    >>> image = torch.randn(2, 3, 5, 7)
    >>> torch.equal(from_patches(to_patches(image, 2), 2, 5, 7), image)
    True
    """
    return functional.pixel_shuffle(x, size)[:, :, :height, :width]


class _SameConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        padding = (x.shape[3] % 2, 1, x.shape[2] % 2, 1)  # left, right, top, bottom
        return functional.conv2d(functional.pad(x, padding), self.weight, self.bias, stride=2)
