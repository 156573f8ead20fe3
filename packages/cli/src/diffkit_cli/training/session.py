"""A training from its options to its end: new or resumed, dry or real."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from diffkit_trainer import (
    DataError,
    Images,
    Trainer,
    World,
    cache_folder,
    capabilities_of,
    freeze,
    keep_compiled,
    pick_device,
    process_group,
    with_defaults,
)
from diffkit_trainer.data import Size
from diffkit_unet import keep_memory
from msgspec.structs import replace

from diffkit_cli.errors import UsageError
from diffkit_cli.networks import Inputs, outline_of
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import command, console, noun, plural, warn
from diffkit_cli.terminal.signals import caught_signals, left_to_the_system
from diffkit_cli.training.build import build_trainer, config_of, network_config_of
from diffkit_cli.training.data import DATA_OPTIONS, open_data, require_apart
from diffkit_cli.training.dry_run import dry_run
from diffkit_cli.training.duration import steps_until
from diffkit_cli.training.held_out import with_held_out
from diffkit_cli.training.loop import training_loop
from diffkit_cli.training.memory_check import require_checkpoint_space, require_training_memory
from diffkit_cli.training.options import Given, TrainOptions
from diffkit_cli.training.start.classes import print_classes, with_classes, without_unused_classes
from diffkit_cli.training.start.distillation import Distillation, sampling_of_student
from diffkit_cli.training.start.fine_tune import Source, open_source
from diffkit_cli.training.start.folder import default_out, enter_new, refuse_run_as_data, require_new
from diffkit_cli.training.start.resolve import check_together, defaults_for, fine_tune_command, resolve
from diffkit_cli.training.start.resume import open_resumed
from diffkit_cli.training.step_teacher import teacher_of, write_teacher
from diffkit_cli.training.summary import print_summary

__all__ = ["run_training"]

EARLY = (*DATA_OPTIONS, "device")
"""The options that are needed before the images are read."""


def run_training(
    given: Given,
    out: Path | None,
    *,
    images: Images | None = None,
    resuming: bool,
    start_from: Path | None = None,
    distillation: Distillation | None = None,
    seconds: float | None = None,
    dry: bool = False,
    as_json: bool = False,
) -> int:
    """Train into a run folder and return the exit code: 0, or 128 + the number of the signal that stopped it, once saved.

    images: in place of the data of the options; the run then names no data. start_from: the run or exported network to
    fine-tune, or with `distillation` to distil. seconds: how long it takes, in place of a number of steps, see
    `steps_until`. dry: write nothing; see `dry_run`, also for as_json. Under torchrun every process calls this; the first one
    locks the folder and writes.
    """
    begun = time.monotonic()
    check_together(given)
    if seconds is not None:
        given = {"lr_schedule": "cosine", **given}  # so that it ends at 0 in time
    first = World.of_this_process().first
    console.quiet = not first
    source = open_source(start_from, "distilling" if distillation else "fine-tuning") if start_from else None
    distilled = None
    if distillation is not None and source is not None:
        given, distilled = distillation.options(given, source), distillation.of(source)
    data = given.get("data") or "digits"
    refuse_run_as_data(data, resuming=resuming)
    run = out or default_out(data)
    keep_memory()
    with suppress(RuntimeError):  # a user without a home
        keep_compiled(cache_folder() / "compiled")
    if first and not resuming:
        try:
            require_new(run)
            require_apart(run, data)
        except UsageError as error:
            if not dry:
                raise
            warn(str(error))
    with ExitStack() as held:
        resumed = open_resumed(run, given, held if first and not dry else None) if resuming else None
        stored = resumed.config if resumed else source.config if source else None
        early = {name: getattr(resumed.options, name) if resumed else given.get(name) for name in EARLY}
        early["size"] = early["size"] or (source and source.size_of(early["data"] or "digits"))
        device = pick_device(early["device"] or "auto")
        in_memory = images is not None
        images, size = (images, None) if images is not None else _open(early, run, resuming=resuming)
        images = without_unused_classes(images, given, stored)
        if resumed is not None and images.fingerprint != resumed.config.data.fingerprint:
            fits = images.shape[0] == resumed.config.shape[0]
            another = f"fine-tune it: {fine_tune_command(early['data'], run)}" if fits else "train a new run"
            raise UsageError(f"{early['data']}: not the images that {run} was trained on: give these, or {another}")
        options, unused = (resumed.options, "") if resumed else _new_options(given, source, images, size, device)
        print_classes(options, images, unused)
        if source is not None:
            source.warn_of_classes(images)
        network = network_config_of(options, images, stored)
        inputs, outline = Inputs.of(images, network.get("num_classes")), outline_of(network)
        if frozen := freeze(outline, options.freeze):
            console.print(f"frozen: {frozen:,} of {sum(each.numel() for each in outline.parameters()):,} parameters")
        require_training_memory(outline, options, inputs, World.of_this_process().size, device)
        if first and not dry and not resuming:
            enter_new(run, held)  # after the data was read: without data no folder is made
        if first and not dry:
            require_checkpoint_space(run, outline, options)
        with left_to_the_system() if World.of_this_process().size > 1 else nullcontext():  # while the others are awaited
            world, device = held.enter_context(process_group(device, options.process_timeout))
        stopped = None if dry else held.enter_context(caught_signals(silent=not first))
        distilled = resumed.config.distilled if resumed else distilled
        teacher = None if distilled is None else teacher_of(source.model if source else run, distilled, device, options.precision)
        build = partial(build_trainer, network, images, stored, source and source.weights, world, device, teacher=teacher)
        if seconds is not None:
            steps = steps_until(build(options), begun, seconds)
            options, _ = _new_options(given | {"steps": steps}, source, images, size, device)
        if resumed is None:
            chosen, what = given.get("precision") in (None, "auto"), noun(images.shape)
            print_summary(options, len(images), capabilities_of(device), chosen_precision=chosen, noun=what)
        trainer = build(options)
        if resumed is not None:
            resumed.restore(run, trainer)
            if trainer.step == options.steps and stopped is not None:
                falls = "" if options.decay_steps is None else " --set decay_steps=N"
                console.print(f"{run} is at step {trainer.step} of {options.steps} already: give more, --steps N{falls}")
                return 0
        if stopped is None:
            dry_run(options, trainer, as_json=as_json)
            return 0
        config = config_of(options, trainer, network, stored)
        if in_memory:
            config = replace(config, data=replace(config.data, source=""))
        if resumed is not None:
            config = replace(config, changes=resumed.changes)
        elif teacher is not None:
            found = teacher.distilled
            config = replace(
                config, distilled=found, sampling=sampling_of_student(found, config), clip_x0=None, fine_tuned_from=None
            )
            if first:
                write_teacher(run, teacher)
        elif source is not None:
            config = replace(config, fine_tuned_from=source.origin)
        return _run(run, options, trainer, config, stopped)


def _new_options(given: Given, source: Source | None, images: Images, size: Size | None, device: Any) -> tuple[TrainOptions, str]:
    """The options of a new run, all resolved, and why the classes of its data are not used. source: the network to fine-tune."""
    if source is not None:
        options, unused = source.resolve(given, images, size), f"the network of {source.name} takes none"
    else:
        given = {**defaults_for(images.shape, images.conditions), **given}
        options, unused = with_classes(resolve(given, min(images.shape[1:]), size), given, images)
    if source is None or options.held_out > 0:  # a network that learned from all of its images is fine-tuned so
        options = with_held_out(options, given, len(images))
    processes = World.of_this_process().size
    return with_defaults(options, capabilities_of(device), processes=processes, steps=options.steps), unused


def _open(early: Given, run: Path, *, resuming: bool) -> tuple[Images, Size | None]:
    data = early["data"] or "digits"
    if resuming and not early["data"]:
        raise UsageError(f"{run} does not name its training data: give DATA")
    try:
        return open_data(early)
    except DataError as error:
        if resuming and not Path(data).exists():
            error.add_note(f"if the data has moved: {command('train', 'NEW_PLACE', '--resume', '--out', run)}")
        raise


def _run(run: Path, options: TrainOptions, trainer: Trainer, config: RunConfig, stopped: Callable[[], int]) -> int:
    training_loop(run, options, trainer, config, stopped)
    signum = stopped()
    if signum or trainer.step < options.steps:
        signum = signum or signal.SIGTERM  # another process received it
        name = signal.Signals(signum).name
        again = command("train", "--resume", "--out", run)
        console.print(f"{name}: saved step {trainer.step} of {options.steps}. Resume with: {again}")
        return 128 + signum
    console.print(f"done: {plural(trainer.step, 'step')} in {run}. Sample with: {command('sample', run)}")
    return 0
