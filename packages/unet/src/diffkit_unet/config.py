"""A network's config: the range and the default of each parameter. Imports no torch."""

import math
from collections.abc import Mapping
from typing import Any

from diffkit_unet import validate

__all__ = ["CONDITIONS", "FREQUENCIES", "MAX_LOG_SNR", "MAX_PARAMETERS", "resolve"]

FREQUENCIES = {
    "variance": (1.0, 1000.0),
    "sigma": (1.0, 1000.0),
    "time": (1.0, 1000.0),
    "log_snr": (0.01, 10.0),
    "index": (1 / (2 * math.pi), 1e-4 / (2 * math.pi)),
}
"""The first and last frequency of the embedding, in cycles per unit, for each kind of condition.

On [0, 1] the slowest wave makes one cycle, as in the Keras tutorial. A log-SNR has a range of about 40 units, in which the
slowest wave makes less than half a cycle. The indices 0, 1, 2, ... have the frequencies of Vaswani et al. 2017: 1 to 1/10000
radians.
"""

CONDITIONS = tuple(FREQUENCIES)
"""The values of `condition`: noise variance, noise rate, time, log signal-to-noise ratio, index in a table."""

MAX_LOG_SNR = 20.0
"""The bound of a log-SNR that conditions the network: it is infinite for clean data and for pure noise.

Beyond it almost no time lies, 3e-5 of a cosine schedule at each end, so that more would be a level that training has not seen.
Source: the range of Salimans and Ho 2022.
"""

MAX_PATCH = 64
"""The largest side of a patch."""

MAX_PARAMETERS = 2_000_000_000
"""The largest network that a config may describe, in parameters."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "dims": (1, 2, 3),
    "condition": CONDITIONS,
    "layout": ("tutorial", "ddpm"),
    "norms": (1, 2),
    "norm": ("batch", "group", "layer"),
    "level": ("map", "add", "scale_shift"),
    "down": ("average", "strided", "strided_same"),
    "up": ("bilinear", "nearest"),
    "skips": ("concatenate", "add"),
}


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a `UNet`, validated, with defaults in place of None; ValueError names the first invalid one."""
    config = dict(given)
    for name, choices in CHOICES.items():
        validate.one_of(name, config[name], choices)
    for name in ("middle_attention", "cosine_first", "zero_init", "null_class"):
        validate.boolean(name, config[name])
    validate.integer("in_channels", config["in_channels"])
    config["widths"] = validate.integers("widths", config["widths"], min_length=1, max_length=12)
    validate.integer("block_depth", config["block_depth"], high=16)
    if validate.integer("embedding", config["embedding"], low=2) % 2:
        raise ValueError(f"embedding must be even (half sines, half cosines), got {config['embedding']}")
    config["frequencies"] = validate.positive_pair("frequencies", _or(config["frequencies"], FREQUENCIES[config["condition"]]))
    if config["num_classes"] is not None:
        validate.integer("num_classes", config["num_classes"])
    for name in ("vectors", "maps"):
        config[name] = validate.sizes(name, _or(config[name], {}))
    if both := sorted(config["vectors"].keys() & config["maps"].keys()):
        raise ValueError(f"a condition is a vector or a map, not both: {both[0]!r}")
    config["ends"] = validate.one_of("ends", _or(config["ends"], config["layout"]), CHOICES["layout"])
    config["out_channels"] = validate.integer("out_channels", _or(config["out_channels"], config["in_channels"]))
    validate.integer("groups", config["groups"])
    validate.integer("patch", config["patch"], high=MAX_PATCH)
    config["eps"] = validate.number("eps", _or(config["eps"], 1e-3 if config["norm"] == "batch" else 1e-5), 0, 1)
    config["dropout"] = validate.number("dropout", config["dropout"], 0, 1)
    return config | {"attention": _attention(config)}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _attention(config: Mapping[str, Any]) -> tuple[int, ...]:
    """The levels with attention; ValueError for a level that does not exist or a width that head_channels does not divide."""
    widths, head_channels = config["widths"], config["head_channels"]
    levels = len(widths) if config["layout"] == "ddpm" else len(widths) - 1
    attention = validate.integers(
        "attention", config["attention"], min_length=0, max_length=levels, low=0, high=max(levels - 1, 0)
    )
    attended = {widths[i] for i in attention} | ({widths[-1]} if config["middle_attention"] else set())
    if head_channels is not None:
        validate.integer("head_channels", head_channels)
        for width in attended:
            if width % head_channels:
                raise ValueError(
                    f"head_channels must divide the width of every level with attention, got {head_channels} and {width}"
                )
    return attention
