"""Images between the noises of a row: spherical interpolation (slerp), then DDIM."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_samplers import encode, slerp
from diffkit_schedules import namespace

from diffkit_cli.sampling.generate import Samples
from diffkit_cli.sampling.init_image import clean_image
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import SamplingOptions
from diffkit_cli.terminal.console import console
from diffkit_cli.terminal.progress import counting

__all__ = ["between", "encoded_images", "noise_pairs"]

Ends: TypeAlias = Callable[[int], tuple[Any, Any]]
"""From a row to the two noises at its ends, (1, C, H, W) each."""

MANY_STEPS = 50
MANY_ROUNDS, ROUNDS = 5, 3
"""Fixed-point iterations in each step of `encode`: with many, short steps more are more exact; with long steps they diverge."""


def noise_pairs(model: DiffusionModel, options: SamplingOptions) -> Ends:
    """The noises of the seeds: row i has seed + 2i and seed + 2i + 1."""

    def ends(row: int) -> tuple[Any, Any]:
        start, stop = (model.noise([options.seed + 2 * row + k], options.size) for k in (0, 1))
        return start, stop

    return ends


def encoded_images(model: DiffusionModel, size: tuple[int, int], times: Sequence[float], images: Sequence[Path]) -> Ends:
    """The noises that DDIM inversion gives for two images; every row has these."""
    model.batch_size(size, len(images))
    x0 = namespace(model.like).stack([clean_image(model, path, size) for path in images])
    steps = len(times) - 1
    rounds = MANY_ROUNDS if steps >= MANY_STEPS else ROUNDS
    with console.status("inverting the images"):
        x = encode(model.denoise, model.schedule, x0, steps=steps, spacing=times, rounds=rounds)
    return lambda row: (x[:1], x[1:])


def between(
    model: DiffusionModel,
    size: tuple[int, int],
    times: Sequence[float],
    ends: Ends,
    rows: int,
    columns: int,
    *,
    frames: bool,
) -> Iterator[Samples]:
    """The images of each row, as many at a time as fit in memory. frames: keep the images as the one frame of each batch."""
    batch_size = model.batch_size(size)
    with counting("images") as on_progress:
        for row in range(rows):
            start, stop = ends(row)
            for first in range(0, columns, batch_size):
                batch = range(first, min(first + batch_size, columns))
                x = slerp(start, stop, [i / max(columns - 1, 1) for i in batch])[:, 0]  # (B, C, H, W)
                pixels = model.from_noise(x, steps=len(times) - 1, spacing=times)
                on_progress(row * columns + batch.stop, rows * columns)
                yield Samples(pixels, [pixels] if frames else [])
