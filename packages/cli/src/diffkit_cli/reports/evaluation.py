"""An evaluation: the data it compares with, and its scores as JSON, as a table and as a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules import namespace
from diffkit_trainer import (
    DataError,
    Evaluation,
    FeatureNetwork,
    Images,
    Scores,
    load_feature_network,
    open_images,
    save_figure,
    with_captions,
)

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import console, plural, results, show, table, warn

__all__ = ["as_document", "feature_network", "nearest_figure", "number_of_samples", "print_document", "real_images"]

COLUMNS, BLOCKS = 10, 3
FEW_SAMPLES = 200
"""Of the digits' 449, KID x 1000 scatters by 25 from seed to seed; of 200 by 60, of 50 by 130."""


def real_images(data: str, shape: tuple[int, int, int]) -> Images:
    """The data at the size of the run's images; grey images as RGB where the run's are. Raises DataError for another shape."""
    channels, height, width = shape
    with console.status(f"reading {data}"):
        images = open_images(data, height if height == width else None, skip_bad=True)
    if images.shape == (1, height, width) and channels == 3:
        pixels = namespace(images.pixels).concat([images.pixels] * 3, axis=1)
        images = Images(pixels, images.labels, images.classes, images.name, images.skipped)
    if images.shape != shape:
        real, samples = (f"{h} x {w} with {plural(c, 'channel')}" for c, h, w in (images.shape, shape))
        raise DataError(f"{data}: its images are {real}, the samples are {samples}: they cannot be compared")
    return images


def feature_network(path: Path, images: Images) -> FeatureNetwork:
    """The network in a file, once it has taken one image. Raises UsageError where it cannot."""
    try:
        network = load_feature_network(path)
        network(images.pixels[:1])
    except ValueError as error:
        raise UsageError(f"--features: {error}") from None
    return network


def number_of_samples(given: int | None, default: int, most: int, data: str) -> int:
    """How many samples are compared; warns where they are fewer than given, or few."""
    if given is not None and given > most:
        warn(f"-n {given} is more than a quarter of {data}: {most} samples are compared")
    n = min(given or default, most)
    if n < FEW_SAMPLES:
        warn(f"scores of {plural(n, 'image')} scatter widely, use {FEW_SAMPLES} or more; the row of the data shows how widely")
    return n


def as_document(found: Evaluation, images: Images) -> dict[str, Any]:
    """The scores as JSON."""
    return {
        "data": {"name": images.name, "images": len(images)},
        "images": found.images,
        "samples": _scores(found.samples),
        "real": _scores(found.real),
        "features": {"kind": found.features, "score": found.score},
    }


def print_document(document: dict[str, Any], title: str) -> None:
    """Print what `as_document` gives as a table."""
    count, features = document["images"], document["features"]
    shown = table("against the data", "KID x 1000", "FD", "images", "nearest", "minimum")
    for name, label in (("samples", "samples"), ("real", "the data")):
        row = document[name]
        numbers = f"{1000 * row['kid']:.2f}", f"{row['fd']:.3f}", f"{count} : {count}"
        shown.add_row(label, *numbers, f"{row['nearest_median']:.1f}", f"{row['nearest_smallest']:.1f}")
    show(title, shown)
    results().print(
        f"features: {_features(features, document['data']['images'])}; scores on other features are not comparable."
        " nearest: median distance to the nearest image of the data, root mean square in grey levels; minimum: the smallest one."
        " Samples much nearer to the data than the data is to itself are copies."
    )


def nearest_figure(out: Path, samples: Any, images: Images, found: Evaluation, metadata: dict[str, Any]) -> None:
    """Write blocks of two rows: the samples nearest to a training image, and that image below each."""
    distances = found.samples.distances.tolist()
    order = sorted(range(len(distances)), key=distances.__getitem__)[: COLUMNS * BLOCKS]
    columns = min(COLUMNS, len(order))
    xp = namespace(samples)
    rows, captions = [], list[str]()
    for start in range(0, len(order) - len(order) % columns, columns):
        block = order[start : start + columns]
        nearest = [int(found.nearest[k]) for k in block]
        rows += [xp.stack([samples[k] for k in block]), xp.stack([images.pixels[k] for k in nearest])]
        captions += [f"sample\n{distances[block[0]]:.1f} - {distances[block[-1]]:.1f} from", "nearest\nin the data"]
    save_figure(out, with_captions(xp.concat(rows), captions, columns=columns), metadata)


def _scores(scores: Scores) -> dict[str, float]:
    ordered = sorted(scores.distances.tolist())
    return {
        **{"kid": scores.kid, "fd": scores.fd},
        **{"nearest_smallest": ordered[0], "nearest_median": ordered[len(ordered) // 2]},
    }


def _features(features: Mapping[str, Any], images: int) -> str:
    if features["score"] is None:
        return f"those of {features['kind']}"
    score = "accuracy" if features["kind"] == "classifier" else "of the variance explained"
    return f"a small {features['kind']} trained on half of the {images} images, {features['score']:.0%} {score} on the other half"
