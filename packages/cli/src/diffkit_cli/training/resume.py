"""What a run that goes on may change, and what it must not."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from diffkit_trainer import RunError

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import RunConfig
from diffkit_cli.training.config import TrainConfig
from diffkit_cli.training.presets import DECIDED
from diffkit_cli.training.settings import spelled, typed

__all__ = ["resumed"]

MAY_CHANGE = (
    *("data", "steps", "device", "process_timeout", "pack", "tensorboard"),
    *("log_every", "sample_every", "save_every", "save_minutes", "keep", "keep_every"),
    *("accumulate", "compile", "channels_last", "shard"),  # these may round differently, and the trainer says so
)


def resumed(stored: RunConfig, options: Mapping[str, Any]) -> TrainConfig:
    """The config of a run's config.json, with what may change taken from the options.

    An option that is None takes back what the run was told; of a key in `DECIDED`, it counts as not given. Raises UsageError for
    an option that differs from the run's and must not, and RunError where `stored` describes no training.
    """
    if stored.training is None:
        raise RunError("the run's config.json does not describe a training: it has none")
    try:
        before = typed({**stored.training, "data": stored.data.source}, "its config.json")
        TrainConfig(**before)
    except ValueError as error:
        raise RunError(f"the run's config.json does not describe a training: {error}") from None
    one, other = stored.schedule.get("name"), before.get("schedule")
    if one != other:
        raise RunError(f"the run's config.json names two schedules: {one!r:.60} and {other!r:.60}")
    given = {key: value for key, value in options.items() if value is not None or key not in DECIDED}
    wanted = TrainConfig(**before | given)
    for key, value in dataclasses.asdict(wanted).items():
        if key not in MAY_CHANGE and key in before and value != before[key]:
            was, asked = (spelled(each) for each in (before[key], value))
            raise UsageError(f"{key} is {was} in the run to be resumed, got {asked}: leave it out, or start another run")
    return wanted
