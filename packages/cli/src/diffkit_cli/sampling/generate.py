"""Images of many seeds in batches, with the frames of how they came about."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from diffkit_samplers import Denoise, grid, seeded
from diffkit_schedules import add_noise, namespace

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.model import Sampler
from diffkit_cli.sampling.options import Recipe
from diffkit_cli.terminal.progress import counting

__all__ = ["Drawn", "Start", "draw", "frames_to_keep", "joined", "number_of_frames"]

MOST_FRAMES = 100


class Drawn(NamedTuple):
    """A batch's uint8 pixels (B, C, H, W) in the host's memory, and the same of each frame's x0 estimate where they are kept; the
    last frame is the pixels.
    """

    pixels: Any
    frames: list[Any]


class Start(NamedTuple):
    """Where sampling begins that does not begin at pure noise: clean data x0 (C, H, W), and the largest t that is kept."""

    x0: Any
    strength: float


def draw(
    sampler: Sampler,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    batch_size: int | None = None,
    labels: Sequence[int] | None = None,
    start: Start | None = None,
    wrap: Callable[[Denoise], Denoise] | None = None,
    rounds: int = 1,
    frames: bool = False,
) -> Iterator[Drawn]:
    """The image of each seed, image i of seeds[i] alone, batch after batch of batch_size (what fits, unless given).

    labels: a class for each seed. start, wrap, rounds: see `Start` and `Sampler.states`. frames: keep them too, at most 100.
    Raises UsageError where not even a batch fits the memory.
    """
    times = _times(sampler, recipe, start)
    batch_size = sampler.batch_size(recipe.size, batch_size and min(batch_size, len(seeds)))
    kept = frames_to_keep(len(times) - 1) if frames else {len(times) - 2}
    starts = range(0, len(seeds), batch_size)
    with counting("sampling steps") as on_progress:
        for done, first in enumerate(starts):
            part = list(seeds[first : first + batch_size])
            noise = seeded(part, like=sampler.like)
            z = noise((len(part), sampler.shape[0], *recipe.size))
            rates = sampler.schedule(times[0])
            x = rates.sigma * z if start is None else add_noise(start.x0 + 0 * z, z, rates)
            given = None if labels is None else labels[first : first + batch_size]
            states = sampler.states(x, recipe, noise=noise, times=times, labels=given, wrap=wrap, rounds=rounds)
            pixels = list[Any]()
            for k, state in enumerate(states):
                if k in kept:
                    pixels.append(sampler.pixels(state.x0))
                on_progress(done * (len(times) - 1) + k + 1, len(starts) * (len(times) - 1))
            yield Drawn(pixels[-1], pixels if frames else [])


def joined(parts: Sequence[Any]) -> Any:
    """The images of several batches as one array."""
    return namespace(parts[0]).concat(list(parts))


def number_of_frames(sampler: Sampler, recipe: Recipe, start: Start | None = None) -> int:
    """How many frames `draw` keeps of each image."""
    return len(frames_to_keep(len(_times(sampler, recipe, start)) - 1))


def frames_to_keep(steps: int) -> set[int]:
    """The numbers of at most 100 of the steps 0 ... steps - 1, evenly spaced, the last one among them.

    >>> sorted(frames_to_keep(4)), len(frames_to_keep(1000))
    ([0, 1, 2, 3], 100)
    """
    count = min(steps, MOST_FRAMES)
    return {round((k + 1) * steps / count) - 1 for k in range(count)}


def _times(sampler: Sampler, recipe: Recipe, start: Start | None) -> list[float]:
    times = grid(sampler.schedule, recipe.steps, recipe.spacing)
    kept = [t for t in times if start is None or t <= start.strength]
    if start is not None and len(kept) < 2:
        least = f"{min(t for t, _ in pairwise(times)):.3g}"
        raise UsageError(
            f"--strength {start.strength:g} leaves none of {recipe.steps} steps: take at least {least}, or more --steps"
        )
    return kept
