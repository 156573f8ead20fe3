"""A sampler as a generator, chosen by its name or given."""

from collections.abc import Iterator, Sequence

from diffkit_schedules import Array, Schedule

from diffkit_samplers.estimates import Denoise
from diffkit_samplers.loop import State
from diffkit_samplers.methods import METHODS
from diffkit_samplers.noise import Source
from diffkit_samplers.sampler import Sampler

__all__ = ["sampler_of", "trajectory"]

METHODS.load_builtin()  # `sampler_of` may be traced by a compiler


def trajectory(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    method: str | Sampler = "ddim",
    steps: int | None = None,
    eta: float | None = None,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Iterator[State]:
    """The sampler as a generator: a State(t, x, x0) after each step; the last one's x0 is the sample.

    t: the time reached, the last is 0.0; x: the state at t; x0: the estimate that the step used, made at the time before. To
    stop early, `break`. method: a name in `METHODS`, or a `Sampler`. steps, eta: by default the sampler's. All other arguments
    are those of `ddim`. Raises ValueError for an unknown method, and as `ddim` does, when it is called.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> [state.t for state in trajectory(lambda x, t: 0 * x, rectified(), np.ones((1, 1)), steps=4)]
    [0.75, 0.5, 0.25, 0.0]
    """
    return sampler_of(method).states(denoise, schedule, x, steps, eta, spacing, noise)


def sampler_of(method: str | Sampler) -> Sampler:
    """The sampler of this name, or the one given. An error in another distribution's update gets a note that names it.

    Raises ValueError for a name that is not in `METHODS`, and TypeError for anything that is not a `Sampler`.

    >>> sampler_of("ddpm").eta
    1.0
    """
    if isinstance(method, Sampler):
        return method
    if not isinstance(method, str):
        raise TypeError(f"method must be a name of METHODS or a Sampler, got {method!r:.60}: decorate an update with @sampler()")
    found = METHODS[method]
    if not isinstance(found, Sampler):
        raise TypeError(f"sampler {method!r} of {' '.join(METHODS.origin(method))} must be a Sampler, got {found!r:.60}")
    update = METHODS.naming(method)(found.update)
    return found if update is found.update else Sampler(update, eta=found.eta, steps=found.steps, history=found.history)
