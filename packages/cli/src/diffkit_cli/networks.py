"""The network of a config.json: a U-Net, or a registered one by its name; no module is imported because a file names it."""

from collections.abc import Mapping
from typing import Any

import torch
from diffkit_unet import UNet
from torch import Tensor, nn

from diffkit_cli.presets import PRESETS, Preset

__all__ = ["network_of", "new_network", "outline_of"]


def new_network(name: str, preset: Preset, in_channels: int, num_classes: int | None) -> tuple[nn.Module, dict[str, Any]]:
    """An untrained network of the preset, and what config.json holds of it; see `network_of`."""
    if preset.unet is not None:
        unet = UNet.from_config(dict(preset.unet) | {"in_channels": in_channels, "num_classes": num_classes})
        return unet, unet.to_config()
    config = {"name": name, "in_channels": in_channels, "num_classes": num_classes}
    return network_of(config), config


def network_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a config: a U-Net (see `diffkit_unet.UNet.from_config`), or {"name", "in_channels", "num_classes"} for one
    that another distribution registers under `presets.GROUP`.

    Raises ValueError for a config that is neither, and for a name that no installed distribution registers.
    """
    if "name" not in config:
        return UNet.from_config(config)
    name, channels, classes = (config.get(key) for key in ("name", "in_channels", "num_classes"))
    if config.keys() != {"name", "in_channels", "num_classes"} or not isinstance(name, str):
        raise ValueError(f"network: expected a name, in_channels and num_classes, found {', '.join(map(str, config))!r:.60}")
    if name not in PRESETS:
        raise ValueError(f"network {name!r:.60} is not installed: install the distribution that registers it")
    network: nn.Module = PRESETS[name](channels, classes)
    return network


def outline_of(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The names, shapes and types of the network's tensors, without memory. Raises ValueError as `network_of`."""
    if "name" not in config:
        return dict(UNet.outline(config).state_dict())
    with torch.device("meta"):
        return dict(network_of(config).state_dict())
