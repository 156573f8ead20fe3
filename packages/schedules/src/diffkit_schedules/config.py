"""Schedules as plain JSON, so that one can travel with a network's weights."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Any

from diffkit_schedules import continuous, tables, transforms
from diffkit_schedules.rates import Schedule

__all__ = ["SCHEDULES", "from_config", "to_config"]

SCHEDULES: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        *(continuous.cosine, continuous.offset_cosine, continuous.linear, continuous.sigmoid, continuous.rectified),
        *(continuous.karras, tables.discrete, tables.linear_betas, tables.scaled_linear_betas, tables.cosine_betas),
        *(tables.sigmoid_betas, transforms.shift, transforms.zero_terminal_snr),
    )
}
"""Every schedule that has a name, by its name."""


def to_config(schedule: Schedule) -> dict[str, Any]:
    """The schedule's name and every parameter, as plain JSON: `from_config(to_config(schedule)) == schedule`.

    Raises TypeError for a schedule that is not one of this library's.

    >>> from diffkit_schedules import cosine
    >>> to_config(cosine())
    {'name': 'cosine', 's': 0.008}
    """
    name = type(schedule).__name__
    if SCHEDULES.get(name) is not type(schedule):
        raise TypeError(f"only the schedules of diffkit_schedules have a config, got {name}: {', '.join(SCHEDULES)}")
    return {"name": name} | {field.name: _plain(getattr(schedule, field.name)) for field in dataclasses.fields(schedule)}  # type: ignore[arg-type]


def from_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a config: `name`, and any of that schedule's parameters; what is left out takes its default.

    Raises ValueError for a config that is no mapping, an unknown name or key, and whatever the schedule itself refuses.

    >>> from_config({"name": "cosine", "s": 0.01})
    cosine(s=0.01)
    """
    if not isinstance(config, Mapping) or "name" not in config:
        raise ValueError(f"a schedule's config is a mapping with a 'name', got {config!r}")
    name = config["name"]
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}; got {name!r}")
    fields = {field.name: field for field in dataclasses.fields(SCHEDULES[name])}
    arguments = {}
    for key, value in config.items():
        if key == "name":
            continue
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"schedule {name!r} has no parameter {key!r}{hint} (it has: {', '.join(fields) or 'none'})")
        arguments[key] = _checked(name, fields[key], value)
    missing = [key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in arguments]
    if missing:
        raise ValueError(f"schedule {name!r} needs {', '.join(missing)}")
    schedule: Schedule = SCHEDULES[name](**arguments)
    return schedule


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_config(value)  # type: ignore[arg-type]
    return list(value) if isinstance(value, tuple) else value


def _checked(name: str, field: "dataclasses.Field[Any]", value: Any) -> Any:
    if field.type is Schedule:
        return from_config(value)
    if field.type in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (field.type is float and isinstance(value, float) and math.isfinite(value)):
            kind = "an integer" if field.type is int else "a finite number"
            raise ValueError(f"{field.name} of schedule {name!r} must be {kind}, got {value!r}")
        return field.type(value)
    if not isinstance(value, list) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in value):
        raise ValueError(f"{field.name} of schedule {name!r} must be a list of numbers, got {value!r:.60}")
    return value
