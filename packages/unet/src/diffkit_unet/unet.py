"""The U-Net: from a noisy image and its noise level to an image of the same shape."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet.architecture import block_arguments
from diffkit_unet.blocks import DownBlock, UpBlock
from diffkit_unet.build import build, outline
from diffkit_unet.conditioning import check_inputs, class_vectors, concatenate_map, map_channels, noise_levels, vector_values
from diffkit_unet.config import MAX_LOG_SNR, resolve
from diffkit_unet.embedding import SinusoidalEmbedding
from diffkit_unet.layers import convolution, linear, normalisation
from diffkit_unet.patches import from_patches, to_patches
from diffkit_unet.residual import ResidualBlock

__all__ = ["UNet"]


class UNet(nn.Module):
    """A U-Net whose output has the shape of its input, for a space of one, two or three axes (`dims`), each of any size from 1.

        layout "tutorial"                                       layout "ddpm"
        image   1x1 to widths[0]                                3x3 to widths[0]
        down    widths[0] ... widths[-2], block_depth blocks    widths[0] ... widths[-1], each level's input is a skip too
        middle  widths[-1], block_depth blocks                  widths[-1], two blocks
        up      widths[-2] ... widths[0], block_depth blocks    widths[-1] ... widths[0], block_depth + 1 blocks
        out     1x1 to (B, out_channels, H, W)                  norm, swish, 3x3 to (B, out_channels, H, W)

    These are the layers of images; those of other spaces have as many axes. Level i has 1 / 2^i of the image's size. The last
    convolution is initialised to 0: the output of a new network is exactly 0.

    `patch`: the layers see each patch of patch x patch pixels as one pixel of in_channels patch^2 channels, see `to_patches`, and
    their output is a patch again. Resolution level i then has 1 / (patch 2^i) of the image's size.

    `embedding`, `frequencies`, `cosine_first`: the embedding of the noise level, see `SinusoidalEmbedding`. `level`: how the
    embedding conditions the network. "map": it is repeated over the image and concatenated after the first convolution. "add" and
    "scale_shift": two linear layers of 4 widths[0] pass it to each block, see `ResidualBlock`. `condition`: the meaning of the
    noise level, see `CONDITIONS`; it sets the default of `frequencies` and is stored in the config. A log-SNR may be infinite: it
    is bounded by `MAX_LOG_SNR`.

    `num_classes`: each class has a learned vector, which is added to the level's. Label `num_classes` is the null class of
    classifier-free guidance, unless `null_class` is false. `vectors`: the number of values of each condition that is a vector, by
    name; two linear layers embed all of them and the sum with the level's embedding conditions the network. `maps`: the number of
    channels of each condition over a space, such as an image; they are resized to the space and concatenated to x. Values that
    are NaN are missing: the null of classifier-free guidance. Conditions should be about as large as x, of variance 1.

    `attention`: the levels whose blocks are followed by attention.
    `middle_attention`: attention after the first block of the middle. `head_channels`: the channels per head; None is one head.
    `norms`, `norm`, `groups`, `eps`, `dropout`, `zero_init`: see `ResidualBlock`. `down`, `up`: see `downsample` and `Upsample`.
    `skips`: see `UpBlock`. `ends`: the layout whose first and last layers it has; None is that of `layout`.

    The embedding stays in float32 or wider when the module is cast. Raises ValueError for a parameter outside its range.
    Source: Ronneberger, Fischer and Brox 2015; "tutorial" is the network of the Keras tutorial "Denoising Diffusion Implicit
    Models", "ddpm" that of Ho, Jain and Abbeel 2020, appendix B; the null class is of Ho and Salimans 2022.

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
        frequencies: Sequence[float] | None = None,
        condition: Literal["variance", "sigma", "time", "log_snr", "index"] = "variance",
        num_classes: int | None = None,
        out_channels: int | None = None,
        layout: Literal["tutorial", "ddpm"] = "tutorial",
        norms: Literal[1, 2] = 1,
        norm: Literal["batch", "group", "layer"] = "batch",
        groups: int = 32,
        eps: float | None = None,
        level: Literal["map", "add", "scale_shift"] = "map",
        dropout: float = 0.0,
        attention: Sequence[int] = (),
        middle_attention: bool = False,
        head_channels: int | None = None,
        down: Literal["average", "strided", "strided_same"] = "average",
        up: Literal["bilinear", "nearest"] = "bilinear",
        zero_init: bool = False,
        cosine_first: bool = False,
        null_class: bool = True,
        patch: int = 1,
        skips: Literal["concatenate", "add"] = "concatenate",
        ends: Literal["tutorial", "ddpm"] | None = None,
        dims: Literal[1, 2, 3] = 2,
        vectors: Mapping[str, int] | None = None,
        maps: Mapping[str, int] | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        self.config = resolve(given)
        self.in_channels, self.out_channels, self.widths = in_channels, self.config["out_channels"], self.config["widths"]
        self.condition, self.num_classes, self.null_class = condition, num_classes, null_class
        self.vectors, self.maps = self.config["vectors"], self.config["maps"]
        hidden = None if level == "map" else 4 * self.widths[0]
        width = hidden or embedding
        arguments = block_arguments(self.config, hidden)

        self.embedding = SinusoidalEmbedding(embedding, *self.config["frequencies"], cosine_first=cosine_first)
        self.classes = None if num_classes is None else nn.Embedding(num_classes + null_class, width)
        self.level = None if hidden is None else nn.Sequential(linear(embedding, hidden), nn.SiLU(), linear(hidden, hidden))
        values = 2 * sum(self.vectors.values())
        self.vector = nn.Sequential(linear(values, width), nn.SiLU(), linear(width, width)) if values else None
        self.patch, self.dims = patch, dims
        channels = in_channels + sum(self.maps.values()) + len(self.maps)
        deep = self.config["ends"] == "ddpm"
        self.image = convolution(channels * patch**dims, self.widths[0], 3 if deep else 1, dims)
        self.down = nn.ModuleList(DownBlock(**block) for block in arguments.down)
        self.middle = nn.ModuleList(ResidualBlock(**block) for block in arguments.middle)
        self.up = nn.ModuleList(UpBlock(**block) for block in arguments.up)
        self.out_norm = normalisation(norm, self.widths[0], groups, eps) if deep else None
        self.out = convolution(self.widths[0], self.out_channels * patch**dims, 3 if deep else 1, dims)
        nn.init.zeros_(self.out.weight)

    def forward(
        self, x: Tensor, condition: Tensor | float, class_labels: Tensor | None = None, **conditions: Tensor | None
    ) -> Tensor:
        """The network's output, (B, out_channels, *space), for x (B, in_channels, *space) at a noise level.

        `condition`: (B,) or (B, 1, ...), or one number for the batch. `class_labels`: (B,) integers in 0...num_classes, where
        num_classes is the null class; None is the null class for the batch. `conditions`: by name, vectors (B, size) and maps
        (B, channels, ...), NaN where missing; one that is None or not given is missing for the batch. Raises ValueError for any
        other shape, and for a condition that the network does not have.
        """
        check_inputs(x, self.in_channels, self.dims, conditions, (*self.vectors, *self.maps))
        vector = self._vector(condition, x, class_labels, conditions)  # (B, ...), or (1, ...)
        h = map_channels(conditions, self.maps, x) if self.maps else x
        h = self.image(h if self.patch == 1 else to_patches(h, self.patch))
        if x.device.type == "cpu" and self.dims == 2:
            # there convolutions are fastest with channels last, and all later layers keep the memory format of their input
            h = h.contiguous(memory_format=torch.channels_last)
        if self.level is None:
            h = concatenate_map(h, vector.to(h.dtype))
        level = None if self.level is None else vector
        skips_of_levels = []
        for down in self.down:
            h, skips = down(h, level)
            skips_of_levels.append(skips)
        for block in self.middle:
            h = block(h, level)
        for up, skips in zip(self.up, reversed(skips_of_levels), strict=True):
            h = up(h, skips, level)
        result: Tensor = self.out(h if self.out_norm is None else functional.silu(self.out_norm(h)))
        if self.patch > 1:
            result = from_patches(result, self.patch, x.shape[2:])
        return result.contiguous()

    def to_config(self) -> dict[str, Any]:
        """Every parameter as plain JSON: `UNet.from_config(unet.to_config())` has the same layers.

        >>> UNet(1, widths=(8, 16), num_classes=10).to_config()["widths"]
        [8, 16]
        """
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.config.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "UNet":
        """The network of a config, with new weights. Missing parameters have their defaults.

        Safe for untrusted configs: the parameters are counted before memory is allocated. Raises ValueError for a config that is
        not a mapping, an unknown key, a value of the wrong type or range, and more than `MAX_PARAMETERS` parameters.

        >>> UNet.from_config({"in_channels": 3}).widths
        (32, 64, 96, 128)
        """
        return build(cls, config)

    @classmethod
    def outline(cls, config: Mapping[str, Any]) -> "UNet":
        """The network of a config on the device "meta": names, shapes and dtypes of the weights, without memory.

        Use it to validate a checkpoint before memory is allocated. Raises as `from_config` does.

        >>> UNet.outline({"in_channels": 3, "widths": [2048, 4096]}).image.weight.device.type
        'meta'
        """
        return outline(cls, config)

    def _vector(
        self, condition: Tensor | float, x: Tensor, labels: Tensor | None, conditions: Mapping[str, Tensor | None]
    ) -> Tensor:
        """The sum of the embeddings of the noise level, class and vectors, (B, ...), or (1, ...) where the batch has one."""
        if labels is not None and self.classes is None:
            raise ValueError("class_labels were given to a network without classes: build it with num_classes, or omit them")
        levels = noise_levels(condition, x)
        if self.condition == "log_snr":
            levels = levels.clamp(-MAX_LOG_SNR, MAX_LOG_SNR)
        vector: Tensor = self.embedding(levels)
        if self.level is not None:
            vector = self.level(vector.to(self.image.weight.dtype))
        if self.classes is not None:
            vector = vector + class_vectors(self.classes, labels, x.shape[0], null_class=self.null_class)
        if self.vector is not None:
            vector = vector + self.vector(vector_values(conditions, self.vectors, x).to(self.image.weight.dtype))
        return vector if self.level is None else functional.silu(vector)
