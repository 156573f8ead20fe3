"""--time: the number of steps that fit into a duration, from a few measured ones."""

import time

import torch
from diffkit_trainer import Trainer, estimate_cost

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import console
from diffkit_cli.terminal.progress import duration

__all__ = ["steps_until"]

MEASURED_FRACTION, MAX_MEASURED_SECONDS = 0.05, 10.0
"""Of the duration, and in seconds, what is spent on measuring at most; two steps are made in any case."""

STEPS_FRACTION = 0.96
"""Of the time that is left: the rest is for previews, checkpoints and their writing."""


def steps_until(trainer: Trainer, begun: float, seconds: float) -> int:
    """The number of steps that a training run makes until `seconds` after `begun`, a time of time.monotonic.

    trainer: at its first step; its state is lost. All processes must call it; the first one decides. Raises UsageError where no
    step is left.
    """
    with console.status("measuring a few steps"):
        found = estimate_cost(trainer, max_seconds=min(MAX_MEASURED_SECONDS, MEASURED_FRACTION * seconds))
    left = begun + seconds - time.monotonic()
    count = max(int(STEPS_FRACTION * left / found.seconds), 0)
    count = int(trainer.world.total(torch.tensor(count if trainer.world.first else 0)))
    if not count:
        needed = duration(seconds - left + 2 * found.seconds)
        raise UsageError(f"--time {seconds:g}s leaves no step after reading the data and measuring: give at least {needed}")
    return count
