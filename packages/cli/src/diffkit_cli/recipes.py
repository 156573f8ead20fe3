"""Recipes: the options that a preset, a network by its name, is trained with unless they are given."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules.registry import Registry
from diffkit_unet import PRESETS as UNETS

from diffkit_cli.errors import UsageError

__all__ = ["PRESETS", "UNETS", "default_preset", "recipe_of", "register_network", "sampling_of"]

PRESETS = Registry("diffkit.networks", dict.fromkeys(UNETS, "diffkit_unet.presets:PRESETS"))
"""Every preset by name: the U-Nets of `diffkit_unet.PRESETS`, and those that other distributions register.

Theirs is build(in_channels, num_classes[, space=][, conditions=]), see `networks.network_config`, -> a module with the attribute
`condition`, called as module(x, c[, class_labels=][, NAME=]). build.training_options, where it has them, is its recipe.
"""

_UNET: dict[str, Any] = {"channels_last": True}  # about 5% less time on a CPU, see benchmarks

_PAPER: dict[str, Any] = _UNET | {
    **{"schedule": "linear_betas", "loss": "mse", "batch_size": 128, "lr": 2e-4, "warmup": 5000, "clip_grad_norm": 1.0},
    **{"weight_decay": 0.0, "ema": 0.9999, "flip": True, "normalise": "range"},
    **{"class_dropout": None, "held_out": 0.0},
}
"""Ho, Jain and Abbeel 2020, appendix B; the clipping is in their code. The network itself drops a tenth. It has no classes, and
learns from all images."""

_IMAGES: dict[str, Any] = _UNET | {
    **{"schedule": "cosine", "prediction": "v", "loss": "mse", "times": "stratified", "linear": True, "batch_size": 64},
    **{"optimiser": "muon", "lr": 3e-3, "lr_schedule": "cosine", "warmup": 200, "weight_decay": 1e-2},
    **{"clip_grad_norm": 1.0, "ema": 0.999},
}
"""The best of some fifty trainings on flowers, each with the images that a CPU trains on in the same minutes."""

_RECIPES: dict[str, dict[str, Any]] = {
    # the Keras tutorial, "Denoising Diffusion Implicit Models", which has no classes: 50 epochs of 5 times some 8,000 images, in
    # batches of 64
    "tutorial": _UNET
    | {
        **{"schedule": "offset_cosine", "loss": "mae", "steps": 31250, "batch_size": 64, "lr": 1e-3},
        **{"weight_decay": 1e-4, "ema": 0.999, "class_dropout": None, "held_out": 0.0},
    },
    "small": _UNET | {"steps": 3000, "batch_size": 64, "lr": 1e-3},
    "tiny": _UNET | {"steps": 3000, "batch_size": 64, "lr": 1e-3},
    "medium": _UNET | {"steps": 30000, "batch_size": 64, "lr": 3e-4, "warmup": 500, "clip_grad_norm": 1.0},
    "images-16": _IMAGES | {"steps": 1_200},
    "images-32": _IMAGES | {"steps": 5_000},
    "images-32-small": _IMAGES | {"steps": 5_000},
    "images-64": _IMAGES | {"steps": 8_000, "flip": True},
    "ddpm-cifar10": _PAPER | {"steps": 800_000},
    "ddpm-64": _PAPER | {"steps": 500_000},
}


_GUIDED: dict[str, Any] = {"sampler": "dpmpp_2m", "spacing": "karras_160", "guidance": 1.5}

_SAMPLING: dict[str, dict[str, Any]] = {
    "images-16": _GUIDED,
    "images-32": _GUIDED,
    "images-32-small": _GUIDED,
    "images-64": _GUIDED | {"start": "gaussian"},
}


PRESET_OF_SIDE = ((16, "images-16"), (36, "images-32"))
"""The default preset of images up to a side; larger ones have "images-64"."""


def default_preset(side: int) -> str:
    """The preset of images whose shorter side this is, unless another one is given.

    >>> default_preset(16), default_preset(28), default_preset(64)
    ('images-16', 'images-32', 'images-64')
    """
    return next((name for most, name in PRESET_OF_SIDE if side <= most), "images-64")


def register_network(network: str) -> str:
    """Register the network "module:function" in this process, and give it back; its module may be in the working directory.

    Raises UsageError for a text of another form. Nothing is imported before the network is built.
    """
    if not re.fullmatch(r"[\w.]+:[\w.]+", network):
        raise UsageError(f"--network must be MODULE:FUNCTION, got {network!r:.60}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    PRESETS.add(network)
    return network


def sampling_of(preset: str) -> dict[str, Any]:
    """The options of sampling of a preset's recipe, see `run_config.Sampling`; those that it does not have are the defaults."""
    return dict(_SAMPLING.get(preset, {}))


def recipe_of(preset: str) -> Mapping[str, Any]:
    """The options of a preset's recipe; those of a U-Net without an entry are the defaults.

    Raises ValueError for an unknown preset, with the nearest names.
    """
    ours = preset in UNETS
    found: Mapping[str, Any] = _RECIPES.get(preset, _UNET) if ours else getattr(PRESETS[preset], "training_options", {})
    return found
