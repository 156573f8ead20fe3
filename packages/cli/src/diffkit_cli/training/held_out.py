"""The held-out part of a run's data: how large it is, its loss in the log, and what that loss says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import Trainer, read_log
from msgspec.structs import replace

from diffkit_cli.recipes import recipe_of
from diffkit_cli.terminal.console import console, warn
from diffkit_cli.training.options import Given, TrainOptions

__all__ = ["HELD_OUT_LOSSES", "held_out_losses", "with_held_out"]

FRACTION, MOST, MIN_IMAGES = 0.1, 2_000, 1_000
HELD_OUT_LOSSES = ("loss_held_out", "loss_trained")
"""Their keys in the log."""

RISE = 1.01
"""A held-out loss above its lowest by this factor has risen."""


def with_held_out(options: TrainOptions, given: Given, images: int) -> TrainOptions:
    """The options with the fraction that is held out where neither the options given nor the recipe say it: see `TrainOptions`.

    >>> [with_held_out(TrainOptions(), {}, images).held_out for images in (999, 1_000, 50_000)]
    [0.0, 0.1, 0.04]
    """
    if given.get("held_out") is not None or "held_out" in recipe_of(options.preset):
        return options
    return replace(options, held_out=min(FRACTION, MOST / images) if images >= MIN_IMAGES else 0.0)


def held_out_losses(run: Path, trainer: Trainer) -> dict[str, float]:
    """The losses of `Trainer.held_out_losses` for the log; warns once where that of held-out images rises and the other falls.

    Those of the first process, {} for the others.
    """
    if not (trainer.world.first or trainer.options.shard):
        return {}
    found = trainer.held_out_losses()
    if not trainer.world.first:
        return {}
    losses = f"{found['loss_held_out']:.4f}, of as many others {found['loss_trained']:.4f}"
    console.print(f"step {trainer.step}: loss of held-out images {losses}")
    before, entry = [each for each in read_log(run) if "loss_held_out" in each], {"step": trainer.step, **found}
    if (best := _risen([*before, entry])) is not None and _risen(before) is None:
        now, lowest = (f"{each['loss_held_out']:.4f} at step {each['step']}" for each in (entry, best))
        warn(
            f"the loss of held-out images is {now} and was {lowest}, while that of the others falls: the network begins to "
            "memorise; give more images, or fewer --steps"
        )
    return found


def _risen(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry of the lowest held-out loss, where at least two are after it and the last one shows memorising; else None."""
    if not entries:
        return None
    best, last = min(entries, key=lambda entry: entry["loss_held_out"]), entries[-1]
    risen = last["loss_held_out"] > RISE * best["loss_held_out"] and last["loss_trained"] < best["loss_trained"]
    return best if risen and entries.index(best) < len(entries) - 2 else None
