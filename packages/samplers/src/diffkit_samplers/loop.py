"""The one loop of all samplers. A method is the update it does between two times."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import Array, Rates, Schedule, is_torch, rates_at

from diffkit_samplers.denoise import Denoise, Estimate, look
from diffkit_samplers.finite import refuse_not_finite, trace
from diffkit_samplers.grids import grid
from diffkit_samplers.noise import Source, source_for

__all__ = ["Move", "State", "Update", "last_x0", "no_graph", "run"]


class State(NamedTuple):
    """Where a sampler is after a step: x at time t, and the x0 that the step used.

    >>> State(t=0.5, x=1.0, x0=0.8).t
    0.5
    """

    t: float
    x: Array
    x0: Array


class Move(NamedTuple):
    """One step to be made, as a method sees it.

    t, s: its two times, s < t; now, then: their rates; denoise: for a method that looks more than once; estimate: x0 at t, and
    eps where a wrapper keeps it: a method that goes on with another x0 starts from `estimate.state(x, now)`; before: the last
    move and its estimate, None at the first; eta; noise: the source of z.

    >>> from diffkit_samplers import trajectory
    >>> from diffkit_schedules import rectified
    >>> lazy = lambda x, move: move.estimate.x0  # a method that goes all the way at once
    >>> [state.x for state in trajectory(lambda x, t: 0.5 * x, rectified(), __import__("numpy").ones(1), method=lazy, steps=2)]
    [array([0.5]), array([0.25])]
    """

    t: float
    s: float
    now: Rates
    then: Rates
    denoise: Denoise
    estimate: Estimate
    before: "Move | None"
    eta: float
    noise: Source


Update: TypeAlias = Callable[[Array, Move], Array]
"""update(x, move) -> x at move.s: all that one method has and another has not."""


def run(
    update: Update,
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int,
    eta: float,
    spacing: str | Sequence[float],
    noise: Source | None,
) -> Iterator[State]:
    """The states of a sampler, one after each step: for (t, s) of the grid, x0 = denoise(x, t), then x = update(x, move).

    x: noise at the grid's first time, standard normal times sigma. Arguments are checked when it is called, not at the first
    `next`. Under torch no graph is kept. Raises ValueError for eta outside [0, 1] and as `grid` does, and NotFiniteError after
    the last step where an x0 was not finite: looking sooner would make the host wait for the device at every step.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be in [0, 1] (0 = DDIM, 1 = DDPM), got {eta}")
    times = grid(schedule, steps, spacing)
    return _states(update, denoise, schedule, x, times, eta, source_for(x, noise))


def last_x0(states: Iterator[State]) -> Array:
    """The x0 of the last state."""
    for state in states:  # noqa: B007
        pass
    return state.x0


def _states(
    update: Update, denoise: Denoise, schedule: Schedule, x: Array, times: list[float], eta: float, noise: Source
) -> Iterator[State]:
    before, now, traces = None, rates_at(schedule, times[0]), []
    for t, s in pairwise(times):
        with no_graph(x):
            estimate, then = look(denoise, x, t), rates_at(schedule, s)
            move = Move(t, s, now, then, denoise, estimate, before, eta, noise)
            x = update(x, move)
            traces.append(trace(estimate.x0))
        yield State(s, x, estimate.x0)
        before, now = move._replace(before=None), then
    refuse_not_finite(times, traces, estimate.x0)


def no_graph(x: Array) -> AbstractContextManager[Any]:
    """A context in which torch keeps no graph, for a torch x; nothing for another.

    The loop enters it around each step: a generator that paused inside it would switch off the caller's graph.
    """
    return sys.modules["torch"].no_grad() if is_torch(x) else nullcontext()
