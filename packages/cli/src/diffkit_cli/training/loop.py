"""The steps of a run: when it logs, saves and samples a preview, and when it stops."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from diffkit_trainer import (
    DivergedError,
    Logger,
    RunError,
    Saver,
    Trainer,
    append_log,
    append_start,
    checkpoints,
    open_loggers,
    truncate_log,
    write_config,
)

from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import noun
from diffkit_cli.terminal.progress import training_progress
from diffkit_cli.training.held_out import HELD_OUT_LOSSES, held_out_losses
from diffkit_cli.training.options import TrainOptions
from diffkit_cli.training.preview import preview

__all__ = ["training_loop"]


def training_loop(run: Path, options: TrainOptions, trainer: Trainer, config: RunConfig, stopped: Callable[[], int]) -> None:
    """Train to options.steps, or until any process received a signal; what was trained is saved.

    Raises DivergedError, which names the step and the last good checkpoint.
    """
    try:
        with ExitStack() as held:
            saver = held.enter_context(Saver(run, keep=options.keep, keep_every=options.keep_every))
            names = options.log_to if trainer.world.first else ()
            loggers = held.enter_context(open_loggers(names, run, trainer.step))
            if trainer.world.first:  # after the loggers were opened: without them the run does not begin
                truncate_log(run, trainer.step, () if trainer.step % options.sample_every == 0 else HELD_OUT_LOSSES)
                write_config(run, config.document())
                changed = {each.option: [each.before, each.after] for each in config.changes if each.step == trainer.step}
                append_start(run, trainer.step, device=str(trainer.device), **({"changed": changed} if changed else {}))
            _loop(run, options, trainer, config, stopped, saver, loggers)
    except DivergedError as error:
        good = next((f"the last good checkpoint is {path}" for _, path in checkpoints(run)), "there is no checkpoint yet")
        raise DivergedError(f"{error}: {good}; try a lower --lr", error.step) from None


def _loop(
    run: Path,
    options: TrainOptions,
    trainer: Trainer,
    config: RunConfig,
    stopped: Callable[[], int],
    saver: Saver,
    loggers: Sequence[Logger],
) -> None:
    document, world, steps = config.document(), trainer.world, options.steps
    begun, first = time.monotonic(), trainer.step
    saved, saved_at = first or -1, begun
    with (
        training_progress(steps, first, len(trainer.images), options.batch_size, noun(trainer.images.shape)) as progress,
        _saved_on_error(trainer, saver, document),
    ):
        for step, _ in trainer.run(steps):
            progress.at(step)
            interval, previewed = step % options.log_every == 0, step % options.sample_every == 0
            scored = options.held_out > 0 and (previewed or step == steps)
            if interval or scored or step == steps:
                # off the interval the sums are kept: a run that is resumed from here logs as one that never stopped
                entry = {"step": step} | trainer.metrics(keep=not interval)
                entry |= {} if interval or (scored and previewed) else {"last": True}
                entry |= held_out_losses(run, trainer) if scored else {}
                seconds = time.monotonic() - begun
                rate = (step - first) * options.batch_size / seconds
                entry |= {"images_per_second": round(rate, 1), "seconds": round(seconds, 2)}
                if world.first:
                    append_log(run, entry)
                for logger in loggers:
                    logger.log(entry)
                progress.logged(step, entry["loss"])
            stop = world.any(bool(stopped()))
            if not stop and (step % options.save_every == 0 or step == steps or _due(options.save_minutes, saved_at, trainer)):
                saver.save(trainer, document)
                saved, saved_at = step, time.monotonic()
            sampling = world.first or options.shard  # every process holds a part of a sharded network
            if sampling and not stop and (previewed or step == steps):
                preview(run, trainer, config, loggers)
            if stop:
                break
    if saved != trainer.step:
        saver.save(trainer, document)


def _due(minutes: float | None, since: float, trainer: Trainer) -> bool:
    """Whether the minutes have passed by the first process's clock: all must save the same step."""
    return minutes is not None and trainer.world.any(trainer.world.first and time.monotonic() - since >= 60 * minutes)


@contextmanager
def _saved_on_error(trainer: Trainer, saver: Saver, document: dict[str, Any]) -> Iterator[None]:
    """Save before an error of the disk or the log ends the run: the updates since the last checkpoint are good."""
    try:
        yield
    except (OSError, RunError):
        with suppress(RunError, DivergedError):
            saver.save(trainer, document)
        raise
