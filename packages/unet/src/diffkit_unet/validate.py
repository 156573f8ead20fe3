"""Validation of a network's parameters, the same for a Python call and for a config from a file. Imports no torch."""

import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_INTEGER", "boolean", "integer", "integers", "number", "one_of", "positive_pair", "sizes"]

RESERVED = ("self", "x", "condition", "class_labels")
"""The names of a network's other arguments, which no condition may have."""

MAX_INTEGER = 2**20
"""The largest number of channels or classes: far beyond any use, and small enough that no product overflows."""


def integer(name: str, value: Any, low: int = 1, high: int = MAX_INTEGER) -> int:
    """The value, if it is an integer from low to high; ValueError if not.

    >>> integer("block_depth", 2)
    2
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}, got {value!r:.60}")
    return value


def integers(name: str, value: Any, min_length: int, max_length: int, low: int = 1, high: int = MAX_INTEGER) -> tuple[int, ...]:
    """The values as a tuple, if they are a list or tuple of integers from low to high; ValueError if not.

    >>> integers("widths", [32, 64], min_length=1, max_length=12)
    (32, 64)
    """
    if not isinstance(value, list | tuple) or not min_length <= len(value) <= max_length:
        raise ValueError(f"{name} must be a list of {min_length} to {max_length} integers, got {value!r:.60}")
    return tuple(integer(f"{name}[{i}]", entry, low, high) for i, entry in enumerate(value))


def sizes(name: str, value: Any) -> dict[str, int]:
    """The values as a dictionary, if they map names of conditions to integers from 1; ValueError if not.

    >>> sizes("vectors", {"age": 1})
    {'age': 1}
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key and key.isprintable() for key in value):
        raise ValueError(f"{name} must map names of conditions to integers, got {value!r:.60}")
    for key in value:
        if key in RESERVED:
            raise ValueError(f"{name}: a condition cannot be called {key!r}, as another argument of the network is")
    return {key: integer(f"{name}[{key!r}]", size) for key, size in value.items()}


def number(name: str, value: Any, low: float, below: float) -> float:
    """The value as a float, if it is a number from low to less than `below`; ValueError if not.

    >>> number("dropout", 0, 0, 1)
    0.0
    """
    if not _is_number(value) or not low <= value < below:
        raise ValueError(f"{name} must be a number from {low:g} to below {below:g}, got {value!r:.60}")
    return float(value)


def boolean(name: str, value: Any) -> bool:
    """The value, if it is True or False; ValueError if not.

    >>> boolean("zero_init", True)
    True
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r:.60}")
    return value


def positive_pair(name: str, value: Any) -> tuple[float, float]:
    """The two values as floats, if they are a list or tuple of two finite numbers above 0; ValueError if not.

    >>> positive_pair("frequencies", [1, 1000])
    (1.0, 1000.0)
    """
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if not is_pair or not all(_is_number(entry) and 0 < entry <= sys.float_info.max for entry in value):
        raise ValueError(f"{name} must be a list of two finite numbers above 0, got {value!r:.60}")
    return float(value[0]), float(value[1])


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """The value, if it is one of the choices; ValueError lists the choices if not.

    >>> one_of("condition", "time", ("variance", "time"))
    'time'
    """
    if type(value) not in {type(choice) for choice in choices} or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r:.60}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
