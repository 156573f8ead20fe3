"""What a training is: all that would change its result. A run goes on with the same, or it would be another one."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from diffkit_schedules import Schedule, to_config
from torch import nn

__all__ = ["OPTIONS", "changes", "described", "plain"]

OPTIONS = (
    *("batch_size", "seed", "times", "flip", "class_dropout", "ema"),
    *("prediction", "condition", "kind", "weighting", "gamma"),
    *("lr", "weight_decay", "lr_schedule", "warmup", "decay_steps", "clip"),
)
"""The options of a `Trainer` that change the result; the others round differently at most, and stand in its `environment`."""

LEVELS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


def described(options: Mapping[str, Any], fingerprint: str, normalisation: Any, schedule: Schedule, model: nn.Module) -> Any:
    """The options, the images' fingerprint, the normalisation, the schedule and, where it tells it, the network's config, as
    plain JSON."""
    mean, std = normalisation
    parts = {"images": fingerprint, "normalisation": {"mean": mean, "std": std}, "schedule": _schedule(schedule)}
    network = _called(getattr(model, "to_config", None))
    return plain(dict(options) | parts | ({"network": network} if isinstance(network, Mapping) else {}))


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Each thing that both tell and that differs, in words.

    >>> changes({"lr": 0.1, "network": {"dropout": 0.0}}, {"lr": 0.1, "network": {"dropout": 0.5}, "seed": 0})
    ['network.dropout is 0.5 here and was 0.0']
    """
    was = dict(_flat(before))
    differing = ((key, value, was[key]) for key, value in _flat(now) if was.get(key, value) != value)
    return [f"{key} is {_short(value)} here and was {_short(then)}" for key, value, then in differing]


def plain(value: Any) -> Any:
    """A value as JSON can hold it, and gives it back: tuples as lists, numbers that are not finite and all else as text.

    >>> plain({"a": (1, math.inf)})
    {'a': [1, 'inf']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _short(value: Any) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in f"{value!s:.60}")


def _schedule(schedule: Schedule) -> Any:
    """Its config; of one that is somebody else's, the rates at nine times."""
    try:
        return to_config(schedule)
    except TypeError:
        return {"rates": [[float(rate) for rate in schedule(t)] for t in LEVELS]}


def _called(method: Callable[[], Any] | None) -> Any:
    try:
        return method() if callable(method) else None
    except TypeError:  # one that wants arguments is something else of that name
        return None
