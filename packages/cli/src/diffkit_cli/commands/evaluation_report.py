"""What an evaluation found: as JSON, as a table, and as a picture of what is most like the data."""

from pathlib import Path
from typing import Any

from diffkit_schedules import namespace
from diffkit_trainer import Evaluation, Images, labelled_grid, save_png

from diffkit_cli.terminal.console import results, show, table

__all__ = ["document", "picture", "print_figures"]

COLUMNS, BLOCKS = 10, 3


def document(found: Evaluation, images: Images) -> dict[str, Any]:
    return {
        "data": {"name": images.name, "images": len(images)},
        "images": found.images,
        "samples": dict(found.samples),
        "real": dict(found.real),
        "features": {"kind": found.features, "score": found.score},
    }


def print_figures(found: Evaluation, images: Images, title: str) -> None:
    shown = table("against the data", "images", *found.samples.texts())
    for label, scores in (("samples", found.samples), ("the data", found.real)):
        shown.add_row(label, f"{found.images} : {found.images}", *scores.texts().values())
    show(title, shown)
    explained = "; ".join(f"{heading}: {meaning}" for heading, meaning in found.samples.explanations().items())
    results().print(
        f"features: {_learned(found, len(images))}; scores of other features do not compare with these. {explained}."
        " Samples much nearer to the data than the data is to itself are copies."
    )


def _learned(found: Evaluation, images: int) -> str:
    if found.score is None:
        return f"those of {found.features}"
    did = "classified correctly" if found.features == "classifier" else "of the variance reconstructed"
    return f"a small {found.features} trained on half of the {images} images, {found.score:.0%} of the others {did}"


def picture(out: Path, samples: Any, images: Images, found: Evaluation, note: dict[str, Any]) -> None:
    """Blocks of two rows: the samples whose nearest training image is nearest, and that image below each."""
    distances = found.distances.tolist()
    order = sorted(range(len(distances)), key=distances.__getitem__)[: COLUMNS * BLOCKS]
    columns = min(COLUMNS, len(order))
    xp = namespace(samples)
    rows, labels = [], list[str]()
    for start in range(0, len(order) - len(order) % columns, columns):
        part = order[start : start + columns]
        near = [int(found.nearest[k]) for k in part]
        rows += [xp.stack([samples[k] for k in part]), xp.stack([images.pixels[k] for k in near])]
        labels += [f"drawn\n{distances[part[0]]:.1f} - {distances[part[-1]]:.1f} from", "nearest\nin the data"]
    save_png(labelled_grid(xp.concat(rows), labels, columns=columns), out, note)
