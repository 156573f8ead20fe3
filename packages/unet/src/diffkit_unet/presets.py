"""Networks by name: plain configs, which need no torch, and `preset`, which builds them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffkit_unet.unet import UNet

__all__ = ["PRESETS", "preset"]

DDPM: dict[str, Any] = {
    "in_channels": 3,
    "block_depth": 2,
    "layout": "ddpm",
    "norms": 2,
    "norm": "group",
    "level": "add",
    "middle_attention": True,
    "up": "nearest",
    "zero_init": True,
}
"""The parameters common to all networks with the DDPM paper's layout."""

PAPER: dict[str, Any] = DDPM | {
    "embedding": 128,
    "condition": "index",
    "eps": 1e-6,
    "dropout": 0.1,
    "down": "strided_same",
}
"""The parameters common to the networks of the papers."""

PATCHES: dict[str, Any] = {
    **{"in_channels": 3, "block_depth": 2, "patch": 2, "norm": "layer", "skips": "add", "up": "nearest", "ends": "ddpm"},
    **{"embedding": 64, "condition": "time", "frequencies": (0.25, 64.0), "level": "add", "zero_init": True},
    **{"middle_attention": True, "head_channels": 32},
}
"""The parameters common to the networks of `images`, see the benchmarks: patches are a quarter of the multiplications."""

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {"in_channels": 3, "widths": (32, 64, 96, 128), "block_depth": 2, "embedding": 32},
    "small": {"in_channels": 3, "widths": (32, 64, 128), "block_depth": 1, "embedding": 32},
    "tiny": {"in_channels": 3, "widths": (32, 64, 96), "block_depth": 1, "embedding": 32},
    "medium": DDPM | {"widths": (64, 128, 128), "embedding": 64, "groups": 32, "down": "strided"},
    "images-16": PATCHES | {"widths": (64, 128)},
    "images-32": PATCHES | {"widths": (64, 128)},
    "images-32-small": PATCHES | {"widths": (64, 96)},
    "images-64": PATCHES | {"widths": (64, 128, 192)},
    "ddpm-cifar10": PAPER | {"widths": (128, 256, 256, 256), "attention": (1,)},
    "ddpm-64": PAPER | {"widths": (128, 256, 256, 256, 512), "attention": (2,)},
}
"""The config of each preset, by name."""


def preset(name: str, **overrides: Any) -> "UNet":
    """The network of that name, with any parameter of `UNet` overridden.

    | name | parameters | use |
    |---|---|---|
    | "tutorial" | 1,950,627 | photographs at about 64x64: the Keras tutorial's "Denoising Diffusion Implicit Models" |
    | "small" | 517,283 | 8x8 to 32x32 without an accelerator |
    | "tiny" | 411,715 | 8x8 to 16x16, in a file of less than a megabyte |
    | "medium" | 6,140,675 | 16x16 to 64x64 on a small accelerator: group norm, attention in the middle, any batch size |
    | "images-16" | 1,123,852 | 8x8 to 16x16: patches of 2x2 pixels, layer norm, additive skips, attention in the middle |
    | "images-32" | 1,123,852 | the same for 20x20 to 32x32, which takes longer to train |
    | "images-32-small" | 862,252 | the same in a file of less than two megabytes |
    | "images-64" | 3,228,876 | the same with a third level, for 40x40 to 96x96 |
    | "ddpm-cifar10" | 35,746,307 | 32x32, to compare with papers: the network of Ho, Jain and Abbeel 2020 |
    | "ddpm-64" | 78,700,803 | 64x64, to compare with papers: the network of Song, Meng and Ermon 2021 for CelebA |

    All have 3 channels unless `in_channels` is given. The two "ddpm" networks are conditioned on the index and have dropout 0.1.
    Raises ValueError for an unknown name, and as `UNet.from_config` does.

    >>> preset("small", in_channels=1, num_classes=10).in_channels
    1
    """
    from diffkit_unet.unet import UNet

    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(map(repr, PRESETS))}; got {name!r}")
    return UNet.from_config(PRESETS[name] | overrides)
