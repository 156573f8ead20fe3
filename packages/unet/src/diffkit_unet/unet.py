"""The network: an image and its noise level in, an image of the same shape out."""

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diffkit_unet import checks
from diffkit_unet.blocks import DownBlock, ResidualBlock, UpBlock
from diffkit_unet.embedding import SinusoidalEmbedding
from diffkit_unet.layers import convolution

__all__ = ["CONDITIONS", "MAX_PARAMETERS", "UNet"]

CONDITIONS = ("variance", "sigma", "time", "log_snr", "index")
"""What `condition` may be: the noise variance or rate, the time, the log signal-to-noise ratio, the place in a table."""

MAX_PARAMETERS = 2_000_000_000
"""The largest network a config may ask for, in parameters."""


class UNet(nn.Module):
    """A U-Net that answers with an image of its input's shape, for any height and width from 1.

        image (B, in, H, W) -- 1x1 --+-- (B, widths[0], H, W)
                                     +-- (B, embedding, H, W), the embedded noise level at every pixel
        down    widths[0] ... widths[-2]    H x W and half of that at each level; keeps block_depth skips
        middle  widths[-1]                  block_depth residual blocks
        up      widths[-2] ... widths[0]    takes the skips, back to H x W
        out     1x1 to (B, out, H, W), zero at the start, so that a new network answers exactly 0

    Arguments: `embedding`, the length of the noise level's embedding, even; `frequencies`, its first and last (see
    `SinusoidalEmbedding`); `condition`, what the number given as noise level means: it changes nothing here and travels in the
    config, so that whoever loads the network knows what to give; `num_classes`, where there are classes: each has a learned
    vector that is added to the noise level's, and so has "no class", label `num_classes`, for guidance; `out_channels`,
    `in_channels` unless given.

    The parameters move and cast as any module's; the embedding stays in float32 or wider. Raises ValueError for a parameter
    outside its range. Source: Ronneberger, Fischer and Brox 2015; the layers are the Keras tutorial's "Denoising Diffusion
    Implicit Models"; the null class is of Ho and Salimans 2022.

    >>> unet = UNet(3, widths=(8, 16), block_depth=1)
    >>> unet(torch.randn(4, 3, 5, 7), torch.rand(4)).shape
    torch.Size([4, 3, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (32, 64, 96, 128),
        block_depth: int = 2,
        embedding: int = 32,
        *,
        frequencies: Sequence[float] = (1.0, 1000.0),
        condition: Literal["variance", "sigma", "time", "log_snr", "index"] = "variance",
        num_classes: int | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = checks.integer("in_channels", in_channels)
        self.widths = checks.integers("widths", widths, most=12)
        self.block_depth = checks.integer("block_depth", block_depth, high=16)
        self.frequencies = checks.positive_pair("frequencies", frequencies)
        self.condition = checks.one_of("condition", condition, CONDITIONS)
        self.num_classes = None if num_classes is None else checks.integer("num_classes", num_classes)
        self.out_channels = in_channels if out_channels is None else checks.integer("out_channels", out_channels)
        if checks.integer("embedding", embedding, low=2) % 2:
            raise ValueError(f"embedding must be even (half sines, half cosines), got {embedding}")

        *sides, bottom = self.widths
        first = self.widths[0]
        self.embedding = SinusoidalEmbedding(embedding, *self.frequencies)
        self.classes = None if num_classes is None else nn.Embedding(num_classes + 1, embedding)
        self.image = convolution(in_channels, first, kernel=1)
        self.down = nn.ModuleList(
            DownBlock(before, width, block_depth) for before, width in zip([first + embedding, *sides], sides, strict=False)
        )
        before = sides[-1] if sides else first + embedding
        self.middle = nn.ModuleList(ResidualBlock(bottom if i else before, bottom) for i in range(block_depth))
        self.up = nn.ModuleList(
            UpBlock(before, width, block_depth) for before, width in zip(self.widths[:0:-1], self.widths[-2::-1], strict=True)
        )
        self.out = convolution(first, self.out_channels, kernel=1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, condition: Tensor | float, class_labels: Tensor | None = None) -> Tensor:
        """The network's answer, (B, out_channels, H, W), for images x (B, in_channels, H, W) at a noise level.

        `condition`: (B,) or (B, 1, 1, 1), or one number for all. `class_labels`: (B,) integers in 0...num_classes, where
        num_classes means "no class", which None means for all. Raises ValueError for any other shape.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels or not x.shape[2] or not x.shape[3]:
            raise ValueError(f"x must be (B, {self.in_channels}, H, W) with H and W from 1, got {tuple(x.shape)}")
        level = self.embedding(_levels(condition, x))  # (B, embedding), or (1, embedding)
        if self.classes is not None:
            level = level + _class_vectors(self.classes, class_labels, len(x))
        elif class_labels is not None:
            raise ValueError("class_labels were given to a network without classes: build it with num_classes, or leave them out")

        h = self.image(x)
        h = torch.cat([h, level.to(h.dtype)[:, :, None, None].expand(len(x), -1, *x.shape[2:])], dim=1)
        kept = []
        for down in self.down:
            h, skips = down(h)
            kept.append(skips)
        for block in self.middle:
            h = block(h)
        for up, skips in zip(self.up, reversed(kept), strict=True):
            h = up(h, skips)
        result: Tensor = self.out(h)
        return result

    def to_config(self) -> dict[str, Any]:
        """Every parameter as plain JSON: `UNet.from_config(unet.to_config())` has the same layers.

        >>> UNet(1, widths=(8, 16), num_classes=10).to_config()["widths"]
        [8, 16]
        """
        config = {name: getattr(self, name) for name in _parameters(type(self))} | {"embedding": self.embedding.length}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in config.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "UNet":
        """The network of a config, with new weights; what is left out takes its default.

        Safe on a file from anywhere: the parameters are counted before memory is taken for them. Raises ValueError for a config
        that is no mapping, an unknown key, a value of the wrong type or range, and more than `MAX_PARAMETERS`.

        >>> UNet.from_config({"in_channels": 3}).widths
        (32, 64, 96, 128)
        """
        if not isinstance(config, Mapping) or "in_channels" not in config:
            raise ValueError(f"a network's config is a mapping with 'in_channels', got {config!r:.60}")
        known = _parameters(cls)
        for key in config:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"a network has no parameter {key!r:.60}{hint} (it has: {', '.join(known)})")
        with torch.device("meta"):  # the layers' shapes, without their memory
            parameters = sum(parameter.numel() for parameter in cls(**config).parameters())
        if parameters > MAX_PARAMETERS:
            raise ValueError(f"this config asks for {parameters:,} parameters, the most is {MAX_PARAMETERS:,}: lower its widths")
        return cls(**config)


