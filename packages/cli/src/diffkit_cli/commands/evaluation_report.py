"""What an evaluation found: as JSON, as a table, and as a picture of what is most like the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules import namespace
from diffkit_trainer import Evaluation, Images, Scores, save_figure, with_captions

from diffkit_cli.terminal.console import results, show, table

__all__ = ["document", "picture", "print_figures"]

COLUMNS, BLOCKS = 10, 3


def document(found: Evaluation, images: Images) -> dict[str, Any]:
    return {
        "data": {"name": images.name, "images": len(images)},
        "images": found.images,
        "samples": _figures(found.samples),
        "real": _figures(found.real),
        "features": {"kind": found.features, "score": found.score},
    }


def _figures(figures: Scores) -> dict[str, float]:
    ordered = sorted(figures.distances.tolist())
    return {
        **{"kid": figures.kid, "fd": figures.fd},
        **{"nearest_smallest": ordered[0], "nearest_median": ordered[len(ordered) // 2]},
    }


def print_figures(document: dict[str, Any], title: str) -> None:
    count, features = document["images"], document["features"]
    shown = table("against the data", "KID x 1000", "FD", "images", "nearest", "at least")
    for name, label in (("samples", "samples"), ("real", "the data")):
        row = document[name]
        numbers = f"{1000 * row['kid']:.2f}", f"{row['fd']:.3f}", f"{count} : {count}"
        shown.add_row(label, *numbers, f"{row['nearest_median']:.1f}", f"{row['nearest_smallest']:.1f}")
    show(title, shown)
    results().print(
        f"features: {_learned(features, document['data']['images'])}; figures of other features do not compare with these."
        " nearest: the median distance to an image of the data, root mean square in grey levels; at least: the smallest."
        " Samples much nearer to the data than the data is to itself are copies."
    )


def _learned(features: Mapping[str, Any], images: int) -> str:
    if features["score"] is None:
        return f"those of {features['kind']}"
    did = "classified right" if features["kind"] == "classifier" else "of the variance given back"
    return f"a small {features['kind']} trained on half of the {images} images, {features['score']:.0%} of the others {did}"


def picture(out: Path, samples: Any, images: Images, found: Evaluation, note: dict[str, Any]) -> None:
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
    save_figure(out, with_captions(xp.concat(rows), labels, columns=columns), note)
