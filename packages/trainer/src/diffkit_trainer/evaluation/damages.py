"""Damage to images by known amounts: what samples suffer from, for features that see it and for a test of scores."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["DAMAGES", "damaged"]

Damage: TypeAlias = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""From images (N, C, H, W), black at -1 and white at 1, and an amount (N, 1, 1, 1) from 0 to 1 for each, to damaged images."""

NOISE, TINT, CONTRAST, CHECKERS = 0.25, 0.3, 0.5, 0.15
SHARE = 0.3
"""Of the images that `damaged` damages, how many get each of the damages."""


def _blur(x: Tensor, amount: Tensor, _draw: torch.Generator) -> Tensor:
    """A binomial filter of 5 x 5, variance 1 pixel, mixed with the image."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    filters = (taps[:, None] * taps).expand(x.shape[1], 1, 5, 5)
    smooth = nn.functional.conv2d(nn.functional.pad(x, (2, 2, 2, 2), mode="replicate"), filters, groups=x.shape[1])
    return torch.lerp(x, smooth, amount)


def _noise(x: Tensor, amount: Tensor, draw: torch.Generator) -> Tensor:
    return x + NOISE * amount * torch.randn(x.shape, generator=draw)


def _tint(x: Tensor, amount: Tensor, draw: torch.Generator) -> Tensor:
    """Each channel lighter or darker: the mean brightness of a grey image, the hue of a coloured one."""
    return x + TINT * amount * (2 * torch.rand((*x.shape[:2], 1, 1), generator=draw) - 1).sign()


def _contrast(x: Tensor, amount: Tensor, _draw: torch.Generator) -> Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return torch.lerp(x, mean, CONTRAST * amount)


def _checkers(x: Tensor, amount: Tensor, _draw: torch.Generator) -> Tensor:
    """A checkerboard of single pixels, which networks that upsample leave behind."""
    signs = [torch.arange(side) % 2 * 2.0 - 1 for side in x.shape[2:]]
    return x + CHECKERS * amount * signs[0][:, None] * signs[1]


def _mix(x: Tensor, amount: Tensor, _draw: torch.Generator) -> Tensor:
    """A second image that shines through."""
    return torch.lerp(x, x.roll(1, 0), 0.5 * amount)


DAMAGES: dict[str, Damage] = {
    "blur": _blur,
    "noise": _noise,
    "tint": _tint,
    "contrast": _contrast,
    "checkers": _checkers,
    "mix": _mix,
}
"""By name."""


def damaged(x: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """The second half of the images damaged at random, and the amounts (N, 6) from 0 to 1 of each of `DAMAGES`.

    x: (N, C, H, W), black at -1 and white at 1. Each damage befalls three in ten of that half.

    >>> x, amounts = damaged(torch.zeros(4, 1, 8, 8), torch.Generator().manual_seed(0))
    >>> bool(x[:2].any()), amounts.shape
    (False, torch.Size([4, 6]))
    """
    amounts = torch.zeros(len(x), len(DAMAGES))
    half = len(x) // 2
    hit = torch.rand(len(x) - half, len(DAMAGES), generator=draw) < SHARE
    amounts[half:] = hit * torch.rand(hit.shape, generator=draw)
    for amount, damage in zip(amounts.T, DAMAGES.values(), strict=True):
        found = amount.nonzero()[:, 0]
        if len(found):
            x = x.index_copy(0, found, damage(x[found], amount[found].view(-1, 1, 1, 1), draw))
    return x, amounts
