"""What a training run is made of: one flat set of keys, from defaults, a preset's recipe, flags and --set."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from diffkit_schedules import PREDICTIONS, SCHEDULES, WEIGHTS, Schedule, from_config

__all__ = ["RECIPES", "SCHEDULE_NAMES", "TrainConfig", "UsageError", "parse_set", "schedule_named"]


class UsageError(ValueError):
    """An option that cannot be taken as it is; the message names it, what was expected, and what was found."""


SCHEDULE_NAMES = tuple(name for name in SCHEDULES if name not in ("discrete", "shift", "zero_terminal_snr", "karras"))
"""The schedules a run can be trained on by name; karras is left out because its x is not of unit variance."""

RECIPES: dict[str, dict[str, Any]] = {
    "small": {"steps": 3000, "batch_size": 64, "lr": 1e-3},
    "tutorial": {"steps": 30000, "batch_size": 64, "lr": 1e-3},
}
"""What a preset of the network is trained with unless told otherwise."""

CHOICES: dict[str, tuple[str, ...]] = {
    "loss": ("mae", "mse", "huber"),
    "weighting": WEIGHTS,
    "times": ("uniform", "logit_normal", "stratified"),
    "lr_schedule": ("constant", "cosine"),
    "precision": ("fp32", "bf16", "fp16"),
}
"""The keys that take one of a few words; the trainer's own, which would take torch's import to ask for."""

COUNTS = (
    *("size", "steps", "batch_size", "accumulate", "warmup", "decay_steps"),
    *("log_every", "sample_every", "save_every", "keep", "keep_every"),
)
LARGEST = {"size": 4096, "steps": 10**9, "batch_size": 65536, "accumulate": 65536, "seed": 2**63 - 1}


@dataclass(frozen=True)
class TrainConfig:
    """Every key of `diffkit train`, by flag or by --set KEY=VALUE; None is decided by the data or the preset.

    >>> TrainConfig(size=28).resolved(size=28, preset="small").steps
    3000
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
        for key in COUNTS:
            value = getattr(self, key)
            least, most = 0 if key == "warmup" else 1, LARGEST.get(key, 10**9)
            if value is not None and not least <= value <= most:
                raise UsageError(f"{_flag(key)} must be from {least} to {most}, got {value}")
        for key in ("gamma", "clip", "save_minutes", "process_timeout"):
            value = getattr(self, key)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{key} must be a number above 0, got {value}")
        for key, words in CHOICES.items():
            if getattr(self, key) not in words:
                raise UsageError(f"{key} must be one of {', '.join(words)}; got {getattr(self, key)!r}")
        if self.class_dropout is not None and not 0 <= self.class_dropout <= 1:
            raise UsageError(f"class_dropout must be in [0, 1], got {self.class_dropout}")
        if not 0 <= self.seed <= LARGEST["seed"]:
            raise UsageError(f"--seed must be from 0 to {LARGEST['seed']}, got {self.seed}")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise UsageError(f"--lr must be a number above 0, got {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise UsageError(f"weight_decay must be a number of at least 0, got {self.weight_decay}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"--ema must be in [0, 1), got {self.ema}")
        if self.preset is not None and self.preset not in RECIPES:
            raise UsageError(f"--preset must be one of {', '.join(RECIPES)}; got {self.preset!r}")
        object.__setattr__(self, "schedule", self.schedule.replace("-", "_"))
        if self.schedule not in SCHEDULE_NAMES:
            raise UsageError(f"--schedule must be one of {', '.join(SCHEDULE_NAMES)}; got {self.schedule!r}")
        if self.prediction is not None and self.prediction not in PREDICTIONS:
            raise UsageError(f"--prediction must be one of {', '.join(PREDICTIONS)}; got {self.prediction!r}")
        if self.prediction == "eps" and schedule_named(self.schedule)(1.0).alpha == 0:
            raise UsageError(f"--prediction eps says nothing of the pure noise at the end of --schedule {self.schedule}: take v")

    def resolved(self, *, size: int, preset: str) -> "TrainConfig":
        """This config with everything decided, for images of this size."""
        recipe = RECIPES[preset]
        filled = {key: value for key, value in recipe.items() if getattr(self, key) is None}
        prediction = self.prediction or _prediction_for(schedule_named(self.schedule))
        result = dataclasses.replace(self, size=size, preset=preset, prediction=prediction, **filled)
        # fixed at the start: a run that is told to go on for longer must not jump to another learning rate
        return (
            result
            if result.lr_schedule == "constant"
            else dataclasses.replace(result, decay_steps=result.decay_steps or result.steps)
        )


def schedule_named(name: str) -> Schedule:
    """The schedule of that name with its defaults."""
    return from_config({"name": name})


def parse_set(assignments: list[str]) -> dict[str, Any]:
    """KEY=VALUE texts as the values of TrainConfig's types.

    Raises UsageError for an unknown key, with the nearest valid one, and for a value of another type.

    >>> parse_set(["save_every=50", "flip=true"])
    {'save_every': 50, 'flip': True}
    """
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got {assignment!r}")
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(fields)}"
            raise UsageError(f"--set: unknown key {key!r}: {hint}")
        values[key] = _parse(key, fields[key].type, text)
    return values


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, of those whose default is None."""
    return {key: value for key, value in options.items() if value is not None}


def _parse(key: str, kind: Any, text: str) -> Any:
    kinds = [each for each in get_args(kind) or (kind,) if each is not type(None)]
    if kinds == [bool]:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"--set: {key} must be true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return kinds[0](text)
    except ValueError:
        expected = "a whole number" if kinds == [int] else "a number"
        raise UsageError(f"--set: {key} must be {expected}, got {text!r}") from None


def _prediction_for(schedule: Schedule) -> str:
    """eps where it can be sampled from; where the schedule ends in pure noise, flow on a straight line and v elsewhere."""
    middle, end = schedule(0.5), schedule(1.0)
    if end.alpha > 0:
        return "eps"
    return "flow" if abs(middle.alpha + middle.sigma - 1) < 1e-9 else "v"


def _flag(key: str) -> str:
    flags = ("size", "steps", "batch_size")
    return f"--{key.replace('_', '-')}" if key in flags else key


def default_out(data: str) -> Path:
    """Where a run goes that was not told where: runs/, by the name of its data."""
    return Path("runs") / (Path(data).resolve().name if data != "digits" else data)
