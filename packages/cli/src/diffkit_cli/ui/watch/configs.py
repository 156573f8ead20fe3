"""What differs between the configs of runs. Imports no library of pages."""

from collections.abc import Mapping
from typing import Any

__all__ = ["differences"]


def differences(configs: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, dict[str, str]]]:
    """The keys, with dots, whose values are not the same in all configs, each with the value in each; "" where it has none.

    >>> differences({"a": {"lr": 0.1, "data": {"images": 5}}, "b": {"lr": 0.1, "data": {"images": 6}}})
    [('data.images', {'a': '5', 'b': '6'})]
    """
    flat = {name: dict(_flat("", config)) for name, config in configs.items()}
    keys = dict.fromkeys(key for each in flat.values() for key in each)
    rows = [(key, {name: each.get(key, "") for name, each in flat.items()}) for key in keys]
    return [(key, values) for key, values in rows if len(set(values.values())) > 1]


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [pair for key, each in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else str(key), each)]
    return [(prefix, str(value))]
