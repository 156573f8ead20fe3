"""The basic layers: convolution, linear layer, normalisation, self-attention."""

import math
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.batch_norm import BatchNorm

__all__ = [
    "CONVOLUTIONS",
    "Attention",
    "Convolution",
    "GroupNorm",
    "LayerNorm",
    "convolution",
    "glorot",
    "linear",
    "normalisation",
]

Convolution: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d
Layer = TypeVar("Layer", bound=nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)

CONVOLUTIONS: dict[int, type[Convolution]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
"""By the number of axes of the space."""


class GroupNorm(nn.GroupNorm):
    """Group normalisation: weight (x - mean) / sqrt(variance + eps) + bias, mean and variance of each sample and group.

    The number of groups is gcd(groups, channels), so any number of channels is valid.
    x (B, channels, *space) -> same shape; samples are independent. Source: Wu and He 2018, equations 1 to 3.

    >>> GroupNorm(48, groups=32).num_groups
    16
    """

    def __init__(self, channels: int, groups: int = 32, eps: float = 1e-5) -> None:
        super().__init__(math.gcd(groups, channels), channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        # Not functional.group_norm, which refuses a single value per group. Here its output is the bias.
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel: weight (x - mean) / sqrt(variance + eps) + bias.

    x (B, channels, *space) -> same shape; pixels are independent. Source: Ba, Kiros and Hinton 2016, equations 3 and 4; over the
    channels of a pixel as in ConvNeXt, Liu et al. 2022.

    >>> LayerNorm(8)(torch.randn(2, 8, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def normalisation(
    kind: Literal["batch", "group", "layer"], channels: int, groups: int = 32, eps: float | None = None
) -> nn.Module:
    """`BatchNorm`, `GroupNorm` or `LayerNorm` by name; eps None is Keras's 1e-3 for "batch" and torch's 1e-5 for the others.

    >>> normalisation("group", 8, groups=4)  # doctest: +ELLIPSIS
    GroupNorm(4, 8, eps=1e-05, affine=True, ...)
    """
    if kind == "batch":
        return BatchNorm(channels, 1e-3 if eps is None else eps)
    eps = 1e-5 if eps is None else eps
    return GroupNorm(channels, groups, eps) if kind == "group" else LayerNorm(channels, eps)


def glorot(layer: Layer) -> Layer:
    """The same layer, reinitialised: weights uniform in +-sqrt(6 / (fan_in + fan_out)), bias 0.

    Source: Glorot and Bengio 2010, equation 16.

    >>> glorot(nn.Linear(3, 8)).bias.any()
    tensor(False)
    """
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def convolution(in_channels: int, out_channels: int, kernel: int, dims: int = 2) -> Convolution:
    """A convolution over a space of `dims` axes that keeps its size: odd kernel, zero padding, initialised by `glorot`.

    >>> convolution(3, 8, kernel=3)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    return glorot(CONVOLUTIONS[dims](in_channels, out_channels, kernel, padding=kernel // 2))


def linear(in_features: int, out_features: int) -> nn.Linear:
    """A linear layer, x (..., in) -> (..., out), initialised by `glorot`.

    >>> linear(3, 8)
    Linear(in_features=3, out_features=8, bias=True)
    """
    return glorot(nn.Linear(in_features, out_features))


class Attention(nn.Module):
    """Self-attention over pixels: x + out(softmax(q k^T / sqrt(d)) v), d = channels / heads.

        x (B, C, H, W) --+-- norm -- (B, H W, C) -- q, k, v in heads (B, heads, H W, d) -- attention -- out --+-- (B, C, H, W)
                         +------------------------------------------------------------------------------------+

    The space may have any number of axes. Fused attention: memory grows with H W, not with its square. Raises ValueError if
    `heads` does not divide `channels`. Source: Vaswani et al. 2017, equation 1; in a U-Net: Ho, Jain and Abbeel 2020.

    >>> Attention(8, heads=2)(torch.randn(2, 8, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(
        self,
        channels: int,
        heads: int = 1,
        *,
        norm: Literal["batch", "group", "layer"] = "group",
        groups: int = 32,
        eps: float | None = None,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"channels must be a multiple of heads, got {channels} channels and {heads} heads")
        self.heads = heads
        self.norm = normalisation(norm, channels, groups, eps)
        self.qkv = linear(channels, 3 * channels)
        self.out = linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.qkv(self.norm(x).flatten(2).transpose(1, 2))  # (B, H W, 3 C)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in h.chunk(3, dim=2))
        h = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (B, H W, C)
        result: Tensor = x + self.out(h).transpose(1, 2).reshape(x.shape)
        return result
