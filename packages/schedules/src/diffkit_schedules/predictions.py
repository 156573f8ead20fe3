"""The prediction types: what a network's output is, as a row (a, b) of out = a x0 + b eps."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffkit_schedules.rates import Rates  # its NumPy is not needed for the names

__all__ = ["PREDICTIONS", "ROWS", "prediction_name"]

ROWS: "dict[str, Callable[[Rates], tuple[Any, Any]]]" = {
    "eps": lambda rates: (0.0, 1.0),
    "x0": lambda rates: (1.0, 0.0),
    "v": lambda rates: (-rates.sigma, rates.alpha),
    "flow": lambda rates: (-1.0, 1.0),
}
"""The row (a, b) of each type, at the given rates."""

PREDICTIONS = tuple(ROWS)
"""The names of the prediction types."""

_ALIASES = {"epsilon": "eps", "sample": "x0", "v_prediction": "v", "flow_prediction": "flow"}


def prediction_name(name: str) -> str:
    """The prediction type of a name: "eps", "x0", "v" or "flow".

    "epsilon", "sample", "v_prediction" and "flow_prediction" are accepted too. Raises ValueError for any other name.

    >>> prediction_name("v_prediction")
    'v'
    """
    found = _ALIASES.get(name, name)
    if found not in ROWS:
        raise ValueError(f"prediction must be one of {', '.join(map(repr, ROWS))}; got {name!r}")
    return found
