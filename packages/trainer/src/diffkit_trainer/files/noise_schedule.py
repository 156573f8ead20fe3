"""A noise schedule from an untrusted config: its size is checked before memory is allocated for it."""

import math
import warnings
from collections.abc import Mapping
from typing import Annotated, Any

from diffkit_schedules import Schedule, from_config
from msgspec import Meta, Struct

from diffkit_trainer.files.typed_json import convert

__all__ = ["MAX_TIMESTEPS", "read_schedule"]

MAX_TIMESTEPS = 10**6
"""Of a table of betas: a thousand times the usual number, and 8 MB."""

PROBE_TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Parameters(Struct):
    """The parts of a schedule's config whose size has no bound by itself; `from_config` checks the rest."""

    T: Annotated[int, Meta(le=MAX_TIMESTEPS)] = 1
    betas: Annotated[list[float], Meta(max_length=MAX_TIMESTEPS)] = []
    schedule: "Parameters | None" = None


def read_schedule(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a config, as `diffkit_schedules.from_config` makes it. The config may be untrusted.

    Raises ValueError for more than a million timesteps, for a config that describes no schedule, and for rates that are not
    finite.

    >>> read_schedule({"name": "linear_betas", "T": 10**12})
    Traceback (most recent call last):
    ValueError: schedule: T: expected int <= 1000000, found 1000000000000
    """
    try:
        convert(config, Parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy warns of the values that are refused below
            schedule = from_config(config)
            rates = [rate for t in PROBE_TIMES for rate in schedule(t)]
        if not all(map(math.isfinite, rates)):
            raise ValueError("its rates are not finite")
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"schedule: {error}") from None
    return schedule
