"""The down and up blocks of the U-Net: residual blocks at one size, then the change to the next size."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diffkit_unet.layers import convolution
from diffkit_unet.resample import Upsample, downsample
from diffkit_unet.residual import ResidualBlock

__all__ = ["DownBlock", "UpBlock"]


class DownBlock(nn.Module):
    """`depth` residual blocks, whose outputs are the skips, then downsampling to half the size.

        x (B, in, H, W) -- residual -- residual -- down -- (B, out, ceil(H / 2), ceil(W / 2))
               |               |           |
           (skips[0])      skips[-2]   skips[-1]           (B, out, H, W)

    `down`: see `downsample`; None keeps H x W. `keep_input`: x is the first skip. `dims`: the number of axes of the space.
    `block`: keyword arguments of `ResidualBlock`.

    >>> x, skips = DownBlock(8, 16, depth=2)(torch.randn(2, 8, 5, 7))
    >>> x.shape, [skip.shape for skip in skips]
    (torch.Size([2, 16, 3, 4]), [torch.Size([2, 16, 5, 7]), torch.Size([2, 16, 5, 7])])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int = 2,
        *,
        down: Literal["average", "strided", "strided_same"] | None = "average",
        keep_input: bool = False,
        dims: int = 2,
        **block: Any,
    ) -> None:
        super().__init__()
        self.keep_input = keep_input
        self.blocks = nn.ModuleList(
            ResidualBlock(out_channels if i else in_channels, out_channels, dims=dims, **block) for i in range(depth)
        )
        self.down = None if down is None else downsample(down, out_channels, dims)

    def forward(self, x: Tensor, level: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        skips = [x] if self.keep_input else []
        for block in self.blocks:
            x = block(x, level)
            skips.append(x)
        return (x if self.down is None else self.down(x)), skips


class UpBlock(nn.Module):
    """Upsampling to the size of the skips, then residual blocks that receive the skips.

    `skips` "concatenate": for each skip, last to first, concatenation and a residual block.

        x (B, in, h, w) -- up -- (B, in, H, W) -- concatenate -- residual -- concatenate -- residual -- (B, out, H, W)
                                                      |                          |
                                                  skips[1]                   skips[0]                   (B, out, H, W)

    "add": a 1x1 convolution to the new width before upsampling, which then has none of its own, and the sum with the last skip;
    the other skips are not used.

        x (B, in, h, w) -- 1x1 -- up -- (B, out, H, W) -- + -- residual -- residual -- (B, out, H, W)
                                                          |
                                                      skips[-1]                        (B, out, H, W)

    `up`: see `Upsample`; None where x has the size of the skips. `first_skip`: the channels of one more skip, skips[0], where
    the `DownBlock` has `keep_input`. `dims`: the number of axes of the space. `block`: keyword arguments of `ResidualBlock`.

    >>> UpBlock(16, 8, depth=1)(torch.randn(2, 16, 3, 4), [torch.randn(2, 8, 5, 7)]).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int = 2,
        *,
        up: Literal["bilinear", "nearest"] | None = "bilinear",
        first_skip: int | None = None,
        skips: Literal["concatenate", "add"] = "concatenate",
        dims: int = 2,
        **block: Any,
    ) -> None:
        super().__init__()
        kept = [out_channels] * depth + ([] if first_skip is None else [first_skip])
        adds = skips == "add"
        self.project = convolution(in_channels, out_channels, 1, dims) if adds else None
        upsampled = out_channels if adds else in_channels
        self.up = None if up is None else Upsample(up, upsampled, convolves=not adds, dims=dims)
        self.blocks = nn.ModuleList(
            ResidualBlock(out_channels if adds else (out_channels if i else in_channels) + skip, out_channels, dims=dims, **block)
            for i, skip in enumerate(kept)
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor], level: Tensor | None = None) -> Tensor:
        if self.project is not None:
            x = self.project(x)
        if self.up is not None:
            x = self.up(x, skips[0].shape[2:])
        if self.project is not None:
            x = x + skips[-1]
            for block in self.blocks:
                x = block(x, level)
            return x
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(torch.cat([x, skip], dim=1), level)
        return x
