"""The network of a config.json: a U-Net, alone or with a linear part, or a registered one by its name.

No module is imported because a file names it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from diffkit_unet import PRESETS as UNETS
from diffkit_unet import LinearPreconditioner, UNet
from torch import nn

from diffkit_cli.recipes import PRESETS

__all__ = ["network_config", "network_of", "outline_of"]


def network_config(
    name: str, in_channels: int, num_classes: int | None, linear: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What config.json holds of the untrained network of a preset, see `network_of`.

    linear: the size, prediction and path of its linear part, see `diffkit_unet.LinearPreconditioner`. Raises ValueError for a
    network that cannot have one.
    """
    unet = UNETS.get(name)
    shape = {"in_channels": in_channels, "num_classes": num_classes}
    if linear is not None:
        if unet is None:
            raise ValueError(f"linear is for a U-Net, preset {name!r} is another network: leave it out")
        inner = dict(unet) | shape | {"in_channels": 2 * in_channels, "out_channels": in_channels}
        return LinearPreconditioner.outline({"network": inner, **linear}).to_config()
    return {"name": name} | shape if unet is None else UNet.outline(dict(unet) | shape).to_config()


def network_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a config.

    The config is that of a U-Net, see `diffkit_unet.UNet.from_config`; that of a U-Net with a linear part, see
    `diffkit_unet.LinearPreconditioner.from_config`; or {"name", "in_channels", "num_classes"} for a network that another
    distribution registers.

    Raises ValueError for a config that is neither, and for a name that no installed distribution registers.
    """
    if "name" not in config:
        return _ours(config).from_config(config)
    name, channels, classes = (config.get(key) for key in ("name", "in_channels", "num_classes"))
    if config.keys() != {"name", "in_channels", "num_classes"} or not isinstance(name, str):
        raise ValueError(f"network: expected a name, in_channels and num_classes, found {', '.join(map(str, config))!r:.60}")
    if name not in PRESETS:
        raise ValueError(f"network {name!r:.60} is not installed: install the distribution that registers it")
    with PRESETS.naming(name):
        network: nn.Module = PRESETS[name](channels, classes)
    return network


def outline_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a config without memory, on the device "meta". Raises ValueError as `network_of`."""
    if "name" not in config:
        return _ours(config).outline(config)
    with torch.device("meta"):
        return network_of(config)


def _ours(config: Mapping[str, Any]) -> type[UNet | LinearPreconditioner]:
    return LinearPreconditioner if "network" in config else UNet
