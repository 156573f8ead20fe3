"""From a config to a network: unknown keys are refused and parameters counted before memory is allocated."""

import difflib
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from diffkit_unet.config import MAX_PARAMETERS

__all__ = ["build", "outline"]

Network = TypeVar("Network", bound=nn.Module)


def build(cls: type[Network], config: Mapping[str, Any]) -> Network:
    """The network of a config; see `UNet.from_config`."""
    outline(cls, config)
    return cls(**config)


def outline(cls: type[Network], config: Mapping[str, Any]) -> Network:
    """The network of a config on the meta device, where tensors have no memory; see `UNet.outline`."""
    if not isinstance(config, Mapping) or "in_channels" not in config:
        raise ValueError(f"a network's config must be a mapping with 'in_channels', got {config!r:.60}")
    known = list(inspect.signature(cls).parameters)
    for key in config:
        if key not in known:
            similar = difflib.get_close_matches(str(key), known, n=1)
            hint = f", did you mean {similar[0]!r}?" if similar else ""
            raise ValueError(f"a network has no parameter {key!r:.60}{hint} (parameters: {', '.join(known)})")
    with torch.device("meta"), _WithoutNormal():
        network = cls(**config)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if parameters > MAX_PARAMETERS:
        raise ValueError(f"this config has {parameters:,} parameters, the maximum is {MAX_PARAMETERS:,}: reduce its widths")
    return network


class _WithoutNormal(TorchFunctionMode):
    """Skips normal_: on the meta device it has no effect but the import of torch's compiler, a second of every start."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
