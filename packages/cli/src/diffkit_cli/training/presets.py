"""What each network is trained with, and how a config comes to be decided."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from diffkit_schedules import Schedule

from diffkit_cli.training.config import TrainConfig, schedule_named

__all__ = ["DECIDED", "RECIPES", "decided"]

PAPER: dict[str, Any] = {
    **{"schedule": "linear_betas", "loss": "mse", "batch_size": 128, "lr": 2e-4, "warmup": 5000, "clip": 1.0},
    **{"weight_decay": 0.0, "ema": 0.9999, "flip": True, "normalise": "range"},
}
"""Ho, Jain and Abbeel 2020, appendix B; the clipping is in their code. The network itself drops a tenth."""

RECIPES: dict[str, dict[str, Any]] = {
    # the Keras tutorial, "Denoising Diffusion Implicit Models": 50 epochs of 5 times some 8,000 images, in batches of 64
    "tutorial": {
        **{"schedule": "offset_cosine", "loss": "mae", "steps": 31250, "batch_size": 64, "lr": 1e-3},
        **{"weight_decay": 1e-4, "ema": 0.999},
    },
    "small": {"steps": 3000, "batch_size": 64, "lr": 1e-3},
    "tiny": {"steps": 3000, "batch_size": 64, "lr": 1e-3},
    "medium": {"steps": 30000, "batch_size": 64, "lr": 3e-4, "warmup": 500, "clip": 1.0},
    "ddpm-cifar10": PAPER | {"steps": 800_000},
    "ddpm-64": PAPER | {"steps": 500_000},
}
"""The keys that a preset of the network brings with it, each unless it was given."""

DECIDED = ("preset", "prediction", "steps", "batch_size", "lr", "decay_steps", "size")
"""The keys whose None means that they are still to be decided."""


def decided(options: Mapping[str, Any], *, preset: str | None = None) -> TrainConfig:
    """The config of the options that were given: the defaults, over them the recipe of the preset, over it the options.

    preset: of the network, unless the options name one; None: not known yet, and nothing but the options is decided. An option
    that is None takes the recipe's word back, or, of a key in `DECIDED`, counts as not given.

    >>> decided({"lr": 0.5}, preset="small").steps, decided({"lr": 0.5, "steps": None}, preset="small").lr
    (3000, 0.5)
    """
    options = {key: value for key, value in options.items() if value is not None or key not in DECIDED}
    preset = options.get("preset", preset)
    config = TrainConfig(**RECIPES.get(preset or "", {}) | dict(options) | {"preset": preset})
    if preset is None:
        return config
    # fixed at the start: a run that is told to go on for longer must not jump to another learning rate
    end = None if config.lr_schedule == "constant" else config.decay_steps or config.steps
    prediction = config.prediction or _prediction_for(schedule_named(config.schedule))
    return dataclasses.replace(config, prediction=prediction, decay_steps=config.decay_steps or end)


def _prediction_for(schedule: Schedule) -> str:
    """eps where it can be sampled from; where the schedule ends in pure noise, flow on a straight line and v elsewhere."""
    middle, end = schedule(0.5), schedule(1.0)
    if end.alpha > 0:
        return "eps"
    return "flow" if abs(middle.alpha + middle.sigma - 1) < 1e-9 else "v"
