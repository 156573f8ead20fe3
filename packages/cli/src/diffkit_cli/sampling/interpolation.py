"""Images between the noises of a row: spherical interpolation (slerp), then DDIM."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_samplers import encode, slerp
from diffkit_schedules import namespace

from diffkit_cli.sampling.generate import Samples
from diffkit_cli.sampling.plan import Plan

__all__ = ["between", "encoded_images", "interpolation_metadata", "noise_pairs", "noises_between"]

Ends: TypeAlias = Callable[[int], tuple[Any, Any]]
"""From a row to the two noises at its ends, (1, C, H, W) each."""

MANY_STEPS = 50
MANY_ROUNDS, ROUNDS = 5, 3
"""Fixed-point iterations in each step of `encode`: with many, short steps more are more exact; with long steps they diverge."""


def noise_pairs(plan: Plan, to_seed: int | None = None) -> Ends:
    """The noises of the seeds: row i has seed + 2i and to_seed + 2i, which is by default seed + 2i + 1."""
    seeds = plan.options.seed, plan.options.seed + 1 if to_seed is None else to_seed

    def ends(row: int) -> tuple[Any, Any]:
        start, stop = (plan.model.noise([seed + 2 * row], plan.options.size, plan.times[0]) for seed in seeds)
        return start, stop

    return ends


def encoded_images(plan: Plan, images: Sequence[Any]) -> Ends:
    """The noises that DDIM inversion gives for two images x0 (C, H, W), see `clean_image`; every row has these."""
    model, size, steps = plan.model, plan.options.size, len(plan.times) - 1
    model.batch_size(size, len(images))
    x0 = namespace(model.like).stack(list(images))
    denoise = model.denoiser_of(plan.given.rows([0] * len(images)), plan.options.guidance, precision=plan.options.precision)
    rounds = MANY_ROUNDS if steps >= MANY_STEPS else ROUNDS
    x = encode(denoise, model.schedule, x0, steps=steps, spacing=plan.times, rounds=rounds)
    return lambda row: (x[:1], x[1:])


def noises_between(ends: Ends, row: int, columns: int, chosen: range) -> Any:
    """The noises of some of the columns of a row, (len(chosen), C, *space): its ends, and slerp between them."""
    start, stop = ends(row)
    return slerp(start, stop, [i / max(columns - 1, 1) for i in chosen])[:, 0]


def interpolation_metadata(
    plan: Plan, columns: int, *, to_seed: int | None = None, images: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """The metadata of all images of an interpolation between seeds, or between images: those that are read, by their keys."""
    metadata = plan.metadata("interpolate", **(images or {})) | {"columns": columns}
    del metadata["n"]
    if images:
        del metadata["seed"]
        return metadata
    return metadata | {"rows": plan.options.n} | ({} if to_seed is None else {"to_seed": to_seed})


def between(
    plan: Plan,
    ends: Ends,
    columns: int,
    *,
    frames: bool,
    kept: AbstractSet[int] = frozenset(),
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> Iterator[Samples]:
    """The images of the n rows of a plan, as many at a time as fit in memory.

    frames: keep the images as the one frame of each batch. kept: see `generate`. on_progress(done, total) is called at the start
    and after each batch.
    """
    model, options, rows = plan.model, plan.options, plan.options.n
    batch_size = model.batch_size(options.size)
    on_progress(0, rows * columns)
    for row in range(rows):
        for first in range(0, columns, batch_size):
            batch = range(first, min(first + batch_size, columns))
            if kept >= {row * columns + i for i in batch}:
                continue
            x = noises_between(ends, row, columns, batch)
            given = plan.given.rows([row] * len(batch))
            steps = len(plan.times) - 1
            how: dict[str, Any] = {"guidance": options.guidance, "precision": options.precision}
            pixels = model.from_noise(x, steps=steps, spacing=plan.times, given=given, **how)
            on_progress(row * columns + batch.stop, rows * columns)
            yield Samples(pixels, [pixels] if frames else [], row * columns + first)
