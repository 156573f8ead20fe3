"""Schedules as plain JSON, to be stored with a network's weights."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Any, get_type_hints

from diffkit_schedules.named_schedules import SCHEDULES
from diffkit_schedules.rates import Schedule

__all__ = ["from_config", "to_config"]


def to_config(schedule: Schedule) -> dict[str, Any]:
    """The schedule's name and every parameter, as plain JSON: `from_config(to_config(schedule)) == schedule`.

    Raises TypeError for a schedule whose class is not in `SCHEDULES`.

    >>> from diffkit_schedules import cosine
    >>> to_config(cosine())
    {'name': 'cosine', 's': 0.008}
    """
    name = SCHEDULES.name_of(type(schedule))
    if name is None:
        raise TypeError(f"only a registered schedule has a config, got {type(schedule).__name__}: {', '.join(SCHEDULES)}")
    return {"name": name} | {field.name: _plain(getattr(schedule, field.name)) for field in _fields(name).values()}


def from_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a config: `name`, a name of `SCHEDULES`, and any of that schedule's parameters; the others take defaults.

    Raises ValueError for a config that is not a mapping, an unknown name or key, a value of another type, and whatever the
    schedule itself refuses.

    >>> from_config({"name": "cosine", "s": 0.01})
    cosine(s=0.01)
    """
    if not isinstance(config, Mapping) or "name" not in config:
        raise ValueError(f"a schedule's config must be a mapping with a 'name', got {config!r}")
    name = config["name"]
    fields, types = _fields(name), get_type_hints(SCHEDULES[name])
    arguments = {}
    for key, value in config.items():
        if key == "name":
            continue
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"schedule {name!r} has no parameter {key!r}{hint} (it has: {', '.join(fields) or 'none'})")
        arguments[key] = _checked(name, key, types[key], value)
    missing = [key for key, field in fields.items() if _is_required(field) and key not in arguments]
    if missing:
        raise ValueError(f"schedule {name!r} needs {', '.join(missing)}")
    with SCHEDULES.naming(name):
        schedule: Schedule = SCHEDULES[name](**arguments)
    return schedule


def _fields(name: str) -> "dict[str, dataclasses.Field[Any]]":
    if not dataclasses.is_dataclass(SCHEDULES[name]):
        raise TypeError(f"schedule {name!r} of {' '.join(SCHEDULES.origin(name))} must be a dataclass, got {SCHEDULES[name]!r}")
    return {field.name: field for field in dataclasses.fields(SCHEDULES[name]) if field.init}


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_config(value)  # type: ignore[arg-type]
    return list(value) if isinstance(value, tuple) else value


def _checked(name: str, key: str, kind: Any, value: Any) -> Any:
    if kind is Schedule:
        return from_config(value)
    if kind in (bool, str):
        if not isinstance(value, kind):
            raise ValueError(
                f"{key} of schedule {name!r} must be {'true or false' if kind is bool else 'a string'}, got {value!r}"
            )
        return value
    if kind in (int, float):
        integer = isinstance(value, int) and not isinstance(value, bool)
        if not integer and not (kind is float and isinstance(value, float) and math.isfinite(value)):
            expected = "an integer" if kind is int else "a finite number"
            raise ValueError(f"{key} of schedule {name!r} must be {expected}, got {value!r}")
        return kind(value)
    if not isinstance(value, list) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in value):
        raise ValueError(f"{key} of schedule {name!r} must be a list of numbers, got {value!r:.60}")
    return value
