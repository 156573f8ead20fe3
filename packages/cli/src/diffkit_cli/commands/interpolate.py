"""diffkit interpolate: rows of images between two noises, or between the noises of two given images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_samplers import encode, slerp
from diffkit_schedules import namespace
from diffkit_trainer import save_animation

from diffkit_cli.commands.sample import check_counts, check_seeds, opened, recipe_of
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.editing import clean, digest
from diffkit_cli.sampling.metadata import write_images
from diffkit_cli.terminal.console import console, plural

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
    xp = namespace(sampler.like)
    with console.status("sampling"):
        if images:
            x0 = xp.stack([clean(sampler, path, recipe.size) for path in images])
            rounds = ROUNDS if recipe.steps >= STEPS else FEW_ROUNDS
            x = encode(sampler.denoise, sampler.schedule, x0, steps=recipe.steps, spacing=recipe.spacing, rounds=rounds)
            starts, stops = x[:1], x[1:]
        else:
            starts, stops = (sampler.noise(list(range(seed + k, seed + 2 * rows, 2)), recipe.size) for k in (0, 1))
        paths = slerp(starts, stops, [i / max(columns - 1, 1) for i in range(columns)])  # (columns, rows, C, H, W)
        drawn = [sampler.from_noise(paths[:, row], steps=recipe.steps, spacing=recipe.spacing) for row in range(rows)]
    between = dict(zip(("from", "to"), map(digest, images), strict=True)) if images else {"seed": seed, "rows": rows}
    note = {"command": "interpolate", **source.note(), **between, "columns": columns, **recipe.note()}
    write_images(xp.concat(drawn), out, [note] * (rows * columns), columns=columns)
    frames = [xp.stack([row[column] for row in drawn]) for column in range(columns)]
    for path in animations:
        save_animation(frames + frames[-2:0:-1], path, columns=1, rest=False)
    said = f"{images[0]} and {images[1]}" if images else "two noises"
    console.print(
        f"{plural(rows, 'row')} of {plural(columns, 'image')} between {said}: {', '.join(map(str, (out, *animations)))}"
    )
