"""The steps of a run: when it logs, saves and draws a preview, and when it stops."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from diffkit_trainer import DivergedError, RunError, Saver, TensorBoardLogger, Trainer, append_log, checkpoints

from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.progress import training_progress
from diffkit_cli.training.config import TrainConfig
from diffkit_cli.training.preview import preview

__all__ = ["train_to_the_end"]


def train_to_the_end(run: Path, config: TrainConfig, trainer: Trainer, resolved: RunConfig, stopped: Callable[[], int]) -> None:
    """Train until config.steps, or until a signal came to any process; what was trained is saved.

    Raises DivergedError, which names the step and the last good checkpoint.
    """
    try:
        with ExitStack() as held:
            saver = held.enter_context(Saver(run, keep=config.keep, keep_every=config.keep_every))
            board = (
                held.enter_context(closing(TensorBoardLogger(run, trainer.step)))
                if config.tensorboard and trainer.world.first
                else None
            )
            _loop(run, config, trainer, resolved, stopped, saver, board)
    except DivergedError as error:
        good = next((f"the last good checkpoint is {path}" for _, path in checkpoints(run)), "there is no checkpoint yet")
        raise DivergedError(f"{error}: {good}; try a lower --lr", error.step) from None


def _loop(
    run: Path,
    config: TrainConfig,
    trainer: Trainer,
    resolved: RunConfig,
    stopped: Callable[[], int],
    saver: Saver,
    board: TensorBoardLogger | None,
) -> None:
    document = resolved.document()
    world, steps, begun, first = trainer.world, int(config.steps or 0), time.monotonic(), trainer.step
    epoch = len(trainer.images) / trainer.batch_size
    saved, saved_at = first or -1, begun
    with training_progress(steps, first, epoch) as progress, _saving_what_is_there(trainer, saver, document):
        for step, _ in trainer.run(steps):
            progress.at(step)
            whole = step % config.log_every == 0
            if whole or step == steps:
                # off the interval the window goes on: a run that is resumed from here logs as one that never stopped
                entry = {"step": step} | trainer.metrics(keep=not whole) | ({} if whole else {"last": True})
                seconds = time.monotonic() - begun
                rate = (step - first) * trainer.batch_size / seconds
                entry |= {"images_per_second": round(rate, 1), "seconds": round(seconds, 2)}
                if world.first:
                    append_log(run, entry)
                if board:
                    board.log(entry)
                progress.logged(step, entry["loss"], rate)
            stop = world.any(bool(stopped()))
            if not stop and (step % config.save_every == 0 or step == steps or _due(config.save_minutes, saved_at, trainer)):
                saver.save(trainer, document)
                saved, saved_at = step, time.monotonic()
            drawing = world.first or config.shard  # of a sharded network every process holds a part
            if drawing and not stop and (step % config.sample_every == 0 or step == steps):
                preview(run, trainer, resolved, board)
            if stop:
                break
    if saved != trainer.step:
        saver.save(trainer, document)


def _due(minutes: float | None, since: float, trainer: Trainer) -> bool:
    """Whether the first process's clock says so: all must save the same step."""
    return minutes is not None and trainer.world.any(trainer.world.first and time.monotonic() - since >= 60 * minutes)


@contextmanager
def _saving_what_is_there(trainer: Trainer, saver: Saver, document: dict[str, Any]) -> Iterator[None]:
    """Save before an error of the disk or the log ends the run: the updates since the last save are not its fault."""
    try:
        yield
    except (OSError, RunError):
        with suppress(RunError, DivergedError):
            saver.save(trainer, document)
        raise
