"""Networks of the library diffusers as networks of this one, and back: configs and weights, without that library."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diffkit_unet.diffusers_config import config_from_diffusers, config_to_diffusers
from diffkit_unet.unet import UNet

__all__ = ["from_diffusers", "to_diffusers"]

PLACES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"image\.", "conv_in."),
    (r"level\.0\.", "time_embedding.linear_1."),
    (r"level\.2\.", "time_embedding.linear_2."),
    (r"classes\.", "class_embedding."),
    (r"(down|up)\.(\d+)\.blocks\.(\d+)\.attention\.", r"\1_blocks.\2.attentions.\3."),
    (r"(down|up)\.(\d+)\.blocks\.(\d+)\.", r"\1_blocks.\2.resnets.\3."),
    (r"down\.(\d+)\.down\.", r"down_blocks.\1.downsamplers.0.conv."),
    # Here the step up begins a level, there it ends the one below.
    (r"up\.(\d+)\.up\.conv\.", lambda match: f"up_blocks.{int(match[1]) - 1}.upsamplers.0.conv."),
    (r"middle\.(\d+)\.attention\.", r"mid_block.attentions.\1."),
    (r"middle\.(\d+)\.", r"mid_block.resnets.\1."),
    (r"out_norm\.", "conv_norm_out."),
    (r"out\.", "conv_out."),
]
"""What a key begins with, here and there; the first that fits."""

LAYERS = {
    "resnets": {"norm": "norm1", "skip": "conv_shortcut", "level": "time_emb_proj"},
    "attentions": {"norm": "group_norm", "qkv": "to_q to_k to_v", "out": "to_out.0"},
}
"""The layers of a residual block and of attention that have another name there, or are several, stacked here."""

OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""The names of attention's layers in weights saved before diffusers 0.15."""


def from_diffusers(config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> UNet:
    """The network that answers as diffusers' UNet2DModel of that config and those weights.

    `config`: what its config.json holds. It is told the index ("index", the timestep), and has no "no class". Raises ValueError
    for a config that cannot be mapped, naming the key, and for weights that do not fit, naming them.

    >>> from diffkit_unet import UNet, preset
    >>> unet = preset("ddpm-cifar10", widths=(32, 64), embedding=32)
    >>> from_diffusers(*to_diffusers(unet)).widths
    (32, 64)
    """
    unet = UNet.from_config(config_from_diffusers(config))
    found = {_renamed(key): value for key, value in state_dict.items()}
    weights = {}
    for key, parameter in unet.state_dict().items():
        names = _theirs(key)
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"the weights lack {missing[0]!r}, which this config has")
        value = torch.cat([found.pop(name) for name in names])
        if key == "level.0.weight":
            value = value[:, : parameter.shape[1]]  # an odd embedding ends there with a zero, here it ends before
        if value.shape != parameter.shape:
            raise ValueError(f"{names[0]!r} must be {tuple(parameter.shape)} for this config, got {tuple(value.shape)}")
        weights[key] = value
    if found:
        raise ValueError(f"the weights hold {len(found)} more than this config has, such as {min(found)!r}")
    unet.load_state_dict(weights)
    return unet


def to_diffusers(unet: UNet) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the weights with which diffusers' UNet2DModel answers as this network: (config.json, state dict).

    "No class" becomes the last class. The weights share the network's memory where they can. Raises ValueError where it has
    choices that cannot be mapped, naming the first.

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
        names = _theirs(key)
        weights.update(zip(names, value.chunk(len(names)), strict=True))
    return config, weights


def _theirs(key: str) -> list[str]:
    """What diffusers calls the parts of one of our weights."""
    pattern, place = next((pattern, place) for pattern, place in PLACES if re.match(pattern, key))
    name = re.sub(pattern, place, key, count=1)
    before, layer, kind = name.rpartition(".")[0].rpartition(".")[0], *name.split(".")[-2:]
    known: dict[str, str] = next((layers for group, layers in LAYERS.items() if f".{group}." in name), {})
    return [f"{before}.{each}.{kind}" if before else f"{each}.{kind}" for each in known.get(layer, layer).split()]


def _renamed(key: str) -> str:
    before, _, kind = key.rpartition(".")
    place, _, layer = before.rpartition(".")
    return f"{place}.{OLD[layer]}.{kind}" if ".attentions." in key and layer in OLD else key
