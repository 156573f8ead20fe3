"""An evaluation: the data it compares with, and its scores as JSON, as a table and as a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffkit_schedules import namespace
from diffkit_trainer import (
    DataError,
    Evaluation,
    FeatureNetwork,
    Images,
    labelled_grid,
    load_feature_network,
    open_images,
    save_png,
)

from diffkit_cli.errors import UsageError, nearest
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.class_labels import NULL, class_labels, class_names
from diffkit_cli.terminal.console import command, console, plural, results, show, table, warn

__all__ = [
    "as_document",
    "classes_to_compare",
    "feature_network",
    "labels_asked_for",
    "nearest_figure",
    "number_of_samples",
    "print_checkpoints",
    "print_evaluation",
    "real_images",
]

COLUMNS, BLOCKS = 10, 3
FEW_SAMPLES = 200
"""Of the digits' 449, KID x 1000 scatters by 25 from seed to seed; of 200 by 60, of 50 by 130."""


def real_images(data: str, shape: tuple[int, ...], images: Images | None = None) -> Images:
    """The data at the size of the run's images; grey images as RGB where the run's are. Raises DataError for another shape.

    images: of the data, where they are open.
    """
    if len(shape) != 3:
        raise DataError(f"{data}: images cannot be compared with samples of {' x '.join(map(str, shape))}")
    channels, height, width = shape
    if images is None:
        with console.status(f"reading {data}"):
            images = open_images(data, (height, width), skip_bad=True)
    if images.shape == (1, height, width) and channels == 3:
        pixels = namespace(images.pixels).concat([images.pixels] * 3, axis=1)
        images = Images(pixels, images.labels, images.classes, images.name, images.skipped)
    if images.shape != shape:
        real, samples = (f"{h} x {w} with {plural(c, 'channel')}" for c, h, w in (images.shape, shape))
        raise DataError(f"{data}: its images are {real}, the samples are {samples}: they cannot be compared")
    return images


def labels_asked_for(images: Images, config: RunConfig, labels: Sequence[int] | None) -> Any:
    """The class of the data that each sample was asked to be of, int64 (N,); None where one is none of the data's."""
    if labels is None or config.num_classes in labels or not {config.data.classes[k] for k in labels} <= set(images.classes):
        return None
    return torch.tensor([images.classes.index(config.data.classes[k]) for k in labels])


def classes_to_compare(images: Images, config: RunConfig, classes: Sequence[str]) -> list[int] | None:
    """The classes of the data that samples of these classes of a run are compared with, by name; None for all of the data.

    Raises UsageError for a class that the run or the data does not have.
    """
    names = class_names(config, class_labels(config, classes, len(classes)) or ()) if classes else []
    for name in names:
        if name not in (*images.classes, NULL):
            none = "it has no class folders; give the folder above it, or leave --class out to compare with all of it"
            hint = nearest(name, images.classes, "classes") if images.classes else none
            raise UsageError(f"--class: {images.name} has no class {name!r}: {hint}")
    if config.num_classes and not classes and not set(images.classes) >= set(config.data.classes):
        warn(f"the samples are of all classes of the run, {images.name} is not: give --class, or data with all of them")
    return None if not names or NULL in names else [images.classes.index(name) for name in names]


def feature_network(path: Path, images: Images) -> FeatureNetwork:
    """The network in a file, once it has taken one image. Raises UsageError where it cannot."""
    try:
        network = load_feature_network(path)
        network(images.pixels[:1])
    except ValueError as error:
        raise UsageError(f"--features: {error}") from None
    return network


def number_of_samples(given: int | None, default: int, most: int, data: str) -> int:
    """How many samples are compared; warns where they are fewer than given, or few. Raises DataError for fewer than 2 images."""
    if most < 2:
        raise DataError(f"{data}: too few images of the class to compare with: {most}, expected at least 2")
    if given is not None and given > most:
        warn(f"-n {given} is more than the {most} real images that are scored beside the samples: {most} samples are compared")
    n = min(given or default, most)
    if n < FEW_SAMPLES:
        warn(f"scores of {plural(n, 'image')} scatter widely, use {FEW_SAMPLES} or more; the row of the data shows how widely")
    return n


