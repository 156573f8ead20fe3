"""diffkit evaluate: how near a run's images are to the data, and whether they are copies of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules import namespace
from diffkit_trainer import (
    DataError,
    FeatureNetwork,
    Images,
    evaluate,
    load_feature_network,
    open_images,
    require_place,
    split_dataset,
)

from diffkit_cli.commands.evaluation_report import document, picture, print_figures
from diffkit_cli.commands.sample import check_counts, check_seeds, opened, recipe_of
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.classes import class_labels
from diffkit_cli.sampling.generate import draw, joined
from diffkit_cli.sampling.memory import require_memory
from diffkit_cli.sampling.pretrained import named
from diffkit_cli.terminal.console import answer, console, plural, warn

__all__ = ["evaluate_run"]

NUMBER = 1000
FEW = 200
"""Of the digits' 449, KID x 1000 scatters by 25 from seed to seed; of 200 by 60, of 50 by 130."""


def evaluate_run(
    run: Path,
    data: str | None,
    out: Path | None,
    asked: Mapping[str, Any],
    *,
    n: int | None,
    seed: int,
    features: Path | None = None,
    raw: bool = False,
    as_json: bool = False,
    device: str = "auto",
) -> None:
    """Draw n images, 1000 unless given and at most a quarter of the data's number, compare them with DATA, print the figures.

    asked: sampler, steps, eta, spacing. data: the run's own unless given. out: a PNG of the samples that are nearest to a
    training image, each above it. features: a network to compare by, see `load_feature_network`; one is trained on the spot
    unless given. Raises UsageError for an option out of its range, DataError for data that cannot be read, is of another
    shape than the run's images, or too small.
    """
    check_counts({"-n": n}, least=2)
    check_seeds(seed, n or NUMBER)
    source = opened(run, raw, device, asked)
    sampler, recipe = source.sampler, recipe_of(asked, source)
    data = data or sampler.config.data.source
    if not data:
        raise UsageError(f"{run} does not say what data it was trained on: give DATA to compare with")
    images = _images(data, sampler.shape)
    network = None if features is None else _features(features, images)
    split = split_dataset(images)
    n = _number(n, len(split.reference), data)
    every = [str(k) for k in range(sampler.config.num_classes or 0)]
    labels = class_labels(sampler.config.network, sampler.config.data.classes, every, n)
    channels, height, width = sampler.shape
    require_memory(plural(n, "image"), n * channels * height * width, "take a smaller -n")
    if out is not None:
        require_place(out)
    samples = joined([part.pixels for part in draw(sampler, recipe, range(seed, seed + n), labels=labels)])
    with console.status("comparing" if network else "learning features, comparing"):
        found = evaluate(samples, images, split, features=network)
    if as_json:
        answer(document(found, images) | {"recipe": recipe.note(), **source.note()})
    else:
        print_figures(found, images, f"{named(run)}, step {source.step}, {recipe}")
    if out is not None:
        picture(out, samples, images, found, {"command": "evaluate", **source.note(), "seed": seed, "n": n, **recipe.note()})
        console.print(f"the samples nearest to a training image, above it: {out}")


def _features(path: Path, images: Images) -> FeatureNetwork:
    """The network in a file, tried on an image before others are drawn for it."""
    try:
        network = load_feature_network(path)
        network(images.pixels[:1])
    except ValueError as error:
        raise UsageError(f"--features: {error}") from None
    return network


def _number(n: int | None, most: int, data: str) -> int:
    """How many images are drawn and compared; says where they are fewer than asked, or few."""
    if n is not None and n > most:
        warn(f"-n {n} is more than a quarter of {data}: {most} are drawn and compared")
    n = min(n or NUMBER, most)
    if n < FEW:
        warn(f"figures of {plural(n, 'image')} scatter widely, take {FEW} or more; the data's own beside them say how widely")
    return n


def _images(data: str, shape: tuple[int, int, int]) -> Images:
    """The data at the run's size; grey images as colour ones where the run's are."""
    channels, height, width = shape
    with console.status(f"reading {data}"):
        images = open_images(data, height if height == width else None, skip_bad=True)
    if images.shape == (1, height, width) and channels == 3:
        pixels = namespace(images.pixels).concat([images.pixels] * 3, axis=1)
        images = Images(pixels, images.labels, images.classes, images.name, images.skipped)
    if images.shape != shape:
        sizes = [f"{h} x {w} with {plural(c, 'channel')}" for c, h, w in (images.shape, shape)]
        raise DataError(f"{data}: its images are {sizes[0]}, the run draws {sizes[1]}: they cannot be compared")
    return images
