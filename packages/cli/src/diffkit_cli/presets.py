"""Presets: a network and the options it is trained with, by one name. A new preset is an entry here."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from diffkit_schedules.registry import Registry
from diffkit_unet import PRESETS as UNETS

__all__ = ["PRESETS", "Preset", "preset_named"]

GROUP = "diffkit.networks"
"""The entry points of other distributions: build(in_channels, num_classes) -> a network, see `Preset`."""


class Preset(NamedTuple):
    """A network and its recipe.

    unet: the parameters of `diffkit_unet.UNet`; None where `build` makes the network: build(in_channels, num_classes) -> a
    module called as module(x, c[, class_labels=]) with the attribute `condition`. options: of `TrainOptions`, each of which
    counts unless it is given; build may have them as its attribute `training_options`.
    """

    options: Mapping[str, Any]
    unet: Mapping[str, Any] | None = None
    build: Callable[..., Any] | None = None


_OURS = {"channels_last": True}  # 5 to 14% less time on a CPU, see benchmarks

_PAPER: dict[str, Any] = {
    **{"schedule": "linear_betas", "loss": "mse", "batch_size": 128, "lr": 2e-4, "warmup": 5000, "clip_grad_norm": 1.0},
    **{"weight_decay": 0.0, "ema": 0.9999, "flip": True, "normalise": "range"},
}
"""Ho, Jain and Abbeel 2020, appendix B; the clipping is in their code. The network itself drops a tenth."""

_PRESETS: dict[str, Preset] = {
    # the Keras tutorial, "Denoising Diffusion Implicit Models": 50 epochs of 5 times some 8,000 images, in batches of 64
    "tutorial": Preset(
        {
            **{"schedule": "offset_cosine", "loss": "mae", "steps": 31250, "batch_size": 64, "lr": 1e-3},
            **{"weight_decay": 1e-4, "ema": 0.999},
        },
        UNETS["tutorial"],
    ),
    "small": Preset({"steps": 3000, "batch_size": 64, "lr": 1e-3}, UNETS["small"]),
    "tiny": Preset({"steps": 3000, "batch_size": 64, "lr": 1e-3}, UNETS["tiny"]),
    "medium": Preset({"steps": 30000, "batch_size": 64, "lr": 3e-4, "warmup": 500, "clip_grad_norm": 1.0}, UNETS["medium"]),
    "patches": Preset(
        {
            **{"schedule": "cosine", "prediction": "v", "loss": "mse", "times": "stratified", "linear": True, "flip": True},
            **{"steps": 15_000, "batch_size": 32, "lr": 2e-3, "lr_schedule": "cosine", "warmup": 200, "weight_decay": 1e-2},
            **{"clip_grad_norm": 1.0, "ema": 0.999},
        },
        UNETS["patches"],
    ),
    "ddpm-cifar10": Preset(_PAPER | {"steps": 800_000}, UNETS["ddpm-cifar10"]),
    "ddpm-64": Preset(_PAPER | {"steps": 500_000}, UNETS["ddpm-64"]),
}

PRESETS: Registry = Registry(GROUP, dict.fromkeys(_PRESETS, f"{__name__}:_PRESETS"))
"""Every preset by name, those of other distributions included."""


def preset_named(name: str) -> Preset:
    """The preset of that name; ValueError for an unknown one, with the nearest names."""
    if name in _PRESETS:
        ours = _PRESETS[name]
        return ours._replace(options=_OURS | dict(ours.options))
    build = PRESETS[name]
    return Preset(getattr(build, "training_options", {}), build=build)
