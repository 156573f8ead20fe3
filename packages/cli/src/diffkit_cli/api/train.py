"""Train a run in Python, by the code path of `diffkit train`."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_trainer import Images

from diffkit_cli.api.run import Run, open_run
from diffkit_cli.errors import nearest
from diffkit_cli.recipes import register_network
from diffkit_cli.synonyms import hint
from diffkit_cli.training.options import OPTIONS, Given, check
from diffkit_cli.training.parse import parse_time
from diffkit_cli.training.session import run_training
from diffkit_cli.training.start.folder import default_out

__all__ = ["train"]


def train(
    data: str | Path | Images = "digits",
    out: str | Path | None = None,
    *,
    network: str | None = None,
    start_from: str | Path | None = None,
    resume: bool = False,
    time: str | None = None,
    **options: Any,
) -> Run:
    """Train a network into the run folder `out`, as `diffkit train` does, and open it.

    data: what the command takes as DATA, or an `Images` of your own, which need an `out`. out: by default runs/ and the name of
    the data. network: "module:function" of a network of your own. start_from: the run to fine-tune. resume: continue the run in
    `out`. time: such as "45m", in place of steps. options: those of `diffkit train --help` and of its `--set`, by name;
    class_dropout=None leaves the classes out. Ctrl-C saves the run and raises KeyboardInterrupt.

    Raises TypeError for an unknown option, ValueError for a value out of its range, DataError for data that cannot be read,
    RunError for a run or a disk, DivergedError where the loss is not finite, each in one line.

    >>> import tempfile
    >>> run = train("digits", tempfile.mkdtemp() + "/run", steps=2, batch_size=8, device="cpu", held_out=0.0)
    >>> run.step, run.sample(1, steps=2).pixels.shape
    (2, torch.Size([1, 1, 8, 8]))
    """
    given = _parse(options | ({"preset": register_network(network)} if network else {}))
    images = data if isinstance(data, Images) else None
    if images is None:
        given["data"] = check("data", str(data), where="train()")
    if out is None and (images is not None or resume):
        raise ValueError("train() needs out, the run folder")
    if time is not None and ("steps" in options or resume):
        raise ValueError("train(): time is for a new run, in place of steps: leave one of them out")
    if start_from is not None and resume:
        raise ValueError("train(): start_from starts a new run, resume continues one: leave one of them out")
    folder = None if out is None else Path(out)
    source, seconds = None if start_from is None else Path(start_from), None if time is None else parse_time(time)
    ended = run_training(given, folder, images=images, resuming=resume, start_from=source, seconds=seconds)
    if ended == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if ended:
        raise SystemExit(ended)
    return open_run(folder or default_out(str(data)), device=given.get("device") or "auto", network=network)


def _parse(options: Mapping[str, Any]) -> Given:
    """The options in their types and ranges. Raises TypeError for an unknown name, UsageError as `check` does."""
    for name in options:
        if name not in OPTIONS:
            way_out = hint(name, {each: each for each in OPTIONS}) or nearest(name, OPTIONS, "options")
            raise TypeError(f"train() has no option {name!r}: {way_out}")
    return {name: check(name, _as_typed(name, value), where="train()") for name, value in options.items()}


def _as_typed(name: str, value: Any) -> Any:
    """A value as an option takes it: paths as text, a scalar of NumPy or torch as a number, texts with commas as several."""
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        return value.item()
    if isinstance(value, str) and isinstance(OPTIONS[name].default, tuple):
        return value.split(",")
    return str(value) if isinstance(value, Path) else value
