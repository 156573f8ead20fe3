"""Conversion of the config of diffusers' UNet2DModel to a `UNet` config, and back."""

import math
from collections.abc import Mapping
from typing import Any

from diffkit_unet import validate

__all__ = ["config_from_diffusers", "config_to_diffusers"]

DOWN, DOWN_ATTENTION = "DownBlock2D", "AttnDownBlock2D"
UP, UP_ATTENTION = "UpBlock2D", "AttnUpBlock2D"

DEFAULTS: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "down_block_types": (DOWN, *[DOWN_ATTENTION] * 3),
    "up_block_types": (*[UP_ATTENTION] * 3, UP),
    "block_out_channels": (224, 448, 672, 896),
    "layers_per_block": 2,
    "downsample_padding": 1,
    "dropout": 0.0,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "norm_eps": 1e-5,
    "resnet_time_scale_shift": "default",
    "add_attention": True,
    "num_class_embeds": None,
}
"""UNet2DModel's defaults of the keys that are converted."""

CONVERTIBLE: dict[str, tuple[Any, ...]] = {
    "_class_name": ("UNet2DModel",),
    "center_input_sample": (False,),
    "time_embedding_type": ("positional",),
    "mid_block_type": ("UNetMidBlock2D",),
    "mid_block_scale_factor": (1,),
    "downsample_type": ("conv",),
    "upsample_type": ("conv",),
    "act_fn": ("silu", "swish"),
    "class_embed_type": (None,),
}
"""The values that can be converted of the other keys. Keys that follow from these are in `config_from_diffusers`."""

TIME_SCALE_SHIFTS = {"default": "add", "scale_shift": "scale_shift"}
PADDINGS = {1: "strided", 0: "strided_same"}


