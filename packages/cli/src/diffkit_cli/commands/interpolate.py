"""diffkit interpolate: rows of images between two noises, or between the noises of two given images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_samplers import encode, slerp
from diffkit_schedules import namespace
from diffkit_trainer import save_animation

from diffkit_cli.commands.sample import check_counts, check_seeds, opened, recipe_of
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.editing import clean, digest
from diffkit_cli.sampling.generate import Drawn
from diffkit_cli.sampling.memory import require_animations, require_picture
from diffkit_cli.sampling.model import Sampler
from diffkit_cli.sampling.options import Recipe
from diffkit_cli.sampling.writer import write_images
from diffkit_cli.terminal.console import console, plural
from diffkit_cli.terminal.progress import counting

__all__ = ["interpolate"]

ROWS, STEPS = 5, 50
ROUNDS, FEW_ROUNDS = 5, 3
"""Of the fixed point in each step of `encode`: more are exacter, where steps are as small as 50 of them are, or they diverge."""


def interpolate(
    run: Path,
    out: Path,
    asked: Mapping[str, Any],
    noises: Mapping[str, int],
    *,
    columns: int,
    ends: tuple[Path | None, Path | None] = (None, None),
    animations: Sequence[Path] = (),
    raw: bool = False,
    device: str = "auto",
) -> None:
    """Rows of images by slerp: row i goes from seed + 2i to seed + 2i + 1; or one row, between the noises of two images.

    asked: steps, spacing, size. noises: rows and seed, 5 and 0 unless given. ends: the two images, both or neither. animations:
    all rows at once, there and back. Raises UsageError for an option out of its range, and for noises beside images.
    """
    images = [path for path in ends if path is not None]
    if len(images) == 1:
        raise UsageError(f"--from and --to go together, got {images[0]} alone")
    if images and noises:
        raise UsageError(f"--from and --to leave no noises to choose: leave out {' '.join(f'--{name}' for name in noises)}")
    rows, seed = 1 if images else noises.get("rows", ROWS), noises.get("seed", 0)
    check_counts({"--rows": rows, "--columns": columns})
    check_seeds(seed, 2 * rows)
    source = opened(run, raw, device, asked)
    sampler, recipe = source.sampler, recipe_of(({"steps": STEPS} if images else {}) | dict(asked), source)
    shape = (sampler.shape[0], *recipe.size)
    require_picture(out, rows * columns, shape, columns=columns)
    require_animations(animations, max(1, 2 * columns - 2), rows, shape, columns=1)
    ends_of = _encoded(sampler, recipe, images) if images else _noises(sampler, recipe, seed)
    drawn = _between(sampler, recipe, ends_of, rows, columns, keep=bool(animations))
    between = dict(zip(("from", "to"), map(digest, images), strict=True)) if images else {"seed": seed, "rows": rows}
    note = {"command": "interpolate", **source.note(), **between, "columns": columns, **recipe.note()}
    kept = write_images(drawn, out, lambda i: note, columns=columns)
    if animations:
        frames = [kept[0][column::columns] for column in range(columns)]
        for path in animations:
            save_animation(frames + frames[-2:0:-1], path, columns=1, rest=False)
    said = f"{images[0]} and {images[1]}" if images else "two noises"
    console.print(
        f"{plural(rows, 'row')} of {plural(columns, 'image')} between {said}: {', '.join(map(str, (out, *animations)))}"
    )


def _noises(sampler: Sampler, recipe: Recipe, seed: int) -> Callable[[int], tuple[Any, Any]]:
    """From a row to the two noises that it goes between, (1, C, H, W) each."""

    def ends(row: int) -> tuple[Any, Any]:
        start, stop = (sampler.noise([seed + 2 * row + k], recipe.size) for k in (0, 1))
        return start, stop

    return ends


def _encoded(sampler: Sampler, recipe: Recipe, images: Sequence[Path]) -> Callable[[int], tuple[Any, Any]]:
    """The same of the one row between two images, by the noises that they come from."""
    sampler.batch_size(recipe.size, len(images))
    x0 = namespace(sampler.like).stack([clean(sampler, path, recipe.size) for path in images])
    rounds = ROUNDS if recipe.steps >= STEPS else FEW_ROUNDS
    with console.status("finding the noises of the images"):
        x = encode(sampler.denoise, sampler.schedule, x0, steps=recipe.steps, spacing=recipe.spacing, rounds=rounds)
    return lambda row: (x[:1], x[1:])


def _between(
    sampler: Sampler, recipe: Recipe, ends_of: Callable[[int], tuple[Any, Any]], rows: int, columns: int, *, keep: bool
) -> Iterator[Drawn]:
    """Row after row, as many images at a time as fit. keep: in the one frame too."""
    batch_size = sampler.batch_size(recipe.size)
    with counting("images") as on_progress:
        for row in range(rows):
            start, stop = ends_of(row)
            for first in range(0, columns, batch_size):
                part = range(first, min(first + batch_size, columns))
                x = slerp(start, stop, [i / max(columns - 1, 1) for i in part])[:, 0]  # (B, C, H, W)
                pixels = sampler.from_noise(x, steps=recipe.steps, spacing=recipe.spacing)
                on_progress(row * columns + part.stop, rows * columns)
                yield Drawn(pixels, [pixels] if keep else [])
