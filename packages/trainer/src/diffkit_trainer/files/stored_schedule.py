"""A noise schedule from a file that somebody else may have made: how large it is, is judged before anything is made room for."""

import math
import warnings
from collections.abc import Mapping
from typing import Annotated, Any

from diffkit_schedules import Schedule, from_config
from msgspec import Meta, Struct

from diffkit_trainer.files.typed_json import converted

__all__ = ["MOST_TIMESTEPS", "read_schedule"]

MOST_TIMESTEPS = 10**6
"""Of a table: a thousand times what people train on, and 8 MB."""

PROBES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Parameters(Struct):
    """What of a schedule's config may grow without end; `from_config` judges the rest."""

    T: Annotated[int, Meta(le=MOST_TIMESTEPS)] = 1
    betas: Annotated[list[float], Meta(max_length=MOST_TIMESTEPS)] = []
    schedule: "Parameters | None" = None


def read_schedule(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a config, as `diffkit_schedules.from_config` makes it; for one from anywhere.

    Raises ValueError for more than a million timesteps, what is no schedule, and rates that are no finite numbers.

    >>> read_schedule({"name": "linear_betas", "T": 10**12})
    Traceback (most recent call last):
    ValueError: schedule: T: expected int <= 1000000, found 1000000000000
    """
    try:
        converted(config, Parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of what is refused below
            schedule = from_config(config)
            rates = [rate for t in PROBES for rate in schedule(t)]
        if not all(map(math.isfinite, rates)):
            raise ValueError("its rates are no finite numbers")
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"schedule: {error}") from None
    return schedule
