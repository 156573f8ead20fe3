"""The previews of a run: samples from the same noise each time, by the average, and by the raw network while the average lags.

They are of the classes in turn, where the network has some.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffkit_trainer import Logger, RunError, Trainer, as_pixels, grid, read_log, save_images, save_png, side_by_side

from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.class_labels import class_captions, class_labels, classes_in_turn
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
        average, captions = _samples(trainer.ema.model, trainer, config)
        if step < trainer.ema.warm_until:
            with _evaluating(trainer.model):
                raw, _ = _samples(trainer.model, trainer, config)
            titles = f"moving average, step {step}", f"network as trained, step {step}"
            if trainer.world.first:
                save_png(side_by_side([grid(each, captions=captions) for each in (average, raw)], titles), path, metadata)
        elif trainer.world.first:
            save_images(average, path, captions=captions, metadata=[metadata])
        for logger in loggers:
            logger.images(average, step)
        if trainer.world.first and any(entry.get("loss") is not None for entry in read_log(run)):
            plot_losses([run], run / "loss.png")
    except (OSError, RunError, RuntimeError, ValueError) as error:  # ValueError: samples that are not finite
        warn(f"no preview at step {step}: {str(error).splitlines()[0]}")


def _samples(network: Any, trainer: Trainer, config: RunConfig) -> tuple[Any, list[str]]:
    """The pixels of the images, and their captions."""
    model = DiffusionModel(network, trainer.schedule, config)
    given = {"n": IMAGES, "seed": trainer.options.seed, "steps": STEPS, "classes": classes_in_turn(config)}
    options = resolve(given, model.schedule, model.shape[1:], config.sampling)
    labels = class_labels(config, options.classes, IMAGES, options.guidance)
    seeds = range(options.seed, options.seed + IMAGES)
    conditioning, times = Conditioning(labels, _conditions(trainer)), times_of(model.schedule, options)
    on_progress = counting_lines(f"preview at step {trainer.step}, sampling steps")
    for done, state in enumerate(model.states(seeds, options, times, given=conditioning), 1):
        on_progress(done, STEPS)
        last = state
    return as_pixels(model.values(last.x0)), class_captions(config, labels)


def _conditions(trainer: Trainer) -> dict[str, Any]:
    """The conditions of the first samples of the data, as the network gets them."""
    found, rows = {}, [i % len(trainer.images) for i in range(IMAGES)]
    for name, each in trainer.images.conditions.items():
        found[name] = trainer.condition_normalisations[name].to_network(each[rows]).to(trainer.device)
    return found


@contextmanager
def _evaluating(network: Any) -> Iterator[None]:
    """The network in evaluation mode: without dropout, and batch norm's statistics stay as they are."""
    network.eval()
    try:
        yield
    finally:
        network.train()
