"""diffkit interpolate: rows of images between two noises, or between the noises of two given images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_samplers import encode, slerp
from diffkit_schedules import namespace
from diffkit_trainer import save_animation, save_images

from diffkit_cli.config import UsageError
from diffkit_cli.console import console, plural
from diffkit_cli.editing import clean
from diffkit_cli.sample import check_counts, check_seeds, opened, recipe_of

__all__ = ["interpolate"]

STEPS = 50
ROUNDS, FEW_ROUNDS = 5, 3
"""Of the fixed point in each step of `encode`: more are exacter, where steps are as small as 50 of them are, or they diverge."""


def interpolate(
    run: Path,
    out: Path,
    asked: Mapping[str, Any],
    *,
    shape: tuple[int, int],
    seed: int,
    ends: tuple[Path | None, Path | None] = (None, None),
    animations: Sequence[Path] = (),
    raw: bool = False,
    device: str = "auto",
) -> None:
    """Rows of images by slerp: row i goes from seed + 2i to seed + 2i + 1; or one row, between the noises of two images.

    asked: steps, spacing, size. shape: rows and columns. ends: the two images, both or neither. animations: all rows at once,
    there and back. Raises UsageError for an option out of its range.
    """
    given = [path for path in ends if path is not None]
    if len(given) == 1:
        raise UsageError(f"--from and --to go together, got {given[0]} alone")
    rows, columns = (1, shape[1]) if given else shape
    check_counts({"--rows": rows, "--columns": columns})
    check_seeds(seed, 2 * rows)
    source = opened(run, raw, device, asked)
    sampler, recipe = source.sampler, recipe_of(({"steps": STEPS} if given else {}) | dict(asked), source)
    xp = namespace(sampler.like)
    with console.status("sampling"):
        if given:
            x0 = xp.stack([clean(sampler, path, recipe.size) for path in given])
            rounds = ROUNDS if recipe.steps >= STEPS else FEW_ROUNDS
            x = encode(sampler.denoise, sampler.schedule, x0, steps=recipe.steps, spacing=recipe.spacing, rounds=rounds)
            starts, stops = x[:1], x[1:]
        else:
            starts, stops = (sampler.noise(list(range(seed + k, seed + 2 * rows, 2)), recipe.size) for k in (0, 1))
        paths = slerp(starts, stops, [i / max(columns - 1, 1) for i in range(columns)])  # (columns, rows, C, H, W)
        drawn = [sampler.from_noise(paths[:, row], steps=recipe.steps, spacing=recipe.spacing) for row in range(rows)]
    note = {"command": "interpolate", **source.note(), "seed": seed, "rows": rows, "columns": columns, **recipe.note()}
    save_images(xp.concat(drawn), out, columns=columns, notes=[note] * (rows * columns))
    frames = [xp.stack([row[column] for row in drawn]) for column in range(columns)]
    for path in animations:
        save_animation(frames + frames[-2:0:-1], path, columns=1, rest=False)
    between = f"{given[0]} and {given[1]}" if given else "two noises"
    console.print(
        f"{plural(rows, 'row')} of {plural(columns, 'image')} between {between}: {', '.join(map(str, (out, *animations)))}"
    )
