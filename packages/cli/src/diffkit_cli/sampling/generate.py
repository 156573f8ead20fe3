"""Samples of many seeds in batches, with the x0 estimates of their steps."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from diffkit_samplers import Denoise, grid, seeded
from diffkit_schedules import Schedule, add_noise, namespace

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import SamplingOptions
from diffkit_cli.terminal.progress import counting

__all__ = ["InitImage", "Samples", "concatenated", "frame_steps", "generate", "times_of"]

MAX_FRAMES = 100


class Samples(NamedTuple):
    """A batch of samples: uint8 pixels (B, C, H, W) on the CPU; frames: the same of the x0 estimates, the last are the pixels."""

    pixels: Any
    frames: list[Any]


class InitImage(NamedTuple):
    """The clean image x0 (C, H, W) that SDEdit starts from; strength: the largest t that is sampled."""

    x0: Any
    strength: float


def times_of(schedule: Schedule, options: SamplingOptions, init: InitImage | None = None) -> list[float]:
    """The times of the steps, noise first, see `diffkit_samplers.grid`; with an init image those up to its strength.

    Raises UsageError where no step is left.
    """
    times = grid(schedule, options.steps, options.spacing)
    kept = [t for t in times if init is None or t <= init.strength]
    if init is not None and len(kept) < 2:
        smallest = f"{min(t for t, _ in pairwise(times)):.3g}"
        raise UsageError(
            f"--strength {init.strength:g} leaves none of {options.steps} steps: use at least {smallest}, or more --steps"
        )
    return kept


def generate(
    model: DiffusionModel,
    options: SamplingOptions,
    times: Sequence[float],
    *,
    batch_size: int | None = None,
    labels: Sequence[int] | None = None,
    init: InitImage | None = None,
    wrap: Callable[[Denoise], Denoise] | None = None,
    rounds: int = 1,
    frames: bool = False,
) -> Iterator[Samples]:
    """The n images of the options, image i from seed + i only, in batches of batch_size, by default as many as fit.

    times: see `times_of`. labels: a class for each image. wrap, rounds: see `DiffusionModel.states`. frames: keep the x0
    estimates of at most 100 steps. Raises UsageError where not even one batch fits the memory.
    """
    seeds, steps = range(options.seed, options.seed + options.n), len(times) - 1
    batch_size = model.batch_size(options.size, batch_size and min(batch_size, options.n))
    kept = frame_steps(steps) if frames else {steps - 1}
    starts = range(0, options.n, batch_size)
    with counting("sampling steps") as on_progress:
        for done, start in enumerate(starts):
            batch = list(seeds[start : start + batch_size])
            noise = seeded(batch, like=model.like)
            z = noise((len(batch), model.shape[0], *options.size))
            x = model.start(z, times[0], options)
            if init is not None:
                x = add_noise(init.x0 + 0 * z, z, model.schedule(times[0]))
            classes = None if labels is None else labels[start : start + batch_size]
            states = model.states(x, options, times, noise=noise, labels=classes, wrap=wrap, rounds=rounds)
            pixels = list[Any]()
            for k, state in enumerate(states):
                if k in kept:
                    pixels.append(model.pixels(state.x0))
                on_progress(done * steps + k + 1, len(starts) * steps)
            yield Samples(pixels[-1], pixels if frames else [])


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
