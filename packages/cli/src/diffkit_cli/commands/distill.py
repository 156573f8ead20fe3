"""diffkit distill: train a network that samples in one, two or four steps."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import DryRun, DryRunJson, Network, Text, Work, one_of, settings_flag, train_flag
from diffkit_cli.sampling.parse import parse_flags as parse_sampling
from diffkit_cli.training.parse import parse_flags, parse_set, parse_time

__all__ = ["distill"]

STEPS = ("1", "2", "4")


def distill(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, RUN@STEP, or a file of diffkit export.")],
    data: Annotated[Text, typer.Argument(metavar="DATA", help="Its images. Default: those that it was trained on.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the new run.", metavar="NEW")],
    steps: Annotated[
        str, typer.Option(metavar="N", help=f"Sampling steps: {', '.join(STEPS)}.", autocompletion=one_of(STEPS))
    ] = "2",
    guidance: Annotated[
        Text, typer.Option(metavar="X", help="Scale of guidance that the new network has learned. Default: the run's, else 1.")
    ] = None,
    updates: Annotated[
        Text, typer.Option(metavar="N", help="Optimiser updates. Default: as many as take the time of the run's training.")
    ] = None,
    time: Annotated[
        Text, typer.Option(metavar="TIME", help="Train for about so long, such as 45m or 1h30m, in place of --updates.")
    ] = None,
    batch_size: Annotated[Text, train_flag("batch_size")] = None,
    lr: Annotated[Text, train_flag("lr")] = None,
    seed: Annotated[Text, train_flag("seed")] = None,
    device: Annotated[Text, train_flag("device")] = None,
    network: Network = None,
    settings: Annotated[list[str] | None, settings_flag("Any option of diffkit train, such as save_every=500.")] = None,
    dry_run: DryRun = False,
    json: DryRunJson = False,
) -> Work:
    """Train a copy of a run's network that samples in few steps.

    In each of its steps it learns to do what several steps of the run's network do. Resume it by diffkit train --resume.
    """
    del network  # its callback has registered it
    if json and not dry_run:
        raise UsageError("--json needs --dry-run")
    if steps not in STEPS:
        raise UsageError(f"--steps must be 1, 2 or 4, got {steps!r:.60}")
    if updates is not None and time is not None:
        raise UsageError("--time and --updates contradict each other: leave one of them out")
    scale = parse_sampling({"guidance": guidance}).get("guidance")
    flags = parse_flags({"data": data, "batch_size": batch_size, "lr": lr, "seed": seed, "device": device})
    options = flags | parse_set(settings or [])
    if updates is not None:
        options["steps"] = parse_flags({"steps": updates})["steps"]
    seconds = None if time is None else parse_time(time)
    from diffkit_cli.training.session import run_training
    from diffkit_cli.training.start.distillation import Distillation

    asked = Distillation(int(steps), scale)
    work = partial(run_training, options, out, resuming=False, start_from=run, distillation=asked, seconds=seconds)
    return partial(work, dry=dry_run, as_json=json)
