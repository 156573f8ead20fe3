"""diffkit train: from a config to a run folder."""

import dataclasses
import shlex
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from diffkit_schedules import to_config
from diffkit_trainer import (
    Images,
    RunError,
    Trainer,
    World,
    has_checkpoint,
    holds_run,
    locked,
    open_images,
    pack,
    pick_device,
    processes,
    read_config,
    require_writable,
    resume,
    seed_weights,
    truncate_log,
    write_config,
)
from diffkit_trainer.idx import find_idx
from diffkit_unet import UNet, keep_memory, preset

from diffkit_cli.config import TrainConfig, UsageError, default_out, schedule_named
from diffkit_cli.console import console, warn, warnings_as_lines
from diffkit_cli.loop import train_to_the_end
from diffkit_cli.signals import caught_signals

__all__ = ["train"]

MAY_CHANGE = (
    *(
        "data",
        "steps",
        "device",
        "log_every",
        "sample_every",
        "save_every",
        "save_minutes",
        "keep",
        "keep_every",
        "process_timeout",
    ),
    *("pack", "tensorboard"),
    *("accumulate", "compile", "channels_last", "shard"),  # these may round differently, and the trainer says so
)


def train(options: dict[str, Any], out: Path | None, *, resuming: bool, skip_bad: bool) -> int:
    """Train into a run folder and return the exit code: 0, or 130 or 143 for a run that a signal stopped and that was saved.

    Under torchrun this runs in every process; the first one holds the folder and writes.
    """
    run = out or default_out(options.get("data", TrainConfig.data))
    first = World.of_this_process().first
    console.quiet = not first
    keep_memory()
    if not resuming and first:
        _refuse_another(run)
    stored = read_config(run) if resuming else None
    config = _resumed(stored, options) if stored else TrainConfig(**options)
    device = pick_device(config.device)
    with ExitStack() as held:
        held.enter_context(warnings_as_lines())
        if stored and first:
            held.enter_context(locked(run))
        images = _open(config, skip_bad)
        if stored is None:
            config = _decided(config, images)
        elif images.fingerprint != stored["data"]["fingerprint"]:
            raise UsageError(f"{config.data} holds other images than {run} was trained on: it cannot be resumed with them")
        if stored is None and first:
            held.enter_context(locked(run))  # no folder is made before it is known that there is something to train on
            _refuse_another(run)
        if first:
            require_writable(run)
        stopped = held.enter_context(caught_signals())
        world, device = held.enter_context(processes(device, config.process_timeout))
        return _run(run, config, _trainer(config, images, stored, world, device), stored, stopped)


def _refuse_another(run: Path) -> None:
    if holds_run(run):
        raise UsageError(f"{run} already holds a run: go on with it by --resume, or give another --out")


def _run(run: Path, config: TrainConfig, trainer: Trainer, stored: dict[str, Any] | None, stopped: Callable[[], int]) -> int:
    document = _document(config, trainer)
    if stored is not None and has_checkpoint(run):
        for warning in resume(run, trainer):
            warn(f"{warning}; going on from step {trainer.step}")
    elif stored is not None:
        warn(f"{run} has no checkpoint yet: starting at step 0")
    if trainer.step > int(config.steps or 0):
        raise UsageError(f"--steps is the total: {run} is at step {trainer.step} already, got {config.steps}")
    if trainer.world.first:
        truncate_log(run, trainer.step)
        write_config(run, document)
    train_to_the_end(run, config, trainer, document, stopped)
    signum = stopped()
    if signum or trainer.step < int(config.steps or 0):
        signum = signum or signal.SIGTERM  # it came to another process
        name = signal.Signals(signum).name
        command = shlex.join(["diffkit", "train", "--resume", "--out", str(run), *["--skip-bad"] * bool(trainer.images.skipped)])
        console.print(f"{name}: saved step {trainer.step} of {config.steps}. Go on with: {command}")
        return 128 + signum
    console.print(f"done: {trainer.step} steps in {run}. Sample with: diffkit sample {run}")
    return 0


def _trainer(config: TrainConfig, images: Images, stored: dict[str, Any] | None, world: World, device: Any) -> Trainer:
    seed_weights(config.seed)
    classes = len(images.classes) if config.class_dropout is not None else None
    network = (
        UNet.from_config(stored["network"])
        if stored
        else preset(str(config.preset), in_channels=images.shape[0], num_classes=classes or None)
    )
    return Trainer(
        network,
        images,
        schedule_named(config.schedule),
        prediction=str(config.prediction),
        kind=config.loss,
        weighting=config.weighting,
        gamma=config.gamma,
        times=config.times,
        batch_size=int(config.batch_size or 1),
        accumulate=config.accumulate,
        ema=config.ema,
        flip=config.flip,
        class_dropout=config.class_dropout,
        precision=config.precision,
        compiled=config.compile,
        channels_last=config.channels_last,
        shard=config.shard,
        seed=config.seed,
        device=device,
        world=world,
        lr=float(config.lr or 0),
        weight_decay=config.weight_decay,
        lr_schedule=config.lr_schedule,
        warmup=config.warmup,
        decay_steps=config.decay_steps,
        clip=config.clip,
    )


def _open(config: TrainConfig, skip_bad: bool) -> Images:
    size, idx = config.size, _is_idx(config.data)
    if size is None and config.data != "digits" and not idx:
        size = 64
    with console.status(f"reading {config.data}"):
        packed = size is not None and config.pack and Path(config.data).is_dir() and not idx
        images = (pack if packed else open_images)(config.data, size, skip_bad=skip_bad)  # type: ignore[arg-type]
    for path, reason in images.skipped:
        warn(f"left out {path}: {reason}")
    console.print(
        f"{len(images)} images of {images.shape[2]}x{images.shape[1]}, {images.shape[0]} channel(s), from {config.data}"
    )
    return images


def _is_idx(data: str) -> bool:
    return Path(data).is_dir() and find_idx(Path(data)) is not None


def _decided(config: TrainConfig, images: Images) -> TrainConfig:
    size = min(images.shape[1:])
    return config.resolved(size=config.size or size, preset=config.preset or ("small" if size <= 32 else "tutorial"))


def _resumed(stored: dict[str, Any], options: dict[str, Any]) -> TrainConfig:
    """The stored config, with what may change taken from the options; everything else must agree."""
    try:
        before = stored["training"] | {"data": stored["data"]["source"]}
        TrainConfig(**before)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the run's config.json does not describe a training: {error}") from None
    wanted = TrainConfig(**(before | options))
    for key, value in dataclasses.asdict(wanted).items():
        if key not in MAY_CHANGE and value != before.get(key, value):
            raise UsageError(
                f"{key} is {before[key]!r} in the run to be resumed, got {value!r}: leave it out, or start another run"
            )
    return wanted


def _document(config: TrainConfig, trainer: Trainer) -> dict[str, Any]:
    """Everything resolved, as it stands in config.json and travels in each checkpoint."""
    images = trainer.images
    training = dataclasses.asdict(config)
    source = training.pop("data")
    return {
        "data": {
            "source": source if source == "digits" else str(Path(source).resolve()),
            "images": len(images),
            "fingerprint": images.fingerprint,
            "classes": list(images.classes),
        },
        "image": dict(zip(("channels", "height", "width"), images.shape, strict=True)),
        "normalisation": {"mean": list(trainer.normalisation.mean), "std": list(trainer.normalisation.std)},
        "network": trainer.model.to_config(),
        "schedule": to_config(trainer.schedule),
        "prediction": trainer.loss_options["prediction"],
        "condition": trainer.loss_options["condition"],
        "training": training,
    }
