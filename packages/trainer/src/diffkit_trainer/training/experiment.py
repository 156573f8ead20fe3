"""Everything that the result of a training run depends on: a resumed run must have the same experiment."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from diffkit_schedules import Schedule, to_config
from torch import nn

from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.options import ROUNDING, SPEED, Options, options_of

__all__ = ["changes", "experiment", "plain"]

PROBE_TIMES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


def experiment(
    options: Options, fingerprint: str, normalisation: Normalisation, schedule: Schedule, model: nn.Module
) -> dict[str, Any]:
    """Everything that changes the result, as plain JSON.

    That is the options, the images' fingerprint, the normalisation, the schedule, and the network's config where it has
    `to_config`.
    """
    mean, std = normalisation
    parts = {"images": fingerprint, "normalisation": {"mean": mean, "std": std}, "schedule": _schedule(schedule)}
    network = _called(getattr(model, "to_config", None))
    chosen = {name: getattr(options, name) for name in options_of(Options) if name not in (*ROUNDING, *SPEED, "normalise")}
    found: dict[str, Any] = plain(chosen | parts | ({"network": network} if isinstance(network, Mapping) else {}))
    return found


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One text for every value that both have and that differs.

    >>> changes({"lr": 0.1, "network": {"dropout": 0.0}}, {"lr": 0.1, "network": {"dropout": 0.5}, "seed": 0})
    ['network.dropout is 0.5 here and was 0.0']
    """
    was = dict(_flat(before))
    differing = ((key, value, was[key]) for key, value in _flat(now) if was.get(key, value) != value)
    return [f"{key} is {_short(value)} here and was {_short(then)}" for key, value, then in differing]


def plain(value: Any) -> Any:
    """A value as JSON stores and restores it: tuples become lists; numbers that are not finite and other types become strings.

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
    """Its config; for a schedule without a config, its rates at nine times."""
    try:
        return to_config(schedule)
    except TypeError:
        return {"rates": [[float(rate) for rate in schedule(t)] for t in PROBE_TIMES]}


def _called(method: Callable[[], Any] | None) -> Any:
    try:
        return method() if callable(method) else None
    except TypeError:  # it needs arguments: another method of that name
        return None
