"""diffkit inpaint: a part of a picture drawn anew."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from diffkit_samplers import inpaint as keeping
from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_mask, save_animation

from diffkit_cli.commands.sample import check_counts, check_seeds, opened, recipe_of
from diffkit_cli.sampling.editing import clean
from diffkit_cli.sampling.generate import draw, number_of_frames
from diffkit_cli.sampling.memory import require_animations, require_picture
from diffkit_cli.sampling.writer import write_images
from diffkit_cli.terminal.console import console, plural, warn

__all__ = ["inpaint"]

DEFAULTS = {"steps": 20, "eta": 1.0}


def inpaint(
    run: Path,
    image: Path,
    mask: Path,
    out: Path,
    asked: Mapping[str, Any],
    *,
    n: int,
    seed: int,
    rounds: int,
    animations: Sequence[Path] = (),
    raw: bool = False,
    device: str = "auto",
) -> None:
    """n ways to draw the mask's white part anew, image i from seed + i; the rest stays as it is, to the last grey level.

    asked: sampler, steps, eta, spacing, size. rounds: of each step, so that both parts fit, see `diffkit_samplers.resample`.
    Raises UsageError for an option out of its range, DataError for an image or a mask that cannot be read, or that are of two
    sizes. Source: Lugmayr et al. 2022 (RePaint).
    """
    check_counts({"-n": n, "--rounds": rounds})
    check_seeds(seed, n)
    source = opened(run, raw, device, asked)
    sampler = source.sampler
    recipe = recipe_of({**DEFAULTS, **asked}, source)
    x0 = clean(sampler, image, recipe.size)
    white = read_mask(mask, image, recipe.size)
    share = float(namespace(white).mean(as_array_of(white, sampler.like)))
    if share in (0, 1):
        warn(f"{mask} is all {'white: nothing of the image is kept' if share else 'black: nothing is drawn anew'}")
    known = as_array_of(~white, sampler.like)
    shape = (sampler.shape[0], *recipe.size)
    require_picture(out, n, shape)
    if animations:
        require_animations(animations, number_of_frames(sampler, recipe), n, shape)
    drawn = draw(
        sampler,
        recipe,
        range(seed, seed + n),
        wrap=partial(keeping, known=x0, mask=known),
        rounds=rounds,
        frames=bool(animations),
    )
    note = {"command": "inpaint", **source.note(), "n": n, "rounds": rounds, **recipe.note()}
    frames = write_images(drawn, out, lambda i: {**note, "seed": seed + i})
    for path in animations:
        save_animation(frames, path)
    how = f"{share:.0%} drawn anew, {recipe}, {plural(rounds, 'round')} each, seed {seed}"
    console.print(f"{plural(n, 'image')}, {how}: {', '.join(map(str, (out, *animations)))}")
