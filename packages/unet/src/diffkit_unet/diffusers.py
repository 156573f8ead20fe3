"""Conversion of configs and weights from diffusers' UNet2DModel and to it, without that library."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diffkit_unet.diffusers_config import config_from_diffusers, config_to_diffusers
from diffkit_unet.unet import UNet

__all__ = ["from_diffusers", "to_diffusers"]

PREFIXES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"image\.", "conv_in."),
    (r"level\.0\.", "time_embedding.linear_1."),
    (r"level\.2\.", "time_embedding.linear_2."),
    (r"classes\.", "class_embedding."),
    (r"(down|up)\.(\d+)\.blocks\.(\d+)\.attention\.", r"\1_blocks.\2.attentions.\3."),
    (r"(down|up)\.(\d+)\.blocks\.(\d+)\.", r"\1_blocks.\2.resnets.\3."),
    (r"down\.(\d+)\.down\.", r"down_blocks.\1.downsamplers.0.conv."),
    # Here upsampling begins a level, in diffusers it ends the level below.
    (r"up\.(\d+)\.up\.conv\.", lambda match: f"up_blocks.{int(match[1]) - 1}.upsamplers.0.conv."),
    (r"middle\.(\d+)\.attention\.", r"mid_block.attentions.\1."),
    (r"middle\.(\d+)\.", r"mid_block.resnets.\1."),
    (r"out_norm\.", "conv_norm_out."),
    (r"out\.", "conv_out."),
]
"""Prefixes of keys here and in diffusers; the first match counts."""

LAYERS = {
    "resnets": {"norm": "norm1", "skip": "conv_shortcut", "level": "time_emb_proj"},
    "attentions": {"norm": "group_norm", "qkv": "to_q to_k to_v", "out": "to_out.0"},
}
"""Layers of a residual block and of attention with another name in diffusers; several names are stacked in one layer here."""

OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names of the attention layers in weights from before diffusers 0.15."""


def from_diffusers(config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> UNet:
    """The network with the same outputs as diffusers' UNet2DModel of that config and those weights.

    `config`: the content of its config.json. The network is conditioned on the index (the timestep) and has no null class.
    Raises ValueError, which names the key, for a config that cannot be converted and for weights that do not match it.

    >>> from diffkit_unet import UNet, preset
    >>> unet = preset("ddpm-cifar10", widths=(32, 64), embedding=32)
    >>> from_diffusers(*to_diffusers(unet)).widths
    (32, 64)
    """
    unet = UNet.from_config(config_from_diffusers(config))
    found = {_current_name(key): value for key, value in state_dict.items()}
    weights = {}
    for key, parameter in unet.state_dict().items():
        names = _diffusers_names(key)
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"the weights have no {missing[0]!r}, which this config requires")
        value = torch.cat([found.pop(name) for name in names])
        if key == "level.0.weight":
            value = value[:, : parameter.shape[1]]  # with an odd width diffusers pads the embedding with a zero
        if value.shape != parameter.shape:
            raise ValueError(f"{names[0]!r} must be {tuple(parameter.shape)} for this config, got {tuple(value.shape)}")
        weights[key] = value
    if found:
        raise ValueError(f"the weights have {len(found)} tensors that this config does not use, such as {min(found)!r}")
    unet.load_state_dict(weights)
    return unet


def to_diffusers(unet: UNet) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config.json and the state dict with which diffusers' UNet2DModel has the same outputs as this network.

    The null class becomes the last class. The weights share the network's memory where possible. Raises ValueError, which names
    the parameter, for a network that UNet2DModel cannot represent.

    >>> from diffkit_unet import preset
    >>> config, weights = to_diffusers(preset("ddpm-cifar10", widths=(32, 64), embedding=32))
    >>> config["block_out_channels"], weights["conv_in.weight"].shape
    ([32, 64], torch.Size([32, 3, 3, 3]))
    """
    config = config_to_diffusers(unet.to_config())
    for name, module in unet.named_modules():
        if isinstance(module, nn.GroupNorm) and module.num_groups != unet.config["groups"]:
            raise ValueError(
                f"groups={unet.config['groups']} must divide the {module.num_channels} channels of {name!r} for diffusers"
            )
    weights: dict[str, Tensor] = {}
    for key, value in unet.state_dict().items():
        if key == "level.0.weight":
            value = nn.functional.pad(value, (0, unet.widths[0] - value.shape[1]))
        names = _diffusers_names(key)
        weights.update(zip(names, value.chunk(len(names)), strict=True))
    return config, weights


def _diffusers_names(key: str) -> list[str]:
    """The names in diffusers of the tensors that this weight consists of."""
    pattern, prefix = next((pattern, prefix) for pattern, prefix in PREFIXES if re.match(pattern, key))
    name = re.sub(pattern, prefix, key, count=1)
    parent, layer, kind = name.rpartition(".")[0].rpartition(".")[0], *name.split(".")[-2:]
    renamed: dict[str, str] = next((layers for group, layers in LAYERS.items() if f".{group}." in name), {})
    return [f"{parent}.{each}.{kind}" if parent else f"{each}.{kind}" for each in renamed.get(layer, layer).split()]


def _current_name(key: str) -> str:
    path, _, kind = key.rpartition(".")
    parent, _, layer = path.rpartition(".")
    return f"{parent}.{OLD_ATTENTION[layer]}.{kind}" if ".attentions." in key and layer in OLD_ATTENTION else key