def as_document(found: Evaluation, images: Images) -> dict[str, Any]:
    """The scores as JSON."""
    return {
        "data": {"name": images.name, "images": len(images)},
        "images": found.images,
        "reference": found.reference,
        "samples": dict(found.samples),
        "real": dict(found.real),
        "features": {"kind": found.features, "quality": found.feature_quality},
    }


def print_evaluation(found: Evaluation, images: Images, title: str, *, training: bool, held_out: bool) -> None:
    """Print the scores as a table; training: whether the data is the training data, held_out: compared with its held-out part."""
    against, real = ("held-out images", "trained images") if held_out else ("the data", "the data")
    shown = table(f"against {against}", "images", *found.samples.texts())
    for label, scores in (("samples", found.samples), (real, found.real)):
        shown.add_row(label, f"{found.images} : {found.reference}", *scores.texts().values())
    show(title, shown)
    explained = "; ".join(f"{heading}: {meaning}" for heading, meaning in found.samples.explanations().items())
    copies = " Samples much nearer to the data than the data is to itself are copies." if training else ""
    features = f"features: {_features(found, len(images))}; scores on other features are not comparable"
    results().print(f"{features}. {explained}.{copies}")


def print_checkpoints(scored: Sequence[tuple[int, Evaluation]], title: str, run: Path) -> None:
    """Print the scores of a run's checkpoints as a table, (step, scores) each, and the command for that of the lowest KID."""
    (_, last) = scored[-1]
    shown = table("step", "images", *last.samples.texts())
    rows = [(str(step), found.samples) for step, found in scored] + [("the data", last.real)]
    for label, scores in rows:
        shown.add_row(label, f"{last.images} : {last.reference}", *scores.texts().values())
    show(title, shown)
    best = min(scored, key=lambda each: each[1].samples["kid"])[0]
    results().print(f"the lowest KID is that of step {best}: {command('sample', run, '--step', best)}")


def nearest_figure(
    out: Path, samples: Any, classes: Sequence[str], images: Images, found: Evaluation, metadata: dict[str, Any]
) -> None:
    """Write blocks of two rows: the samples nearest to an image of the data, and that image below each.

    classes: of the samples, as captions of both; empty for no captions.
    """
    distances = found.distances.tolist()
    order = sorted(range(len(distances)), key=distances.__getitem__)[: COLUMNS * BLOCKS]
    columns = min(COLUMNS, len(order))
    xp = namespace(samples)
    rows, labels, captions = [], list[str](), list[str]()
    for start in range(0, len(order) - len(order) % columns, columns):
        block = order[start : start + columns]
        nearest = [int(found.nearest[k]) for k in block]
        rows += [xp.stack([samples[k] for k in block]), xp.stack([images.pixels[k] for k in nearest])]
        if classes:
            captions += [*(classes[k] for k in block), *(_class_of(images, k) for k in nearest)]
        labels += [f"sample\n{distances[block[0]]:.1f} - {distances[block[-1]]:.1f} from", "nearest\nin the data"]
    save_png(labelled_grid(xp.concat(rows), labels, columns=columns, captions=captions), out, metadata)


def _class_of(images: Images, k: int) -> str:
    return "" if images.labels is None else images.classes[int(images.labels[k])]


def _features(found: Evaluation, images: int) -> str:
    if found.feature_quality is None:
        return f"those of {found.features}"
    quality = f"{found.feature_quality:.0%} {'accuracy' if found.features == 'classifier' else 'of the variance explained'}"
    return f"a small {found.features} trained on a part of the {images} images, {quality} on others"