def _parameters(cls: type[UNet]) -> list[str]:
    return list(inspect.signature(cls).parameters)


def _levels(condition: Tensor | float, x: Tensor) -> Tensor:
    """The noise levels as (B,) or, one for all, (1,); numbers and integers in x's dtype, float32 where that is narrower."""
    wide = torch.promote_types(x.dtype, torch.float32)
    if isinstance(condition, int | float):
        return torch.full((1,), condition, dtype=wide, device=x.device)  # filled on the device: nothing is copied to it
    levels = torch.as_tensor(condition, device=x.device)
    if levels.ndim and (levels.shape[0] != len(x) or levels.numel() != len(x)):
        raise ValueError(f"condition must be one number, ({len(x)},) or ({len(x)}, 1, 1, 1), got {tuple(levels.shape)}")
    return (levels if levels.is_floating_point() else levels.to(wide)).reshape(-1)


def _class_vectors(classes: nn.Embedding, labels: Tensor | None, batch: int) -> Tensor:
    """The labels' vectors (B, embedding), or that of "no class" (1, embedding)."""
    if labels is None:
        return classes.weight[-1:]
    if labels.shape != (batch,) or labels.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f"class_labels must be ({batch},) integers (int32 or int64), got {tuple(labels.shape)} of {labels.dtype}"
        )
    vectors: Tensor = classes(labels)
    return vectors
