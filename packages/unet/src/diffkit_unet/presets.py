"""Networks that have a name."""

from typing import Any

from diffkit_unet.unet import UNet

__all__ = ["PRESETS", "preset"]

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {"in_channels": 3, "widths": (32, 64, 96, 128), "block_depth": 2, "embedding": 32},
    "small": {"in_channels": 3, "widths": (32, 64, 128), "block_depth": 1, "embedding": 32},
}
"""The parameters of every preset, by its name."""


def preset(name: str, **overrides: Any) -> UNet:
    """A network by its name, with any parameter of `UNet` changed.

    "tutorial": the Keras tutorial's "Denoising Diffusion Implicit Models", for photographs of about 64x64; 1,950,627 parameters.
    "small": for images of 8x8 to 32x32 where there is no accelerator. Both are for 3 channels unless
    `in_channels` is given. Raises ValueError for an unknown name, and as `UNet.from_config` does.

    >>> preset("small", in_channels=1, num_classes=10).in_channels
    1
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(map(repr, PRESETS))}; got {name!r}")
    return UNet.from_config(PRESETS[name] | overrides)
