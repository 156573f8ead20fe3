"""The network of a config.json: a U-Net, alone or with a linear part, or a registered one by its name.

No module is imported because a file names it.
"""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import torch
from diffkit_trainer import Images
from diffkit_unet import PRESETS as UNETS
from diffkit_unet import LinearPreconditioner, UNet
from torch import nn

from diffkit_cli.recipes import PRESETS

__all__ = ["Inputs", "network_config", "network_of", "outline_of"]

FURTHER = ("space", "conditions")
KEYS = ("name", "in_channels", "num_classes", *FURTHER)
_PROTOCOL = "its builder is called build(in_channels, num_classes, space=(L,) or (H, W) or (D, H, W), conditions={name: shape})"


class Inputs(NamedTuple):
    """What a network is to take: samples (channels, *space), classes, None for none, and conditions of these shapes, by name."""

    shape: tuple[int, ...]
    num_classes: int | None = None
    conditions: Mapping[str, tuple[int, ...]] = {}

    @classmethod
    def of(cls, images: Images, num_classes: int | None) -> "Inputs":
        """Those of a data set."""
        return cls(images.shape, num_classes, {name: tuple(each.shape[1:]) for name, each in images.conditions.items()})


def network_config(name: str, inputs: Inputs, linear: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What config.json holds of the untrained network of a preset, see `network_of`.

    A U-Net takes conditions () or (n,) as vectors, and those with as many axes as the samples as maps. Another network takes
    samples that are no images, and conditions, where its builder has parameters `space` and `conditions`. linear: the size,
    prediction and path of its linear part, see `diffkit_unet.LinearPreconditioner`. Raises ValueError for a network that cannot
    have one, and for inputs that the network does not take.
    """
    unet, (in_channels, *space) = UNETS.get(name), inputs.shape
    shape: dict[str, Any] = {"in_channels": in_channels, "num_classes": inputs.num_classes}
    if unet is None:
        shape |= _further(name, space, inputs.conditions)
    elif len(space) != 2 or inputs.conditions:
        shape |= {"dims": len(space)} | _vectors_and_maps(inputs)
    if linear is not None:
        if unet is None:
            raise ValueError(f"linear is for a U-Net, preset {name!r} is another network: leave it out")
        inner = dict(unet) | shape | {"in_channels": 2 * in_channels, "out_channels": in_channels}
        return LinearPreconditioner.outline({"network": inner, **linear}).to_config()
    return {"name": name} | shape if unet is None else UNet.outline(dict(unet) | shape).to_config()


def network_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a config.

    The config is that of a U-Net, see `diffkit_unet.UNet.from_config`; that of a U-Net with a linear part, see
    `diffkit_unet.LinearPreconditioner.from_config`; or {"name", "in_channels", "num_classes"}, and "space" and
    "conditions" where its builder takes them, for a network that another distribution registers.

    Raises ValueError for a config that is neither, and for a name that no installed distribution registers.
    """
    if "name" not in config:
        return _ours(config).from_config(config)
    name, channels, classes = (config.get(key) for key in ("name", "in_channels", "num_classes"))
    if not {"name", "in_channels", "num_classes"} <= config.keys() <= {*KEYS} or not isinstance(name, str):
        raise ValueError(f"network: expected a name, in_channels and num_classes, found {', '.join(map(str, config))!r:.60}")
    if name not in PRESETS:
        way_out = f"give it by --network {name}" if ":" in name else "install the distribution that registers it"
        raise ValueError(f"network {name!r:.60} is not installed: {way_out}")
    more = {key: config[key] for key in FURTHER if key in config}
    with PRESETS.naming(name):
        try:
            network = PRESETS[name](channels, classes, **more)
        except TypeError as error:
            called = ", ".join(["in_channels", "num_classes", *(f"{key}=" for key in more)])
            raise ValueError(f"network {name!r} cannot be built as build({called}): {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"network {name!r} must be a torch.nn.Module, got {type(network).__name__}")
    return network


def outline_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a config without memory, on the device "meta". Raises ValueError as `network_of`."""
    if "name" not in config:
        return _ours(config).outline(config)
    with torch.device("meta"):
        return network_of(config)


def _vectors_and_maps(inputs: Inputs) -> dict[str, dict[str, int]]:
    """The conditions as parameters of a U-Net."""
    vectors, maps = dict[str, int](), dict[str, int]()
    for name, shape in inputs.conditions.items():
        if len(shape) > 1 and len(shape) != len(inputs.shape):
            found = f"{' x '.join(map(str, shape))} for samples {' x '.join(map(str, inputs.shape))}"
            raise ValueError(f"condition {name!r:.60}: a U-Net takes a vector, or as many axes as a sample has, got {found}")
        (vectors if len(shape) < 2 else maps)[name] = shape[0] if shape else 1
    return {"vectors": vectors, "maps": maps}


def _further(name: str, space: Sequence[int], conditions: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What the builder of a network gets beyond channels and classes: `space` and `conditions`, where it has these parameters."""
    builder = PRESETS[name]
    if not callable(builder):
        raise ValueError(f"network {name!r} must be a function of (in_channels, num_classes), got {type(builder).__name__}")
    with PRESETS.naming(name):
        parameters = signature(builder).parameters.values()
    takes = {key for key in FURTHER for each in parameters if each.name == key or each.kind is each.VAR_KEYWORD}
    if conditions and "conditions" not in takes:
        raise ValueError(f"network {name!r} takes no conditions, the data has {', '.join(conditions)}: {_PROTOCOL}")
    if len(space) != 2 and "space" not in takes:
        raise ValueError(f"network {name!r} takes images alone, the data has {len(space)} axes: {_PROTOCOL}")
    values = {"space": list(space), "conditions": {name: list(shape) for name, shape in conditions.items()}}
    return {key: values[key] for key in FURTHER if key in takes}


def _ours(config: Mapping[str, Any]) -> type[UNet | LinearPreconditioner]:
    return LinearPreconditioner if "network" in config else UNet
