"""diffkit doctor: what is in a folder of images, and what that means for training on it."""

from collections import Counter
from typing import Any

from diffkit_trainer import DatasetReport, inspect_images

from diffkit_cli.terminal.console import answer, plural, show, table
from diffkit_cli.terminal.progress import counting
from diffkit_cli.training.data import SIZE, is_image_folder
from diffkit_cli.training.options import check

__all__ = ["doctor", "suggestions"]

FEW = 500
LISTED = 8


def doctor(data: str, *, size: int | None, as_json: bool) -> int:
    """Look at every image of DATA, print what there is and what to do about it; the exit code, 3 where training would fail.

    size: what training will cut and resize to, 64 unless given (for IDX files and the digits: their own). Raises UsageError for
    a size outside 1 ... 4096, DataError where there is nothing to look at.
    """
    check("size", size, where="")
    with counting(f"reading {data}") as on_progress:
        found = inspect_images(data, on_progress=on_progress)
    sides = Counter(image.size for image in found.images)
    size = size or (SIZE if is_image_folder(data) else max(max(side) for side in sides))
    trains = bool(found.images) and not found.bad
    document = {
        **{"data": data, "images": len(found.images), "trains": trains},
        "sizes": [{"width": w, "height": h, "images": count} for (w, h), count in sides.most_common()],
        "modes": dict(Counter(image.mode for image in found.images).most_common()),
        "classes": dict(sorted(Counter(image.label for image in found.images if image.label is not None).items())),
        "bad": [{"file": name, "reason": why} for name, why in found.bad],
        "duplicates": found.duplicates(),
        "small": [image.name for image in found.images if min(image.size) < size],
        "suggestions": suggestions(found, size),
    }
    if as_json:
        answer(document)
    else:
        _print(document, size)
    return 0 if trains else 3


def suggestions(found: DatasetReport, size: int) -> list[str]:
    """What to do about what was found, the most pressing first."""
    images, said = found.images, list[str]()
    if found.bad:
        said.append(f"{plural(len(found.bad), 'file')} cannot be read: remove what is broken, or train with --skip-bad")
    if not images:
        return [*said, "no image is left to train on"]
    small = [min(image.size) for image in images if min(image.size) < size]
    if small:
        said.append(f"{len(small)} of {plural(len(images), 'image')} would be enlarged to {size}: try --size {min(small)}")
    label = {image.name: image.label for image in images}
    groups = found.duplicates()
    repeated = sum(len(names) - 1 for names in groups)
    crossing = sum(len({label[name] for name in names}) > 1 for names in groups)
    if crossing:
        said.append(f"in several classes: {plural(crossing, 'image')}; the network is told each of them, keep the right one")
    if repeated:
        said.append(f"{plural(repeated, 'repetition')} of other images: the network sees those more often; remove them")
    long = sum(max(image.size) >= 2 * min(image.size) for image in images)
    if long:
        said.append(f"{plural(long, 'image')} at least twice as long as wide: half or more is cut off; crop first")
    if len({image.grey for image in images}) > 1:
        said.append("grey and colour are mixed: all become RGB; convert them to one if that is not meant")
    if any(image.transparent for image in images):
        said.append("some images are transparent: they are laid on white")
    counts = Counter(image.label for image in images if image.label is not None)
    if counts and max(counts.values()) > 10 * min(counts.values()):
        rarest, least = min(counts.items(), key=lambda item: item[1])
        said.append(f"classes are uneven: {rarest} has {least} images, the largest {max(counts.values())}")
    if len(images) < FEW:
        said.append(f"{plural(len(images), 'image')} may be learned by heart: add some, or mirror with --set flip=true")
    return said


def _print(document: dict[str, Any], size: int) -> None:
    shown = table("", "")
    sizes = [f"{side['width']}x{side['height']} ({side['images']})" for side in document["sizes"]]
    rows = {
        "images": str(document["images"]),
        "sizes": _listed(sizes),
        "modes": _listed([f"{mode} ({count})" for mode, count in document["modes"].items()]),
        "classes": _listed([f"{name} ({count})" for name, count in document["classes"].items()]),
        "cannot be read": _listed([f"{bad['file']} ({bad['reason']})" for bad in document["bad"]]),
        "more than once": _listed([" = ".join(names) for names in document["duplicates"]]),
        f"smaller than {size}": _listed(document["small"]),
    }
    for name, value in rows.items():
        shown.add_row(name, value)
    for suggestion in document["suggestions"]:
        shown.add_row("suggestion", suggestion)
    verdict = "yes" if document["trains"] else "no: training on it ends with exit code 3"
    shown.add_row("trains", verdict)
    show(document["data"], shown)


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
    return ", ".join(values[:LISTED]) + more or "none"
