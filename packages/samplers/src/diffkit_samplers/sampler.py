"""A sampler: an update with its defaults, callable with the one signature that all samplers have."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence

from diffkit_schedules import Array, Schedule, timesteps_of

from diffkit_samplers.estimates import Denoise
from diffkit_samplers.loop import State, Update, states
from diffkit_samplers.noise import Source, source_for
from diffkit_samplers.time_grids import grid

__all__ = ["Sampler", "sampler"]


class Sampler:
    """A sampling method: sampler(denoise, schedule, x, *, steps, eta, spacing, noise) -> x0; see `ddim` for the arguments.

    update: update(x, step) -> x at step.s, see `Step`. eta, steps: the defaults; steps=None is all steps of the schedule.
    history: the number of earlier evaluations that a step sees, None for all. Its name, docstring and signature are the
    update's name and docstring, and the call with these defaults. Made by `sampler`.

    >>> from diffkit_samplers import ddim
    >>> ddim.eta, ddim.steps, ddim.__name__
    (0.0, 20, 'ddim')
    """

    __name__: str
    __qualname__: str

    def __init__(self, update: Update, *, eta: float = 0.0, steps: int | None = 20, history: int | None = None) -> None:
        functools.update_wrapper(self, update, ("__module__", "__name__", "__qualname__", "__doc__"), ())
        self.update, self.eta, self.steps, self.history = update, eta, steps, history
        _, *parameters = inspect.signature(Sampler.__call__).parameters.values()
        defaults = {"steps": steps, "eta": eta}
        self.__signature__ = inspect.Signature(
            [each.replace(default=defaults.get(each.name, each.default)) for each in parameters], return_annotation=Array
        )

    def __call__(
        self,
        denoise: Denoise,
        schedule: Schedule,
        x: Array,
        *,
        steps: int | None = None,
        eta: float | None = None,
        spacing: str | Sequence[float] = "uniform",
        noise: Source | None = None,
    ) -> Array:
        """x0 of the last step."""
        for state in self.states(denoise, schedule, x, steps, eta, spacing, noise):  # noqa: B007
            pass
        return state.x0

    def states(
        self,
        denoise: Denoise,
        schedule: Schedule,
        x: Array,
        steps: int | None,
        eta: float | None,
        spacing: str | Sequence[float],
        noise: Source | None,
    ) -> Iterator[State]:
        """The state after each step. Arguments are checked when it is called, not at the first `next`."""
        if steps is None:
            steps = timesteps_of(schedule) if self.steps is None else self.steps
        eta = self.eta if eta is None else eta
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must be in [0, 1] (0 = DDIM, 1 = DDPM), got {eta}")
        times, source = grid(schedule, steps, spacing), source_for(x, noise)
        eta = float(eta)  # a NumPy float64 would widen the state
        return states(self.update, denoise, schedule, x, times=times, eta=eta, noise=source, history=self.history)

    def __repr__(self) -> str:
        options = f"steps={self.steps}, eta={self.eta}, spacing='uniform', noise=None"
        return f"<sampler {self.__name__}(denoise, schedule, x, *, {options})>"

    def __reduce__(self) -> str:
        return self.__qualname__  # the update's name in its module is this object


def sampler(*, eta: float = 0.0, steps: int | None = 20, history: int | None = None) -> Callable[[Update], Sampler]:
    """A decorator that makes a `Sampler` of an update, with its defaults.

    eta in [0, 1]. steps=None: all steps of the schedule. history: how many earlier evaluations `step.history` holds, None for
    all; what is not kept takes no memory.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> @sampler(steps=3)
    ... def euler(x, step):
    ...     velocity = (x - step.estimate.x0) / step.t
    ...     return x + (step.s - step.t) * velocity
    >>> euler(lambda x, t: 0.5 * x, rectified(), np.ones(1)).round(6)
    array([0.3125])
    """
    return lambda update: Sampler(update, eta=eta, steps=steps, history=history)
