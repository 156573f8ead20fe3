"""The folder of a new run: its name, and what may be in it before the run begins."""

import re
from contextlib import ExitStack
from pathlib import Path

from diffkit_trainer import (
    RunError,
    has_checkpoint,
    is_run_folder,
    locked,
    read_config,
    read_log,
    remove_unused_run,
    require_writable,
)

from diffkit_cli.errors import UsageError
from diffkit_cli.paths import export_file
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import command, console
from diffkit_cli.training.start.resolve import fine_tune_command, resolve_resumed

__all__ = ["default_out", "enter_new", "refuse_run_as_data", "require_new"]

PREVIEW = re.compile(r"[0-9]{8}\.png")


def default_out(data: str) -> Path:
    """The default run folder: runs/ and the name of the data."""
    path = Path(data).resolve()
    return Path("runs") / (data if data == "digits" else path.stem if path.is_file() else path.name)


def refuse_run_as_data(data: str, *, resuming: bool) -> None:
    """Raises UsageError where the data is a run folder, or an exported network."""
    path = Path(data)
    if data == "digits" or not is_run_folder(path) or not ((path / "checkpoints").is_dir() or export_file(path)):
        return
    ways = f"resume it: {command('train', '--resume', '--out', path)}, or fine-tune it: {fine_tune_command('DATA', path)}"
    raise UsageError(f"{data} is a run, not data: {f'did you mean --out {path}?' if resuming else ways}")


def require_new(run: Path) -> int | None:
    """None for a folder without a run; for a run that failed before its first checkpoint, the step at which that was due.

    Another run may start in the place of a failed one. Raises RunError where a file has the folder's name, UsageError where the
    folder holds any other run.
    """
    if run.is_file():
        raise RunError(f"{run}: is a file, expected a folder or a new name: give another --out")
    if not is_run_folder(run):
        return None
    due = _first_save(run)
    if due is None:
        raise UsageError(f"{run} already holds a run: resume it with --resume, or give another --out")
    return due


def enter_new(run: Path, held: ExitStack) -> None:
    """Lock the folder of a new run until `held` ends; where the run never begins, no folder is left.

    Raises as `locked`, `require_new` and `require_writable` do.
    """
    made = not run.exists()
    held.enter_context(locked(run))
    if made:
        held.callback(remove_unused_run, run)
    failed = require_new(run)
    require_writable(run)
    if failed is not None:
        console.print(f"the run in {run} failed before its first checkpoint: starting anew")
        for path in (run / "samples").glob("*.png"):
            if PREVIEW.fullmatch(path.name) and int(path.stem) < failed:
                path.unlink()


def _first_save(run: Path) -> int | None:
    """The step at which a run without a checkpoint was to save the first one, where its log ends before it; else None."""
    if has_checkpoint(run) or export_file(run):
        return None
    try:
        options = resolve_resumed(RunConfig.in_folder(run, read_config(run)), {}, run)
        due = min(options.save_every, options.steps)
        return due if all(entry["step"] < due for entry in read_log(run)) else None
    except RunError:
        return None
