"""diffkit sample: new images from a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_schedules import cosine
from diffkit_trainer import save_animation
from diffkit_unet import keep_memory

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.classes import class_labels
from diffkit_cli.sampling.editing import start_from
from diffkit_cli.sampling.generate import draw, number_of_frames
from diffkit_cli.sampling.memory import require_animations, require_picture
from diffkit_cli.sampling.metadata import asked_then, note_of_image, read_drawn
from diffkit_cli.sampling.model import Opened, open_run
from diffkit_cli.sampling.options import Recipe, parse_size
from diffkit_cli.sampling.pretrained import named
from diffkit_cli.sampling.writer import write_images
from diffkit_cli.terminal.console import console, plural, warn

__all__ = ["Edit", "check_counts", "check_seeds", "opened", "recipe_of", "sample"]

DEFAULTS: dict[str, Any] = {"n": 16, "seed": 0, "raw": False, "classes": []}


class Edit(NamedTuple):
    """Pictures to go by: one that is to be drawn again, by its note; one to begin with, and how much to change it."""

    like: Path | None = None
    init: Path | None = None
    strength: float | None = None


def sample(
    run: Path,
    out: Path,
    asked: Mapping[str, Any],
    edit: Edit,
    *,
    animations: Sequence[Path] = (),
    batch_size: int | None = None,
    device: str = "auto",
) -> None:
    """Draw images, image i from seed + i, into one PNG grid or a folder of PNGs, and their denoising into animations.

    asked: the options that were given, of n, seed, raw, classes, size, and the keys of `Recipe`; they go before those of the
    picture that edit.like names. Raises UsageError for an option out of its range.
    """
    like = edit.like
    then = read_drawn(like) if like else None
    if like and like.resolve() == out.resolve():
        raise UsageError(f"--out {out} would overwrite what --like reads: give another --out")
    asked = DEFAULTS | (asked_then(then, asked) if then else dict(asked))
    n, seed = asked["n"], asked["seed"]
    check_counts({"-n": n, "--batch-size": batch_size})
    check_seeds(seed, n)
    source = opened(run, asked["raw"], device, asked)
    if then and then["weights"] != source.weights:
        warn(f"{like} was drawn by other weights ({then['weights']}) than {named(run)} holds ({source.weights}): it will differ")
    recipe, config = recipe_of(asked, source), source.sampler.config
    start, said = start_from(source.sampler, recipe.size, edit.init, edit.strength, like, then)
    shape = (source.sampler.shape[0], *recipe.size)
    require_picture(out, n, shape)
    if animations:
        require_animations(animations, number_of_frames(source.sampler, recipe, start), n, shape)
    drawn = draw(
        source.sampler,
        recipe,
        range(seed, seed + n),
        batch_size=batch_size,
        labels=class_labels(config.network, config.data.classes, asked["classes"], n, recipe.guidance),
        start=start,
        frames=bool(animations),
    )
    note = {"command": "sample", **source.note(), "seed": seed, "n": n, "classes": asked["classes"], **recipe.note(), **said}
    lone = n == 1 and then is not None and not then["grid"]
    one_grid = out.suffix.lower() == ".png" and not lone
    frames = write_images(drawn, out, lambda i: {**note, "grid": True} if one_grid else note_of_image(note, i), lone=lone)
    for path in animations:
        save_animation(frames, path)
    console.print(f"{plural(n, 'image')}, {recipe}, seed {seed}: {', '.join(map(str, (out, *animations)))}")


def opened(run: Path, raw: bool, device: str, asked: Mapping[str, Any]) -> Opened:
    """The run's network, see `open_run`; says on stderr which checkpoints were passed over.

    What was asked is checked first: a wrong option is said before a file is read. From then on the process keeps its memory:
    drawing takes 5 to 15% less processor time.
    """
    keep_memory()
    Recipe.of(asked, cosine(), _size(asked, (1, 1)))
    with console.status(f"opening {named(run)}"):
        source = open_run(run, raw=raw, device=device)
    for warning in source.warnings:
        warn(f"{warning}; using step {source.step}")
    return source


def recipe_of(asked: Mapping[str, Any], source: Opened) -> Recipe:
    """The recipe of the options that were given, for the run's own image size unless one is asked for."""
    _, height, width = source.sampler.shape
    return Recipe.of(asked, source.sampler.schedule, _size(asked, (height, width)))


def check_counts(counts: Mapping[str, int | None], least: int = 1) -> None:
    """Raises UsageError for a count, by its flag, that was given and is not from `least` to a million."""
    for flag, value in counts.items():
        if value is not None and not least <= value <= 10**6:
            raise UsageError(f"{flag} must be from {least} to {10**6}, got {value}")


def check_seeds(seed: int, images: int) -> None:
    """Raises UsageError unless seed ... seed + images - 1 are seeds."""
    if not 0 <= seed <= 2**63 - images:
        raise UsageError(f"--seed must be from 0 to 2**63 - 1, got {seed}")


def _size(asked: Mapping[str, Any], otherwise: tuple[int, int]) -> tuple[int, int]:
    return parse_size(asked["size"]) if "size" in asked else otherwise
