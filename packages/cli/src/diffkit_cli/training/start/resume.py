"""A run that is resumed: its options and checkpoint, and what may have changed since."""

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from diffkit_trainer import (
    Checkpoint,
    RunError,
    Trainer,
    has_checkpoint,
    latest_checkpoint,
    locked,
    read_config,
    require_writable,
    resume,
)
from diffkit_trainer.options import shown

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.paths import export_file
from diffkit_cli.run_config import Change, RunConfig
from diffkit_cli.terminal.console import command, console, warn
from diffkit_cli.training.options import CHANGEABLE, FLAGS, OPTIONS, RESUMABLE, Given, TrainOptions
from diffkit_cli.training.start.resolve import fine_tune_command, resolve_resumed, stored_options

__all__ = ["Resumed", "open_resumed"]


class Resumed(NamedTuple):
    """A run to be resumed.

    config: of its config.json. options: the run's, and over them those that were given. checkpoint: the newest valid one; None
    where the run has none yet. changes: of options that change the result, before and now.
    """

    config: RunConfig
    options: TrainOptions
    checkpoint: Checkpoint | None
    changes: list[Change]

    def restore(self, run: Path, trainer: Trainer) -> None:
        """Restore the checkpoint into the trainer; prints what has changed. Raises UsageError where it has more steps already."""
        if self.checkpoint is None:
            warn(f"{run} has no checkpoint yet: starting at step 0")
            return
        for warning in resume(run, trainer, may_change=CHANGEABLE, checkpoint=self.checkpoint):
            warn(f"{warning}; resuming from step {trainer.step}")
        if trainer.step > self.options.steps:
            raise UsageError(f"--steps is the total: {run} is at step {trainer.step} already, got {self.options.steps}")
        for change in self.changes:
            if change.step == trainer.step:
                console.print(f"{change.option} is {shown(change.after)} from step {change.step} on, was {shown(change.before)}")


def open_resumed(run: Path, given: Given, held: ExitStack | None) -> Resumed:
    """The run of a folder, with the options that were given.

    held: locks the folder until it ends; None to write nothing. Raises UsageError for an option that must not change, given or
    edited in config.json; RunError for a folder without a run, or with damaged checkpoints only; LockedError as `locked`.
    """
    config = RunConfig.in_folder(run, read_config(run))
    if config.training is None or export_file(run):
        raise RunError(f"{run} has no state of a training: it cannot be resumed; fine-tune it: {fine_tune_command('DATA', run)}")
    options = resolve_resumed(config, given, run)
    if held is not None:
        held.enter_context(locked(run))
        require_writable(run)
    if not has_checkpoint(run):
        if (again := _start_again(config, run)) is not None:
            raise RunError(f"{run} has no checkpoint: start it again: {again}")
        return Resumed(config, options, None, [])
    checkpoint = latest_checkpoint(run)
    saved = RunConfig.in_folder(checkpoint.folder, read_config(checkpoint.folder))
    before = stored_options(saved)
    _refuse_edits(run, config, saved, checkpoint.step, given)
    both = [(name, getattr(before, name), getattr(options, name)) for name in CHANGEABLE]
    changes = [Change(checkpoint.step, name, was, now) for name, was, now in both if was != now]
    return Resumed(config, options, checkpoint, [*saved.changes, *changes])


def _start_again(config: RunConfig, run: Path) -> str | None:
    """The command of a run that began with the weights of another one; None for any other run."""
    if (distilled := config.distilled) is not None:
        words = ["--steps", distilled.steps, "--guidance", f"{distilled.guidance:g}", "--out", run]
        return command("distill", distilled.run, config.data.source, *words)
    origin = config.fine_tuned_from
    return None if origin is None else command("train", config.data.source, "--from", origin.run, "--out", run)


def _refuse_edits(run: Path, config: RunConfig, saved: RunConfig, step: int, given: Given) -> None:
    """Raises UsageError for an option in config.json that was edited: one that is not that of the checkpoint.

    A change that a resumed run has recorded since is none.
    """
    now, before = stored_options(config), stored_options(saved)
    recorded = {(change.option, change.after) for change in config.changes if change not in saved.changes}
    for name in sorted(set(OPTIONS) - set(RESUMABLE)):
        edited, was = getattr(now, name), getattr(before, name)
        if edited == was or name not in (saved.training or {}) or (name in CHANGEABLE and name in given):
            continue
        if (name, edited) not in recorded:
            change = f"{flag(name)} {edited}" if name in FLAGS else f"--set {name}={edited}"
            way_out = f", or change it from there on: {change}" if name in CHANGEABLE else ""
            found = f"{name} is {shown(edited)}, but {shown(was)} in the checkpoint of step {step}"
            raise UsageError(f"{run / 'config.json'}: {found}: set it back{way_out}")
