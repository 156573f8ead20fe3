"""The three blocks of the U-Net: residual, down, up."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.layers import BatchNorm, convolution

__all__ = ["DownBlock", "ResidualBlock", "UpBlock"]


class ResidualBlock(nn.Module):
    """skip(x) + conv(swish(conv(norm(x)))): a correction to its input, from a 5x5 neighbourhood.

        x (B, in, H, W) --+-- norm -- 3x3 -- swish -- 3x3 --+-- (B, out, H, W)
                          +-------- identity or 1x1 --------+

    The skip is a 1x1 convolution where the width changes, else the identity. Source: He et al. 2016, "Identity mappings in
    deep residual networks"; layer order of the Keras tutorial "Denoising Diffusion Implicit Models".

    >>> ResidualBlock(8, 16)(torch.randn(2, 8, 5, 7)).shape
    torch.Size([2, 16, 5, 7])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if in_channels == out_channels else convolution(in_channels, out_channels, kernel=1)
        self.norm = BatchNorm(in_channels)
        self.conv1 = convolution(in_channels, out_channels, kernel=3)
        self.conv2 = convolution(out_channels, out_channels, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.skip(x) + self.conv2(functional.silu(self.conv1(self.norm(x))))
        return result


class DownBlock(nn.Module):
    """`depth` residual blocks, each output kept as a skip, then averages of 2x2 pixels.

        x (B, in, H, W) -- residual -- residual -- pool -- (B, out, ceil(H / 2), ceil(W / 2))
                               |           |
                            skips[0]    skips[1]           (B, out, H, W)

    Where H or W is odd, the last row or column is averaged over the pixels that are there.

    >>> x, skips = DownBlock(8, 16, depth=2)(torch.randn(2, 8, 5, 7))
    >>> x.shape, [skip.shape for skip in skips]
    (torch.Size([2, 16, 3, 4]), [torch.Size([2, 16, 5, 7]), torch.Size([2, 16, 5, 7])])
    """

    def __init__(self, in_channels: int, out_channels: int, depth: int = 2) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(out_channels if i else in_channels, out_channels) for i in range(depth))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        skips = []
        for block in self.blocks:
            x = block(x)
            skips.append(x)
        return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False), skips


class UpBlock(nn.Module):
    """Bilinear upsampling to the skips' size, then once a skip, the last kept first: concatenate it, residual block.

        x (B, in, h, w) -- upsample -- (B, in, H, W) -- concatenate -- residual -- concatenate -- residual -- (B, out, H, W)
                                                             |                         |
                                                          skips[1]                  skips[0]                  (B, out, H, W)

    Pixels are squares with their values in the middle (half-pixel centres), so H = 2 h is the usual 2x upsampling.

    >>> UpBlock(16, 8, depth=1)(torch.randn(2, 16, 3, 4), [torch.randn(2, 8, 5, 7)]).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, in_channels: int, out_channels: int, depth: int = 2) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock((out_channels if i else in_channels) + out_channels, out_channels) for i in range(depth)
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        x = functional.interpolate(x, size=skips[0].shape[-2:], mode="bilinear", align_corners=False)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(torch.cat([x, skip], dim=1))
        return x
