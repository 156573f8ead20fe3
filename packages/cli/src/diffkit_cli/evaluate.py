"""diffkit evaluate: how near a run's images are to the data, and whether they are copies of it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules import namespace
from diffkit_trainer import (
    DataError,
    Evaluation,
    Figures,
    Images,
    evaluate,
    labelled,
    open_images,
    read_features,
    save_labelled,
    split,
)
from rich.table import Table

from diffkit_cli.classes import class_labels
from diffkit_cli.config import UsageError
from diffkit_cli.console import console, results
from diffkit_cli.draw import draw
from diffkit_cli.sample import check_counts, check_seeds, opened, recipe_of

__all__ = ["evaluate_run"]

COLUMNS, BLOCKS = 10, 3


def evaluate_run(
    run: Path,
    data: str | None,
    out: Path | None,
    asked: Mapping[str, Any],
    *,
    n: int,
    seed: int,
    features: Path | None = None,
    raw: bool = False,
    as_json: bool = False,
    device: str = "auto",
) -> None:
    """Draw up to n images, at most a quarter of the data's number, compare them with DATA and print the figures.

    asked: sampler, steps, eta, spacing. data: the run's own unless given. out: a PNG of the samples that are nearest to a
    training image, each above it. features: a network to compare by, see `read_features`; one is trained on the spot unless
    given. Raises UsageError for an option out of its range, DataError for data that cannot be read, is of another shape than
    the run's images, or too small.
    """
    check_counts({"-n": n})
    if n < 2:
        raise UsageError(f"-n must be at least 2, got {n}")
    check_seeds(seed, n)
    network = None if features is None else read_features(features)
    source = opened(run, raw, device, asked)
    sampler, recipe = source.sampler, recipe_of(asked, source)
    data = data or sampler.config["data"]["source"]
    if not data:
        raise UsageError(f"{run} does not say what data it was trained on: give DATA to compare with")
    images = _images(data, sampler.shape)
    parts = split(images)
    n = min(n, len(parts.one))
    classes = sampler.config["network"].get("num_classes") or 0
    labels = class_labels(sampler.config, [str(k) for k in range(classes)], n)
    samples = draw(sampler, recipe, range(seed, seed + n), labels=labels).pixels
    samples = namespace(samples).asarray(samples, device="cpu")
    with console.status("comparing" if network else "learning features, comparing"):
        found = evaluate(samples, images, parts, features=network)
    if out is not None:
        _picture(out, samples, images, found, {"command": "evaluate", **source.note(), "seed": seed, "n": n, **recipe.note()})
    document = _document(found, images)
    if as_json:
        sys.stdout.write(json.dumps(document | {"recipe": recipe.note(), **source.note()}) + "\n")
        return
    _print(document, f"{run}, step {source.step}, {recipe}")
    if out is not None:
        console.print(f"the samples nearest to a training image, above it: {out}")


def _images(data: str, shape: tuple[int, int, int]) -> Images:
    """The data at the run's size; grey images as colour ones where the run's are."""
    channels, height, width = shape
    with console.status(f"reading {data}"):
        images = open_images(data, height if height == width else None, skip_bad=True)
    if images.shape == (1, height, width) and channels == 3:
        pixels = namespace(images.pixels).concat([images.pixels] * 3, axis=1)
        images = Images(pixels, images.labels, images.classes, images.name, images.skipped)
    if images.shape != shape:
        sizes = [f"{h} x {w} with {c} channel(s)" for c, h, w in (images.shape, shape)]
        raise DataError(f"{data}: its images are {sizes[0]}, the run draws {sizes[1]}: they cannot be compared")
    return images


def _document(found: Evaluation, images: Images) -> dict[str, Any]:
    return {
        "data": {"name": images.name, "images": len(images)},
        "images": found.images,
        "samples": _figures(found.samples),
        "real": _figures(found.real),
        "features": {"kind": found.features, "score": found.score},
    }


def _figures(figures: Figures) -> dict[str, float]:
    ordered = sorted(figures.distances.tolist())
    return {
        **{"kid": figures.kid, "fd": figures.fd},
        **{"nearest_smallest": ordered[0], "nearest_median": ordered[len(ordered) // 2]},
    }


def _print(document: dict[str, Any], title: str) -> None:
    count, features = document["images"], document["features"]
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    columns = ("against the data", "KID x 1000", "FD", "images", "nearest", "at least")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for name, label in (("samples", "samples"), ("real", "the data")):
        row = document[name]
        numbers = f"{1000 * row['kid']:.2f}", f"{row['fd']:.3f}", f"{count} : {count}"
        table.add_row(label, *numbers, f"{row['nearest_median']:.1f}", f"{row['nearest_smallest']:.1f}")
    screen = results()
    screen.print(table)
    screen.print(
        f"features: {_learned(features, document['data']['images'])}; figures of other features do not compare with these."
        " nearest: the median distance to an image of the data, root mean square in grey levels; at least: the smallest."
        " Samples much nearer to the data than the data is to itself are copies."
    )


def _learned(features: Mapping[str, Any], images: int) -> str:
    if features["score"] is None:
        return f"those of {features['kind']}"
    did = "classified right" if features["kind"] == "classifier" else "of the variance given back"
    return f"a small {features['kind']} trained on half of the {images} images, {features['score']:.0%} of the others {did}"


def _picture(out: Path, samples: Any, images: Images, found: Evaluation, note: dict[str, Any]) -> None:
    """Blocks of two rows: the samples whose nearest training image is nearest, and that image below each."""
    distances = found.samples.distances.tolist()
    order = sorted(range(len(distances)), key=distances.__getitem__)[: COLUMNS * BLOCKS]
    columns = min(COLUMNS, len(order))
    xp = namespace(samples)
    rows, labels = [], list[str]()
    for start in range(0, len(order) - len(order) % columns, columns):
        part = order[start : start + columns]
        near = [int(found.nearest[k]) for k in part]
        rows += [xp.stack([samples[k] for k in part]), xp.stack([images.pixels[k] for k in near])]
        labels += [f"drawn\n{distances[part[0]]:.1f} - {distances[part[-1]]:.1f} from", "nearest\nin the data"]
    save_labelled(out, labelled(xp.concat(rows), labels, columns=columns), note)
