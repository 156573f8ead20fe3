"""The one loop of all samplers: an evaluation of denoise and an update of x in each step."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import Array, Rates, Schedule, as_array_of, is_torch, rates_at

from diffkit_samplers.estimates import Denoise, Estimate, evaluate
from diffkit_samplers.noise import Source, noise_between
from diffkit_samplers.not_finite import refuse_not_finite, sample_sums
from diffkit_samplers.steps import step

__all__ = ["Evaluation", "State", "Step", "Update", "no_graph", "states"]


class State(NamedTuple):
    """A sampler's state after a step: x at time t, and the x0 that the step used.

    >>> State(t=0.5, x=1.0, x0=0.8).t
    0.5
    """

    t: float
    x: Array
    x0: Array


class Evaluation(NamedTuple):
    """An evaluation of denoise in an earlier step: its time, the rates there, the estimate, and the x that it was made from.

    >>> Evaluation(0.5, Rates(0.5, 0.5), Estimate(x0=1.0), 2.0).estimate.x0
    1.0
    """

    t: float
    rates: Rates
    estimate: Estimate
    x: Array

    def terms(self, of_x0: float, of_eps: float) -> list[tuple[float, Array]]:
        """of_x0 x0 + of_eps eps as weights and arrays: an eps that the estimate does not keep is (x - alpha x0) / sigma.

        >>> Evaluation(0.5, Rates(0.5, 0.5), Estimate(x0=1.0), 2.0).terms(1.0, 0.5)
        [(0.5, 1.0), (1.0, 2.0)]
        """
        (x0, eps, _), (alpha, sigma) = self.estimate, self.rates
        if eps is not None:
            return [(of_x0, x0), (of_eps, eps)] if of_x0 else [(of_eps, eps)]
        return [(of_x0 - of_eps * alpha / sigma, x0), (of_eps / sigma, self.x)]


class Step(NamedTuple):
    """One step of a sampler, from time t to time s < t, as an update sees it.

    now, then: the rates at t and s. estimate: denoise at t. history: the evaluations of earlier steps, the latest first; as
    many as the sampler keeps. noise: the source of z, for an array of x's kind; `z = step.z(x)` is the noise of this step.

    >>> import numpy as np
    >>> from diffkit_samplers import sampler, trajectory
    >>> from diffkit_schedules import rectified
    >>> @sampler()
    ... def jump(x, step):
    ...     return step.estimate.x0  # each step goes all the way to x0
    >>> [state.x for state in trajectory(lambda x, t: 0.5 * x, rectified(), np.ones(1), method=jump, steps=2)]
    [array([0.5]), array([0.25])]
    """

    schedule: Schedule
    denoise: Denoise
    t: float
    s: float
    now: Rates
    then: Rates
    estimate: Estimate
    history: tuple[Evaluation, ...]
    eta: float
    noise: Source

    def advance(self, x: Array, x0: Array | None = None, *, eta: float | None = None) -> Array:
        """x at time s by the formula of `step`, with this step's rates, noise and variance.

        x0: the clean data to step towards, by default the estimate's; x keeps the estimate's noise either way.
        eta: by default the step's.
        """
        estimate = self.estimate
        if x0 is None:
            x0, eps = estimate.x0, estimate.eps
        else:
            x, eps = estimate.state(x, self.now), None
        eta, v = self.eta if eta is None else eta, estimate.variance_interpolation
        return step(x, x0, self.now, self.then, eta=eta, noise=lambda _: self.z(x), eps=eps, variance_interpolation=v)

    def z(self, x: Array) -> Array:
        """The standard normal noise between t and s, of x's kind: what `advance` adds. See `brownian`."""
        return as_array_of(noise_between(self.noise, self.now, self.then)(tuple(x.shape)), x)

    def evaluate(self, x: Array, t: float) -> Estimate:
        """denoise at another x or time: one more evaluation."""
        return evaluate(self.denoise, x, t)

    def starting(self, x: Array, t: float) -> "Step":
        """The step from another x or time to the same s; evaluates denoise there."""
        return self._replace(t=t, now=rates_at(self.schedule, t), estimate=self.evaluate(x, t))

    def ending(self, s: float) -> "Step":
        """The step from the same time to another s."""
        return self._replace(s=s, then=rates_at(self.schedule, s))


Update: TypeAlias = Callable[[Array, Step], Array]
"""update(x, step) -> x at step.s: what distinguishes one sampling method from another."""


def states(
    update: Update,
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    times: list[float],
    eta: float,
    noise: Source,
    history: int | None,
) -> Iterator[State]:
    """One State after each step: for (t, s) of the times, x0 = denoise(x, t), then x = update(x, step).

    Under torch no graph is kept. Raises NotFiniteError after the last step where an x0 was not finite: a check in each step
    would make the host wait for the device.
    """
    earlier: tuple[Evaluation, ...] = ()
    now, sums = rates_at(schedule, times[0]), []
    for t, s in pairwise(times):
        with no_graph(x):
            estimate, then = evaluate(denoise, x, t), rates_at(schedule, s)
            evaluation = Evaluation(t, now, estimate, x)
            x = update(x, Step(schedule, denoise, t, s, now, then, estimate, earlier, eta, noise))
            sums.append(sample_sums(estimate.x0))
        yield State(s, x, estimate.x0)
        earlier = (evaluation, *earlier)[:history]
        now = then
    refuse_not_finite(times, sums, estimate.x0)


def no_graph(x: Array) -> AbstractContextManager[Any]:
    """A context in which torch keeps no graph, where x is a torch tensor.

    The loop enters it in each step: a generator that paused inside it would switch off the caller's graph.
    """
    return sys.modules["torch"].no_grad() if is_torch(x) else nullcontext()
