"""diffkit steps: what the number of steps does to an image, and what it costs."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import labelled_grid, save_png

from diffkit_cli.commands.sample import check_counts, check_seeds, opened, recipe_of
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.generate import draw, joined
from diffkit_cli.sampling.memory import require_picture
from diffkit_cli.sampling.model import Sampler
from diffkit_cli.sampling.options import Recipe
from diffkit_cli.terminal.console import console, plural
from diffkit_cli.terminal.progress import duration

__all__ = ["parse_steps", "steps_figure"]

MOST_ROWS = 50
SECONDS, REPEATS = 0.5, 10
"""A row is drawn again until it took that long in all, or that often; its shortest time is shown: a short one is easily
disturbed."""


def steps_figure(
    run: Path,
    out: Path,
    asked: Mapping[str, Any],
    *,
    counts: list[int],
    n: int,
    seed: int,
    raw: bool = False,
    device: str = "auto",
) -> None:
    """One row of n images for each number of steps, all rows from the same noise, with the time that each row took beside it.

    asked: sampler, eta, spacing, size. The times are of sampling alone, all images of a row together.
    """
    check_counts({"-n": n})
    check_seeds(seed, n)
    source = opened(run, raw, device, {**asked, "steps": min(counts)})
    recipes = [recipe_of({**asked, "steps": count}, source) for count in counts]
    seeds, rows, labels = range(seed, seed + n), [], list[str]()
    shape = (source.sampler.shape[0], *recipes[0].size)
    require_picture(out, n * len(counts), shape, columns=n, canvases=2, folder=False)
    _pixels(source.sampler, recipes[0], seeds)  # the first time costs more than sampling does
    for recipe in recipes:
        seconds: list[float] = []
        while sum(seconds) < SECONDS and len(seconds) < REPEATS:
            begun = time.perf_counter()
            pixels = _pixels(source.sampler, recipe, seeds)
            seconds.append(time.perf_counter() - begun)
        rows.append(pixels)
        labels.append(f"{plural(recipe.steps, 'step')}\n{duration(min(seconds))}")
    note = {"command": "steps", **source.note(), "seed": seed, "n": n, "counts": counts, **_shared(recipes[0])}
    save_png(labelled_grid(joined(rows), labels, columns=n), out, note)
    console.print(
        f"{plural(len(counts), 'row')} of {plural(n, 'image')} from one noise each, {recipes[0].sampler}, seed {seed}: {out}"
    )
    for label in labels:
        console.print("  " + label.replace("\n", ": "))


def parse_steps(text: str) -> list[int]:
    """Numbers of steps with commas between. Raises UsageError for anything else.

    >>> parse_steps("1,2, 5")
    [1, 2, 5]
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_ROWS or not all(re.fullmatch(r"[0-9]{1,7}", part) for part in parts):
        raise UsageError(f"--steps must be at most {MOST_ROWS} numbers such as 1,2,5,20, got {text!r:.60}")
    return [int(part) for part in parts]


def _pixels(sampler: Sampler, recipe: Recipe, seeds: Sequence[int]) -> Any:
    """All images at a time: the time of one row is that of one batch."""
    ((pixels, _),) = draw(sampler, recipe, seeds, batch_size=len(seeds))
    return pixels


def _shared(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.note().items() if key != "steps"}
