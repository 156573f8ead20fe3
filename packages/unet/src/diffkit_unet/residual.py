"""The residual block, with the noise level as an optional input."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.layers import Attention, convolution, linear, normalisation

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """skip(x) + conv(swish(conv(norm(x)))), with a receptive field of 5x5 pixels.

        norms=1    x (B, in, H, W) --+-- norm ---------- 3x3 ------------------ swish -- 3x3 --+-- (B, out, H, W)
        norms=2    x (B, in, H, W) --+-- norm -- swish -- 3x3 -- norm ---------- swish -- 3x3 --+-- (B, out, H, W)
                                     +------------------- identity or 1x1 ----------------------+

    The skip is a 1x1 convolution where the width changes, else the identity.

    `norm`, `groups`, `eps`: see `normalisation`. `dropout`: the dropout probability, before the last convolution.
    `level`: how the second argument of `forward`, (B, level_width), conditions the block. "add": a linear layer's output is added
    after the first convolution. "scale_shift": a linear layer gives a scale s and a shift b, and h -> (1 + s) h + b before the
    second swish. `heads`: the heads of an `Attention` after the block; 0 is no attention. `zero_init`: the last layers are
    initialised to 0, so that a new block is the identity or its skip. `dims`: the number of axes of the space, 1 to 3.

    Source: He et al. 2016, "Identity mappings in deep residual networks"; norms=1 is the Keras tutorial's "Denoising Diffusion
    Implicit Models", norms=2 with "add" that of Ho, Jain and Abbeel 2020, "scale_shift" Nichol and Dhariwal 2021, section 3.

    >>> import torch
    >>> ResidualBlock(8, 16)(torch.randn(2, 8, 5, 7)).shape
    torch.Size([2, 16, 5, 7])
    >>> block = ResidualBlock(8, 16, norms=2, norm="group", level="scale_shift", level_width=4)
    >>> block(torch.randn(2, 8, 5, 7), torch.randn(2, 4)).shape
    torch.Size([2, 16, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norms: Literal[1, 2] = 1,
        norm: Literal["batch", "group", "layer"] = "batch",
        groups: int = 32,
        eps: float | None = None,
        level: Literal["add", "scale_shift"] | None = None,
        level_width: int = 0,
        dropout: float = 0.0,
        heads: int = 0,
        zero_init: bool = False,
        dims: int = 2,
    ) -> None:
        super().__init__()
        self.skip = nn.Identity() if in_channels == out_channels else convolution(in_channels, out_channels, 1, dims)
        self.norm = normalisation(norm, in_channels, groups, eps)
        self.conv1 = convolution(in_channels, out_channels, 3, dims)
        self.conv2 = convolution(out_channels, out_channels, 3, dims)
        self.norm2 = normalisation(norm, out_channels, groups, eps) if norms == 2 else None
        self.scaled = level == "scale_shift"
        self.level = None if level is None else linear(level_width, (1 + self.scaled) * out_channels)
        self.dropout = dropout
        self.attention = Attention(out_channels, heads, norm=norm, groups=groups, eps=eps) if heads else None
        if zero_init:
            nn.init.zeros_(self.conv2.weight)
            if self.attention is not None:
                nn.init.zeros_(self.attention.out.weight)

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        vector = self._vector(level, x.ndim - 2)
        h = self.norm(x)
        h = self.conv1(h if self.norm2 is None else functional.silu(h))
        if vector is not None and not self.scaled:
            h = h + vector
        if self.norm2 is not None:
            h = self.norm2(h)
        if vector is not None and self.scaled:
            scale, shift = vector.chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = self.conv2(functional.dropout(functional.silu(h), self.dropout, self.training))
        result: Tensor = self.skip(x) + h
        return result if self.attention is None else self.attention(result)

    def _vector(self, level: Tensor | None, dims: int) -> Tensor | None:
        """The level's contribution per channel, (B, out or 2 out, 1, 1) where the space has two axes."""
        if (level is None) != (self.level is None):
            expected = "takes no level" if self.level is None else f"needs a level, (B, {self.level.in_features})"
            raise ValueError(f"this block {expected}; got {None if level is None else tuple(level.shape)}")
        return None if self.level is None else self.level(level)[(..., *(None,) * dims)]
