"""The solution of many steps, and how far the samples of a method with few steps are from it."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from diffkit_schedules import Array, Schedule, namespace

from diffkit_samplers.estimates import Denoise
from diffkit_samplers.methods import METHODS
from diffkit_samplers.not_finite import NotFiniteError
from diffkit_samplers.time_grids import grid

__all__ = ["FineSolution", "Start"]

Start: TypeAlias = Callable[[float], Array]
"""start(t) -> the state to sample from at time t, of the same noises for every t, such as schedule(t).sigma * z."""

FINE_STEPS = 64


class FineSolution:
    """The x0 of 64 steps of `unipc_2`, and the distance to it of the x0 of other methods and times, from the same noises.

    On a table of fewer steps it has all of them.

    denoise, schedule: as for `ddim`. start: see `Start`.

    >>> import numpy as np
    >>> from diffkit_samplers import seeded
    >>> from diffkit_samplers.testing import MixtureOracle
    >>> from diffkit_schedules import cosine
    >>> fine = FineSolution(MixtureOracle(cosine()), cosine(), lambda t: cosine()(t).sigma * seeded(range(4))((4, 8)))
    >>> fine.error("ddim", [1.0, 0.5, 0.0]) > 5 * fine.error("ddim", [1 - k / 40 for k in range(41)])
    True
    """

    def __init__(self, denoise: Denoise, schedule: Schedule, start: Start) -> None:
        self.denoise, self.schedule, self.start = denoise, schedule, start
        times = grid(schedule, min(FINE_STEPS, getattr(schedule, "timesteps", FINE_STEPS)), "karras_160")
        self.x0 = METHODS["unipc_2"](denoise, schedule, start(times[0]), spacing=times)

    def error(self, method: str, times: Sequence[float]) -> float:
        """The distance of the x0 of a method at eta = 0 with these times: of each sample the root mean square, and their mean.

        The mean of squares would be that of the few samples that become another image. Infinity where x0 is not finite.
        """
        try:
            x0 = METHODS[method](self.denoise, self.schedule, self.start(times[0]), eta=0.0, spacing=times)
        except NotFiniteError:
            return math.inf
        xp = namespace(x0)
        squares = xp.reshape((x0 - self.x0) ** 2, (x0.shape[0], -1))
        return float(xp.mean(xp.sqrt(xp.mean(squares, axis=1))))
