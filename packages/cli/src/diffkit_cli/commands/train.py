"""diffkit train: from a config to a run folder."""

import signal
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from diffkit_trainer import (
    DataError,
    RunError,
    Trainer,
    World,
    has_checkpoint,
    is_run_folder,
    locked,
    pick_device,
    process_group,
    read_config,
    require_writable,
    resume,
    truncate_log,
    write_config,
)
from diffkit_unet import keep_memory

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import command, console, plural, warn
from diffkit_cli.terminal.signals import caught_signals, left_to_the_system
from diffkit_cli.training.build import resolved, trainer_of
from diffkit_cli.training.config import TrainConfig
from diffkit_cli.training.data import open_data
from diffkit_cli.training.dry_run import dry_run
from diffkit_cli.training.loop import train_to_the_end
from diffkit_cli.training.presets import decided
from diffkit_cli.training.resume import resumed

__all__ = ["train"]

SMALL = 32


def train(
    options: dict[str, Any], out: Path | None, *, resuming: bool, skip_bad: bool, dry: bool = False, as_json: bool = False
) -> int:
    """Train into a run folder and return the exit code: 0, or 128 + the number of a signal that stopped it and was saved.

    dry: write nothing; see `dry_run`, as as_json. Under torchrun this runs in every process; the first one holds the folder and
    writes.
    """
    run = out or default_out(options.get("data") or TrainConfig.data)
    first = World.of_this_process().first
    console.quiet = not first
    keep_memory()
    stored = RunConfig.in_folder(run, read_config(run)) if resuming else None
    config = resumed(stored, options) if stored is not None else decided(options)
    if not resuming and first:
        _refuse_another(run)
    device = pick_device(config.device)
    with ExitStack() as held:
        if stored is not None and first and not dry:
            held.enter_context(locked(run))
        try:
            images, config = open_data(config, skip_bad=skip_bad)
        except DataError as error:
            if stored and not Path(config.data).exists():
                error.add_note(f"where the data moved: {command('train', 'NEW_PLACE', '--resume', '--out', run)}")
            raise
        if stored is None:
            config = decided(options | {"size": config.size}, preset="small" if min(images.shape[1:]) <= SMALL else "tutorial")
        elif images.fingerprint != stored.data.fingerprint:
            raise UsageError(
                f"{config.data} holds other images than {run} was trained on: it cannot be resumed with them, give another --out"
            )
        if first and not dry:
            if stored is None:
                held.enter_context(locked(run))  # no folder is made before it is known that there is something to train on
                _refuse_another(run)
            require_writable(run)
        with left_to_the_system() if World.of_this_process().size > 1 else nullcontext():  # while the others are awaited
            world, device = held.enter_context(process_group(device, config.process_timeout))
        stopped = None if dry else held.enter_context(caught_signals(silent=not first))
        trainer = trainer_of(config, images, stored, world, device)
        if stored is not None:
            _restore(run, trainer, int(config.steps or 0))
        if stopped is None:
            dry_run(config, trainer, as_json=as_json)
            return 0
        return _run(run, config, trainer, stopped)


def default_out(data: str) -> Path:
    """Where a run goes that was not told where: runs/, by the name of its data."""
    return Path("runs") / (Path(data).resolve().name if data != "digits" else data)


def _refuse_another(run: Path) -> None:
    if run.is_file():
        raise RunError(f"{run}: is a file, expected a folder or a new name: give another --out")
    if is_run_folder(run):
        raise UsageError(f"{run} already holds a run: go on with it by --resume, or give another --out")


def _restore(run: Path, trainer: Trainer, steps: int) -> None:
    if not has_checkpoint(run):
        warn(f"{run} has no checkpoint yet: starting at step 0")
        return
    for warning in resume(run, trainer):
        warn(f"{warning}; going on from step {trainer.step}")
    if trainer.step > steps:
        raise UsageError(f"--steps is the total: {run} is at step {trainer.step} already, got {steps}")


def _run(run: Path, config: TrainConfig, trainer: Trainer, stopped: Callable[[], int]) -> int:
    steps = int(config.steps or 0)
    document = resolved(config, trainer)
    if trainer.world.first:
        truncate_log(run, trainer.step)
        write_config(run, document.document())
    train_to_the_end(run, config, trainer, document, stopped)
    signum = stopped()
    if signum or trainer.step < steps:
        signum = signum or signal.SIGTERM  # it came to another process
        name = signal.Signals(signum).name
        again = command("train", "--resume", "--out", run, *["--skip-bad"] * bool(trainer.images.skipped))
        console.print(f"{name}: saved step {trainer.step} of {steps}. Go on with: {again}")
        return 128 + signum
    console.print(f"done: {plural(trainer.step, 'step')} in {run}. Sample with: {command('sample', run)}")
    return 0
