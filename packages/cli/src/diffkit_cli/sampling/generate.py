"""Samples of many seeds in batches, with the x0 estimates of their steps."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from diffkit_samplers import Denoise, State
from diffkit_schedules import namespace
from diffkit_trainer import capabilities_of, compiles

from diffkit_cli.sampling.plan import Plan

__all__ = ["Samples", "concatenated", "frame_steps", "generate", "states_of"]

MAX_FRAMES = 100


class Samples(NamedTuple):
    """A batch of samples on the CPU, (B, C, *space), see `DiffusionModel.values`; frames: the same of the x0 estimates.

    first: the number of the first sample.
    """

    pixels: Any
    frames: list[Any]
    first: int = 0


def generate(
    plan: Plan,
    *,
    batch_size: int | None = None,
    wrap: Callable[[Denoise], Denoise] | None = None,
    rounds: int = 1,
    frames: bool = False,
    kept: AbstractSet[int] = frozenset(),
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> Iterator[Samples]:
    """The n images of a plan, image i from seed + i only, in batches of batch_size, by default as many as fit.

    wrap, rounds: see `DiffusionModel.states`. frames: keep the x0 estimates of at most 100 steps. kept: the numbers of images
    that are not needed; a batch of these alone is left out. on_progress(done, total) is called at the start and after each
    sampling step. Raises UsageError where not even one batch fits the memory.
    """
    model, options, times = plan.model, plan.options, plan.times
    steps = len(times) - 1
    device = capabilities_of(model.like.device)
    given_size = batch_size and min(batch_size, options.n)
    batch_size = model.batch_size(options.size, given_size)
    if not given_size and device.type == "cuda":  # of one size, as far as possible: each is compiled and recorded
        batch_size = -(-options.n // -(-options.n // batch_size))
    shown = frame_steps(steps) if frames else {steps - 1}
    starts = [i for i in range(0, options.n, batch_size) if not kept >= {*range(i, min(i + batch_size, options.n))}]
    compiled = compiles(device, len(starts) * steps)
    on_progress(0, len(starts) * steps)
    for done, start in enumerate(starts):
        batch, pixels = range(start, min(start + batch_size, options.n)), list[Any]()
        for k, state in enumerate(states_of(plan, batch, wrap=wrap, rounds=rounds, compiled=compiled)):
            if k in shown:
                pixels.append(model.values(state.x0))
            on_progress(done * steps + k + 1, len(starts) * steps)
        yield Samples(pixels[-1], pixels if frames else [], start)


def states_of(
    plan: Plan,
    images: range,
    *,
    wrap: Callable[[Denoise], Denoise] | None = None,
    rounds: int = 1,
    compiled: bool = False,
) -> Iterator[State]:
    """The states of the sampler for some images of a plan, in one batch; wrap ... compiled: see `DiffusionModel.states`."""
    return plan.model.states(
        [plan.options.seed + i for i in images],
        plan.options,
        plan.times,
        given=plan.given.rows(images),
        x0=plan.init and plan.init.x0,
        wrap=wrap,
        rounds=rounds,
        worse=plan.worse and plan.worse.model,
        compiled=compiled,
    )


def concatenated(batches: Sequence[Any]) -> Any:
    """The images of several batches as one array."""
    return namespace(batches[0]).concat(list(batches))


def frame_steps(steps: int) -> set[int]:
    """The numbers of at most 100 of the steps 0 ... steps - 1, evenly spaced, the last one among them.

    >>> sorted(frame_steps(4)), len(frame_steps(1000))
    ([0, 1, 2, 3], 100)
    """
    count = min(steps, MAX_FRAMES)
    return {round((k + 1) * steps / count) - 1 for k in range(count)}
