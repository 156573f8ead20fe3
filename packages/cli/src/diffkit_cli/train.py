"""diffkit train: from a config to a run folder."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from diffkit_schedules import to_config
from diffkit_trainer import (
    DivergedError,
    Images,
    Trainer,
    append_log,
    checkpoints,
    holds_run,
    locked,
    open_images,
    pick_device,
    read_config,
    resume,
    save,
    save_images,
    seed_weights,
    truncate_log,
    write_config,
)
from diffkit_unet import UNet, preset

from diffkit_cli.config import TrainConfig, UsageError, default_out, schedule_named
from diffkit_cli.console import console, training_progress, warn
from diffkit_cli.network import Sampler

__all__ = ["train"]

MAY_CHANGE = ("steps", "device", "log_every", "sample_every", "save_every", "keep")
PREVIEW = 16


def train(options: dict[str, Any], out: Path | None, *, resuming: bool, skip_bad: bool) -> int:
    """Train into a run folder and return the exit code: 0, or 130 or 143 for a run that a signal stopped and that was saved."""
    run = out or default_out(options.get("data", TrainConfig.data))
    if not resuming:
        _refuse_another(run)
    stored = read_config(run) if resuming else None
    config = _resumed(stored, options) if stored else TrainConfig(**options)
    pick_device(config.device)
    with ExitStack() as held:
        if stored:
            held.enter_context(locked(run))
        images = _open(config, skip_bad)
        if stored is None:
            config = _decided(config, images)
            held.enter_context(locked(run))  # no folder is made before it is known that there is something to train on
            _refuse_another(run)
        elif images.fingerprint != stored["data"]["fingerprint"]:
            raise UsageError(f"{config.data} holds other images than {run} was trained on: it cannot be resumed with them")
        stopped = held.enter_context(_signals())
        return _run(run, config, images, stored, stopped)


def _refuse_another(run: Path) -> None:
    if holds_run(run):
        raise UsageError(f"{run} already holds a run: go on with it by --resume, or give another --out")


def _run(run: Path, config: TrainConfig, images: Images, stored: dict[str, Any] | None, stopped: Callable[[], int]) -> int:
    seed_weights(config.seed)
    network = UNet.from_config(stored["network"]) if stored else preset(str(config.preset), in_channels=images.shape[0])
    trainer = Trainer(
        network,
        images,
        schedule_named(config.schedule),
        prediction=str(config.prediction),
        kind=config.loss,
        batch_size=int(config.batch_size or 1),
        lr=float(config.lr or 0),
        weight_decay=config.weight_decay,
        ema=config.ema,
        flip=config.flip,
        seed=config.seed,
        device=pick_device(config.device),
    )
    document = _document(config, trainer, network)
    if stored is not None and any(checkpoints(run)):
        for warning in resume(run, trainer):
            warn(f"{warning}; going on from step {trainer.step}")
    truncate_log(run, trainer.step)
    write_config(run, document)
    sampler = Sampler(trainer.ema.model, document)
    _loop(run, config, trainer, document, sampler, stopped)
    signum = stopped()
    if signum:
        name = signal.Signals(signum).name
        console.print(f"{name}: saved step {trainer.step} of {config.steps}. Go on with: diffkit train --resume --out {run}")
        return 128 + signum
    console.print(f"done: {trainer.step} steps in {run}. Sample with: diffkit sample {run}")
    return 0


def _loop(
    run: Path, config: TrainConfig, trainer: Trainer, document: dict[str, Any], sampler: Sampler, stopped: Callable[[], int]
) -> None:
    steps, begun, first = int(config.steps or 0), time.monotonic(), trainer.step
    saved = first or -1
    with training_progress(steps, trainer.step) as report:
        for step, _ in trainer.run(steps):
            if step % config.log_every == 0 or step == steps:
                loss = _finite(trainer, run)
                seconds = time.monotonic() - begun
                rate = (step - first) * trainer.batch_size / seconds
                append_log(run, {"step": step, "loss": loss, "images_per_second": round(rate, 1), "seconds": round(seconds, 2)})
                report(step, loss, rate)
            if step % config.save_every == 0:
                save(run, trainer, document, keep=config.keep)
                saved = step
            if step % config.sample_every == 0 or step == steps:
                _preview(run, sampler, config.seed, step)
            if stopped():
                break
    if saved != trainer.step:
        save(run, trainer, document, keep=config.keep)


def _open(config: TrainConfig, skip_bad: bool) -> Images:
    size = config.size
    if size is None and config.data != "digits" and not _is_idx(config.data):
        size = 64
    with console.status(f"reading {config.data}"):
        images = open_images(config.data, size, skip_bad=skip_bad)
    for path, reason in images.skipped:
        warn(f"left out {path}: {reason}")
    console.print(
        f"{len(images)} images of {images.shape[2]}x{images.shape[1]}, {images.shape[0]} channel(s), from {config.data}"
    )
    return images


def _is_idx(data: str) -> bool:
    return any("idx3-ubyte" in path.name for path in Path(data).iterdir()) if Path(data).is_dir() else False


def _decided(config: TrainConfig, images: Images) -> TrainConfig:
    size = min(images.shape[1:])
    return config.resolved(size=config.size or size, preset=config.preset or ("small" if size <= 32 else "tutorial"))


def _resumed(stored: dict[str, Any], options: dict[str, Any]) -> TrainConfig:
    """The stored config, with what may change taken from the options; everything else must agree."""
    before = stored["training"] | {"data": stored["data"]["source"]}
    wanted = TrainConfig(**(before | options))
    for key, value in dataclasses.asdict(wanted).items():
        same = str(Path(value).resolve()) == str(Path(before[key]).resolve()) if key == "data" else value == before[key]
        if key not in MAY_CHANGE and not same:
            raise UsageError(
                f"{key} is {before[key]!r} in the run to be resumed, got {value!r}: leave it out, or start another run"
            )
    return wanted


def _document(config: TrainConfig, trainer: Trainer, network: UNet) -> dict[str, Any]:
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
        "network": network.to_config(),
        "schedule": to_config(trainer.schedule),
        "prediction": trainer.prediction,
        "condition": trainer.condition,
        "training": training,
    }


def _finite(trainer: Trainer, run: Path) -> float:
    loss = trainer.mean_loss()
    if not abs(loss) < float("inf"):
        good = next((f"the last good checkpoint is {path}" for _, path in checkpoints(run)), "there is no checkpoint yet")
        raise DivergedError(f"the loss is {loss} at step {trainer.step}: {good}; try a lower --lr")
    return loss


def _preview(run: Path, sampler: Sampler, seed: int, step: int) -> None:
    pixels = sampler.from_noise(sampler.noise(list(range(seed, seed + PREVIEW))), steps=20)
    save_images(pixels, run / "samples" / f"{step:08d}.png")


@contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """Turn SIGINT and SIGTERM into a number to be asked for between two steps; a second one interrupts at once."""
    seen: list[int] = []

    def handle(signum: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(signum)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen[0] if seen else 0
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
