"""The previews of a run: samples from the same noise each time, by the average, and by the raw network while the average lags.

They are of the classes in turn, where the network has some, and have the conditions of held-out samples, which are shown.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffkit_trainer import Logger, RunError, Trainer, as_pixels, grid, held_out, read_log, save_images, save_png, side_by_side

from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.class_labels import class_captions, class_labels, classes_in_turn
from diffkit_cli.sampling.condition_texts import joined_captions
from diffkit_cli.sampling.model import Conditioning, DiffusionModel
from diffkit_cli.sampling.options import resolve
from diffkit_cli.sampling.plan import times_of
from diffkit_cli.terminal.console import warn
from diffkit_cli.terminal.progress import counting_lines
from diffkit_cli.training.loss_curve import plot_losses

__all__ = ["preview"]

IMAGES, STEPS = 16, 20


def preview(run: Path, trainer: Trainer, config: RunConfig, loggers: Sequence[Logger]) -> None:
    """Sample samples/STEP.png and plot loss.png; an error is a warning, for no training must end by its preview.

    The first process writes it. With a sharded network every process must call this, since each holds a part.
    While the average's decay warms up, see `EMA.warm_until`, the raw network's samples are shown on the right.
    """
    step, path = trainer.step, run / "samples" / f"{trainer.step:08d}.png"
    metadata = {"command": "train", "step": step, "seed": trainer.options.seed}
    try:
        rows = _rows(trainer)
        average, captions = _samples(trainer.ema.model, trainer, config, rows)
        shown = {name: as_pixels(each[rows]) for name, each in _maps(trainer).items()}
        shown[f"moving average, step {step}"] = average
        if step < trainer.ema.warm_until:
            with _evaluating(trainer.model):
                shown[f"network as trained, step {step}"], _ = _samples(trainer.model, trainer, config, rows)
        if trainer.world.first and len(shown) > 1:
            save_png(side_by_side([grid(each, captions=captions) for each in shown.values()], list(shown)), path, metadata)
        elif trainer.world.first:
            save_images(average, path, captions=captions, metadata=[metadata])
        for logger in loggers:
            logger.images(average, step)
        if trainer.world.first and any(entry.get("loss") is not None for entry in read_log(run)):
            plot_losses([run], run / "loss.png")
    except (OSError, RunError, RuntimeError, ValueError) as error:  # ValueError: samples that are not finite
        warn(f"no preview at step {step}: {str(error).splitlines()[0]}")


def _rows(trainer: Trainer) -> Any:
    """The numbers of the samples of the data whose conditions are given: evenly spaced, held-out ones where there are any."""
    if not trainer.images.conditions:
        return slice(0, 0)
    apart = held_out(trainer.images, trainer.options.held_out).nonzero()[:, 0]
    among = apart if len(apart) else torch.arange(len(trainer.images))
    return among[torch.arange(IMAGES) * len(among) // IMAGES]


def _maps(trainer: Trainer) -> dict[str, Any]:
    """The conditions that are images, sequences or volumes, as the samples are."""
    return {name: each for name, each in trainer.images.conditions.items() if each.ndim == trainer.images.pixels.ndim}


def _samples(network: Any, trainer: Trainer, config: RunConfig, rows: Any) -> tuple[Any, list[str]]:
    """The pixels of the images, and their captions. rows: see `_rows`."""
    model = DiffusionModel(network, trainer.schedule, config)
    given = {"n": IMAGES, "seed": trainer.options.seed, "classes": classes_in_turn(config)}
    given |= {} if config.distilled else {"steps": STEPS}
    options = resolve(given, model.schedule, model.shape[1:], config.sampling)
    labels = class_labels(config, options.classes, IMAGES, options.guidance)
    seeds = range(options.seed, options.seed + IMAGES)
    conditioning, times = Conditioning(labels, _conditions(trainer, rows)), times_of(model.schedule, options)
    on_progress = counting_lines(f"preview at step {trainer.step}, sampling steps")
    for done, state in enumerate(model.states(seeds, options, times, given=conditioning), 1):
        on_progress(done, options.steps)
        last = state
    return as_pixels(model.values(last.x0)), joined_captions(class_captions(config, labels), _numbers(trainer, rows))


def _conditions(trainer: Trainer, rows: Any) -> dict[str, Any]:
    """The conditions of samples of the data, as the network gets them."""
    found = {}
    for name, each in trainer.images.conditions.items():
        found[name] = trainer.condition_normalisations[name].to_network(each[rows]).to(trainer.device)
    return found


def _numbers(trainer: Trainer, rows: Any) -> list[str]:
    """The conditions of samples of the data that are one number, as captions."""
    found = {name: each[rows].flatten() for name, each in trainer.images.conditions.items() if each[0].numel() == 1}
    return [", ".join(f"{name}={float(values[i]):.3g}" for name, values in found.items()) for i in range(IMAGES)] if found else []


@contextmanager
def _evaluating(network: Any) -> Iterator[None]:
    """The network in evaluation mode: without dropout, and batch norm's statistics stay as they are."""
    network.eval()
    try:
        yield
    finally:
        network.train()
