"""diffkit train: train a network on images into a run folder."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import DryRun, DryRunJson, Network, Text, Work, settings_flag, train_flag
from diffkit_cli.training.options import FLAGS, OPTIONS
from diffkit_cli.training.parse import parse_classes, parse_flags, parse_set, parse_time, read_toml

__all__ = ["train"]


def train(
    ctx: typer.Context,
    data: Annotated[Text, typer.Argument(metavar="DATA", help=OPTIONS["data"].help)] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: runs/ and the name of the data.", metavar="RUN")] = None,
    steps: Annotated[Text, train_flag("steps")] = None,
    time: Annotated[
        Text,
        typer.Option(
            metavar="TIME",
            help="Train for about so long, such as 45m or 1h30m, in place of --steps; the learning rate falls to 0.",
        ),
    ] = None,
    batch_size: Annotated[Text, train_flag("batch_size")] = None,
    size: Annotated[Text, train_flag("size")] = None,
    table: Annotated[Text, train_flag("table")] = None,
    columns: Annotated[Text, train_flag("columns")] = None,
    given: Annotated[Text, train_flag("given")] = None,
    preset: Annotated[Text, train_flag("preset")] = None,
    network: Network = None,
    schedule: Annotated[Text, train_flag("schedule")] = None,
    prediction: Annotated[Text, train_flag("prediction")] = None,
    lr: Annotated[Text, train_flag("lr")] = None,
    ema: Annotated[Text, train_flag("ema")] = None,
    seed: Annotated[Text, train_flag("seed")] = None,
    device: Annotated[Text, train_flag("device")] = None,
    classes: Annotated[
        bool | None,
        typer.Option("--classes/--no-classes", help="Condition the network on the classes. Default: if the data has several."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Fine-tune the network of this run, export or import on DATA, in a new run."),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help=OPTIONS["skip_bad"].help)] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Options from a file; flags override them.")] = None,
    settings: Annotated[list[str] | None, settings_flag("Any option, such as save_every=500; overrides flags and file.")] = None,
    dry_run: DryRun = False,
    json: DryRunJson = False,
) -> Work:
    """Train a network on DATA into a run folder."""
    if json and not dry_run:
        raise UsageError("--json needs --dry-run")
    flags = parse_flags({name: ctx.params[name] for name in ("data", *FLAGS) if name != "skip_bad"})
    flags |= {"skip_bad": True} if skip_bad else {}
    if network is not None:
        if preset not in (None, network):
            raise UsageError(f"--network {network} and --preset {preset} contradict each other: leave one of them out")
        flags["preset"] = network
    below, above = read_toml(config) if config else {}, parse_set(settings or [])
    options = below | parse_classes(classes, below, above) | flags | above
    seconds = None if time is None else parse_time(time)
    if seconds is not None:
        if (flags | above).get("steps") is not None:
            raise UsageError("--time and --steps contradict each other: leave one of them out")
        if resume:
            raise UsageError("--time is for a new run, a resumed one has its number of steps: give more --steps instead")
        options.pop("steps", None)
    if start_from is not None and resume:
        raise UsageError("--from starts a new run, --resume continues one: leave one of them out")
    if start_from is not None and options.get("data") is None:
        raise UsageError("--from needs DATA: the images to fine-tune the network on")
    from diffkit_cli.training.session import run_training

    run = partial(run_training, options, out, resuming=resume, start_from=start_from, seconds=seconds)
    return partial(run, dry=dry_run, as_json=json)
