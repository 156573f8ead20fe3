"""Checks of a network's parameters, the same for a Python call and for a config read from a file."""

import math
from typing import Any

__all__ = ["MAX_INTEGER", "integer", "integers", "one_of", "positive_pair"]

MAX_INTEGER = 2**20
"""The largest channel or class count that is taken: far past any use, and small enough that no product overflows."""


def integer(name: str, value: Any, low: int = 1, high: int = MAX_INTEGER) -> int:
    """The value, if it is an integer from low to high; ValueError if not.

    >>> integer("block_depth", 2)
    2
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}, got {value!r:.60}")
    return value


def integers(name: str, value: Any, most: int) -> tuple[int, ...]:
    """The values as a tuple, if they are a list or tuple of 1 to `most` integers from 1 up; ValueError if not.

    >>> integers("widths", [32, 64], most=12)
    (32, 64)
    """
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
        raise ValueError(f"{name} must be a list of 1 to {most} integers, got {value!r:.60}")
    return tuple(integer(f"{name}[{i}]", entry) for i, entry in enumerate(value))


def positive_pair(name: str, value: Any) -> tuple[float, float]:
    """The two values as floats, if they are a list or tuple of two finite numbers above 0; ValueError if not.

    >>> positive_pair("frequencies", [1, 1000])
    (1.0, 1000.0)
    """
    good = isinstance(value, list | tuple) and len(value) == 2
    if not good or not all(isinstance(x, int | float) and not isinstance(x, bool) and 0 < x < math.inf for x in value):
        raise ValueError(f"{name} must be a list of two finite numbers above 0, got {value!r:.60}")
    return float(value[0]), float(value[1])


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices; ValueError naming them if not.

    >>> one_of("condition", "time", ("variance", "time"))
    'time'
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r:.60}")
    return value
