"""A network's config: what each parameter may be, what it is unless given, and how it is read from a file."""

import difflib
import inspect
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from diffkit_unet import checks

__all__ = ["CONDITIONS", "FREQUENCIES", "MAX_PARAMETERS", "build", "outline", "resolved"]

Network = TypeVar("Network", bound=nn.Module)

FREQUENCIES = {
    "variance": (1.0, 1000.0),
    "sigma": (1.0, 1000.0),
    "time": (1.0, 1000.0),
    "log_snr": (0.01, 10.0),
    "index": (1 / (2 * math.pi), 1e-4 / (2 * math.pi)),
}
"""The first and last frequency of the embedding, in turns per unit, for every kind of condition.

Of [0, 1] the slowest wave sees the whole once, the Keras tutorial's. A log-SNR runs over some 40 units, of which the slowest
sees less than a half turn. Of the indices 0, 1, 2, ... they are those of Vaswani et al. 2017: 1 to 1/10000 radians.
"""

CONDITIONS = tuple(FREQUENCIES)
"""What `condition` may be: the noise variance or rate, the time, the log signal-to-noise ratio, the place in a table."""

MAX_PARAMETERS = 2_000_000_000
"""The largest network a config may ask for, in parameters."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "condition": CONDITIONS,
    "layout": ("tutorial", "ddpm"),
    "norms": (1, 2),
    "norm": ("batch", "group"),
    "level": ("map", "add", "scale_shift"),
    "down": ("average", "strided", "strided_same"),
    "up": ("bilinear", "nearest"),
}


def resolved(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a `UNet`, checked, with what None stands for filled in; ValueError names the first that is wrong."""
    config = dict(given)
    for name, choices in CHOICES.items():
        checks.one_of(name, config[name], choices)
    for name in ("middle_attention", "cosine_first", "zero_init", "null_class"):
        checks.boolean(name, config[name])
    checks.integer("in_channels", config["in_channels"])
    config["widths"] = checks.integers("widths", config["widths"], least=1, most=12)
    checks.integer("block_depth", config["block_depth"], high=16)
    if checks.integer("embedding", config["embedding"], low=2) % 2:
        raise ValueError(f"embedding must be even (half sines, half cosines), got {config['embedding']}")
    config["frequencies"] = checks.positive_pair("frequencies", _or(config["frequencies"], FREQUENCIES[config["condition"]]))
    if config["num_classes"] is not None:
        checks.integer("num_classes", config["num_classes"])
    config["out_channels"] = checks.integer("out_channels", _or(config["out_channels"], config["in_channels"]))
    checks.integer("groups", config["groups"])
    config["eps"] = checks.number("eps", _or(config["eps"], 1e-3 if config["norm"] == "batch" else 1e-5), 0, 1)
    config["dropout"] = checks.number("dropout", config["dropout"], 0, 1)
    return config | {"attention": _attention(config)}


def build(cls: type[Network], config: Mapping[str, Any]) -> Network:
    """The network of a config; see `UNet.from_config`."""
    outline(cls, config)
    return cls(**config)


def outline(cls: type[Network], config: Mapping[str, Any]) -> Network:
    """The layers of a config, without memory; see `UNet.outline`."""
    if not isinstance(config, Mapping) or "in_channels" not in config:
        raise ValueError(f"a network's config is a mapping with 'in_channels', got {config!r:.60}")
    known = list(inspect.signature(cls).parameters)
    for key in config:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"a network has no parameter {key!r:.60}{hint} (it has: {', '.join(known)})")
    with torch.device("meta"), _Undrawn():  # the layers' shapes, without their memory
        network = cls(**config)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if parameters > MAX_PARAMETERS:
        raise ValueError(f"this config asks for {parameters:,} parameters, the most is {MAX_PARAMETERS:,}: lower its widths")
    return network


class _Undrawn(TorchFunctionMode):
    """Leaves normal_ out: on the meta device it would import torch's compiler, a second of every start, to draw nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _attention(config: Mapping[str, Any]) -> tuple[int, ...]:
    """The levels with attention; ValueError where a level is not there or its width does not fit the heads."""
    widths, per_head = config["widths"], config["head_channels"]
    levels = len(widths) if config["layout"] == "ddpm" else len(widths) - 1
    attention = checks.integers("attention", config["attention"], least=0, most=levels, low=0, high=max(levels - 1, 0))
    attended = {widths[i] for i in attention} | ({widths[-1]} if config["middle_attention"] else set())
    if per_head is not None:
        checks.integer("head_channels", per_head)
        for width in attended:
            if width % per_head:
                raise ValueError(f"head_channels must divide the width of every level with attention, got {per_head} and {width}")
    return attention