def config_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a `UNet` from UNet2DModel's; ValueError names a key that cannot be converted, and the values that can.

    >>> config_from_diffusers({"block_out_channels": [32, 64, 64, 64], "norm_eps": 1e-6})["attention"]
    [1, 2, 3]
    """
    given = {key: value for key, value in config.items() if key in CONVERTIBLE or not key.startswith("_")}
    full = DEFAULTS | given
    widths = validate.integers("block_out_channels", full["block_out_channels"], min_length=1, max_length=12)
    ignored = {"sample_size", "num_train_timesteps"}  # neither changes a layer
    derived = {"time_embedding_dim": (None, 4 * widths[0]), "attn_norm_num_groups": (None, full["norm_num_groups"])}
    for key, value in given.items():
        if key not in DEFAULTS and key not in ignored:
            _one_of(key, value, (CONVERTIBLE | derived).get(key, ()))
    level = TIME_SCALE_SHIFTS[_one_of("resnet_time_scale_shift", full["resnet_time_scale_shift"], tuple(TIME_SCALE_SHIFTS))]
    if level == "scale_shift" and full["add_attention"]:  # without this key its middle attention has no norm
        _one_of("attn_norm_num_groups", full.get("attn_norm_num_groups"), (full["norm_num_groups"],))
    attention = _attention("down_block_types", full["down_block_types"], (DOWN, DOWN_ATTENTION))
    back = [len(widths) - 1 - i for i in _attention("up_block_types", full["up_block_types"], (UP, UP_ATTENTION))]
    if attention != back[::-1] or not len(widths) == len(full["down_block_types"]) == len(full["up_block_types"]):
        raise ValueError(f"up_block_types must mirror down_block_types, one per level, got {full['up_block_types']!r:.200}")
    return {
        "in_channels": full["in_channels"],
        "out_channels": full["out_channels"],
        "widths": list(widths),
        "block_depth": full["layers_per_block"],
        "embedding": widths[0] // 2 * 2,
        "frequencies": list(_frequencies(widths[0], full["freq_shift"])),
        "condition": "index",
        "num_classes": full["num_class_embeds"],
        "layout": "ddpm",
        "norms": 2,
        "norm": "group",
        "groups": full["norm_num_groups"],
        "eps": full["norm_eps"],
        "level": level,
        "dropout": full["dropout"],
        "attention": attention,
        "middle_attention": full["add_attention"],
        "head_channels": full["attention_head_dim"],
        "down": PADDINGS[_one_of("downsample_padding", full["downsample_padding"], tuple(PADDINGS))],
        "up": "nearest",
        "cosine_first": full["flip_sin_to_cos"],
        "null_class": False,
    }


def config_to_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """UNet2DModel's config from that of a `UNet`; ValueError names a parameter that cannot be converted, and the values that can.

    >>> from diffkit_unet import preset
    >>> config_to_diffusers(preset("ddpm-cifar10").to_config())["down_block_types"]
    ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D']
    """
    widths, classes = config["widths"], config["num_classes"]
    fixed = {"condition": ("index",), "layout": ("ddpm",), "norms": (2,), "norm": ("group",), "up": ("nearest",)}
    fixed |= {"patch": (1,), "skips": ("concatenate",), "ends": ("ddpm",), "dims": (2,), "vectors": ({},), "maps": ({},)}
    derived = {"level": tuple(TIME_SCALE_SHIFTS.values()), "down": tuple(PADDINGS.values()), "embedding": (widths[0] // 2 * 2,)}
    for key, allowed in (fixed | derived).items():
        _one_of(key, config[key], allowed)
    shifts = [shift for shift in (0, 1) if _close(config["frequencies"], _frequencies(widths[0], shift))]
    if not shifts:
        raise ValueError(f"frequencies must be {_frequencies(widths[0], 0)} or {_frequencies(widths[0], 1)} for diffusers")
    attends = [i in config["attention"] for i in range(len(widths))]
    return {
        "_class_name": "UNet2DModel",
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "freq_shift": shifts[0],
        "flip_sin_to_cos": config["cosine_first"],
        "down_block_types": [DOWN_ATTENTION if attend else DOWN for attend in attends],
        "up_block_types": [UP_ATTENTION if attend else UP for attend in reversed(attends)],
        "block_out_channels": list(widths),
        "layers_per_block": config["block_depth"],
        "downsample_padding": {ours: theirs for theirs, ours in PADDINGS.items()}[config["down"]],
        "dropout": config["dropout"],
        "attention_head_dim": config["head_channels"],
        "norm_num_groups": config["groups"],
        "attn_norm_num_groups": config["groups"],
        "norm_eps": config["eps"],
        "resnet_time_scale_shift": {ours: theirs for theirs, ours in TIME_SCALE_SHIFTS.items()}[config["level"]],
        "add_attention": config["middle_attention"],
        "num_class_embeds": None if classes is None else classes + config["null_class"],
    }


def _frequencies(width: int, shift: float) -> tuple[float, float]:
    """exp(-ln(10000) i / (n - shift)) radians for i = 0 ... n - 1, n = width // 2: the first and the last, in cycles."""
    n = width // 2
    if n <= shift:
        raise ValueError(f"block_out_channels[0] must be at least {2 * (shift + 1):g} where freq_shift is {shift}, got {width}")
    return 1 / (2 * math.pi), 10000 ** (-(n - 1) / (n - shift)) / (2 * math.pi)


def _attention(key: str, types: Any, choices: tuple[str, str]) -> list[int]:
    if not isinstance(types, list | tuple):
        raise ValueError(f"{key} must be a list of block types, got {types!r:.60}")
    return [i for i, each in enumerate(types) if _one_of(key, each, choices) == choices[1]]


def _one_of(key: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        expected = f"must be {' or '.join(map(repr, allowed))} for this conversion" if allowed else "cannot be converted"
        raise ValueError(f"{key} {expected}, got {value!r:.60}")
    return value


def _close(pair: Any, other: tuple[float, float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(pair, other, strict=True))
