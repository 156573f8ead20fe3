"""What a training run is made of: one flat set of keys."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from diffkit_cli.errors import UsageError, flag
from diffkit_cli.options import choices as names

if TYPE_CHECKING:
    from diffkit_schedules import Schedule

__all__ = ["CHOICES", "FLAGS", "TrainConfig", "schedule_named"]


CHOICES: dict[str, tuple[str, ...]] = {
    "loss": names.LOSSES,
    "weighting": names.WEIGHTINGS,
    "times": names.TIMES,
    "normalise": names.NORMALISATIONS,
    "lr_schedule": names.LEARNING_RATES,
    "precision": names.PRECISIONS,
    "preset": names.PRESETS,
    "schedule": names.SCHEDULE_NAMES,
    "prediction": names.PREDICTIONS,
}
"""The keys that take one of a few words."""

COUNTS = {
    **{"size": 4096, "steps": 10**9, "batch_size": 65536, "accumulate": 65536, "warmup": 10**9, "decay_steps": 10**9},
    **{"log_every": 10**9, "sample_every": 10**9, "save_every": 10**9, "keep": 10**9, "keep_every": 10**9, "seed": 2**63 - 1},
}
"""The largest value of each key that counts; the smallest is 1, or 0 for a warm-up and a seed."""

LARGEST = {"lr": 1e30, "gamma": 1e30, "clip": 1e30, "save_minutes": 1e9, "process_timeout": 1e9}
"""Of numbers above 0: beyond it they leave float32, or the clock."""

FLAGS = ("size", "steps", "batch_size", "preset", "schedule", "prediction", "lr", "ema", "seed")
"""The keys that have an option of their own."""


@dataclass(frozen=True)
class TrainConfig:
    """Every key of `diffkit train`, by flag, by --set KEY=VALUE or in the file of --config.

    None: of size, the images as they are; of preset, prediction, steps, batch_size, lr and decay_steps, not decided yet, see
    `diffkit_cli.training.presets.decided`; of the others, no such thing. Raises UsageError for a value out of its range.

    >>> TrainConfig(schedule="offset-cosine").schedule
    'offset_cosine'
    """

    data: str = "digits"
    size: int | None = None
    preset: str | None = None
    schedule: str = "offset_cosine"
    prediction: str | None = None
    loss: str = "mae"
    weighting: str = "uniform"
    gamma: float = 5.0
    times: str = "uniform"
    normalise: str = "data"
    class_dropout: float | None = None
    steps: int | None = None
    batch_size: int | None = None
    accumulate: int = 1
    lr: float | None = None
    lr_schedule: str = "constant"
    warmup: int = 0
    decay_steps: int | None = None
    clip: float | None = None
    weight_decay: float = 1e-4
    ema: float = 0.999
    flip: bool = False
    precision: str = "fp32"
    compile: bool = False
    channels_last: bool = True  # 5 to 14% less time on a CPU, see benchmarks
    shard: bool = False
    seed: int = 0
    device: str = "auto"
    log_every: int = 50
    sample_every: int = 1000
    save_every: int = 1000
    save_minutes: float | None = None
    keep: int = 2
    keep_every: int | None = None
    process_timeout: float = 600.0
    pack: bool = True
    tensorboard: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", self.schedule.replace("-", "_"))
        for key, most in COUNTS.items():
            least = 0 if key in ("warmup", "seed") else 1
            self._require(key, range(least, most + 1).__contains__, f"from {least} to {most}")
        for key, largest in LARGEST.items():
            self._require(key, partial(_above_0, most=largest), f"a number above 0, at most {largest:g}")
        self._require("weight_decay", lambda value: 0 <= value < math.inf, "a number of at least 0")
        self._require("ema", lambda value: 0 <= value < 1, "in [0, 1)")
        self._require("class_dropout", lambda value: 0 <= value <= 1, "in [0, 1]")
        for key, words in CHOICES.items():
            self._require(key, words.__contains__, f"one of {', '.join(words)}")
        if self.prediction == "eps" and schedule_named(self.schedule)(1.0).alpha == 0:
            raise UsageError(f"--prediction eps says nothing of the pure noise at the end of --schedule {self.schedule}: take v")

    def _require(self, key: str, holds: Callable[[Any], bool], expected: str) -> None:
        value = getattr(self, key)
        if value is not None and not holds(value):
            name = flag(key) if key in FLAGS else key
            found = f"; got {value!r}" if key in CHOICES else f", got {value}"
            raise UsageError(f"{name} must be {expected}{found}")


def schedule_named(name: str) -> "Schedule":
    """The schedule of that name with its defaults."""
    from diffkit_schedules import from_config  # here, so that --help does not wait for NumPy

    return from_config({"name": name})


def _above_0(value: float, most: float) -> bool:
    return 0 < value <= most
