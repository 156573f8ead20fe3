"""What is in a data set, and what to do about it before training."""

from collections import Counter
from fractions import Fraction
from typing import Any

from diffkit_trainer import DatasetReport, ImageReport
from diffkit_trainer.data import Size, height_and_width
from diffkit_trainer.options import shown

from diffkit_cli.recipes import default_preset, recipe_of
from diffkit_cli.terminal.console import listed, plural, show, table

__all__ = ["as_document", "print_document", "suggestions"]

SMALL_DATASET = 500
MIN_KEPT = 0.5
"""The part of an image up to which so much is cropped that it is said."""
UNEVEN = 10
SIDES = {1: ("length",), 2: ("width", "height"), 3: ("width", "height", "depth")}
"""Of a sample, by their number."""


def as_document(data: str, report: DatasetReport, size: Size) -> dict[str, Any]:
    """The report as JSON. size: what training resizes to."""
    images = report.images
    sides = Counter(image.size for image in images)
    return {
        **{"data": data, "images": len(images), "trains": bool(images) and not report.bad},
        "sizes": [dict(zip(SIDES[len(size)], size, strict=True)) | {"images": count} for size, count in sides.most_common()],
        "modes": dict(Counter(image.mode for image in images).most_common()),
        "classes": dict(sorted(Counter(image.label for image in images if image.label is not None).items())),
        **{"left_out": dict(report.left_out), "warnings": list(report.warnings)},
        "bad": [{"file": name, "reason": why} for name, why in report.bad],
        "duplicates": report.duplicates(),
        "small": [image.name for image in images if _scale(image, size) < 1],
        "suggestions": suggestions(report, size),
    }


def suggestions(report: DatasetReport, size: Size) -> list[str]:
    """What to do about the report, the most important first."""
    images, found = report.images, list[str]()
    if report.bad:
        found.append(f"{plural(len(report.bad), 'file')} cannot be read: remove the broken ones, or train with --skip-bad")
    if not images:
        return [*found, "no image is left to train on"]
    small = [scale for image in images if (scale := _scale(image, size)) < 1]
    if small:
        smaller = tuple(max(1, int(side * min(small))) for side in height_and_width(size))
        fewer = f"try --size {smaller[0] if isinstance(size, int) else shown(smaller)}"
        way_out = fewer if 2 * len(small) > len(images) else "remove them, or train at a smaller --size"
        found.append(f"{len(small)} of {plural(len(images), 'image')} would be enlarged to {shown(size)}: {way_out}")
    label = {image.name: image.label for image in images}
    groups = report.duplicates()
    repeated = sum(len(names) - 1 for names in groups)
    crossing = sum(len({label[name] for name in names}) > 1 for names in groups)
    if crossing:
        found.append(f"in several classes: {plural(crossing, 'image')}; keep each in the right class only")
    if repeated:
        found.append(f"{plural(repeated, 'duplicate')} of other images: the network sees those more often; remove them")
    long = sum(_kept(image, size) <= MIN_KEPT for image in images)
    if long:
        found.append(f"half or more of {plural(long, 'image')} is cropped: crop them first, or give --size HEIGHTxWIDTH")
    if len({image.grey for image in images}) > 1:
        found.append("grey and colour images are mixed: all become RGB; convert them to one mode if that is not intended")
    if any(image.transparent for image in images):
        found.append("some images are transparent: their background becomes white; --set mode=RGBA keeps the transparency")
    if all(image.mode.startswith("I") for image in images):
        found.append("the images have 16 bits, of which 8 are kept; --set mode=L16 keeps all")
    counts = Counter(image.label for image in images if image.label is not None)
    if counts and max(counts.values()) > UNEVEN * min(counts.values()):
        rarest, smallest = min(counts.items(), key=lambda item: item[1])
        found.append(f"classes are uneven: {rarest} has {smallest} images, the largest {max(counts.values())}")
    if len(images) < SMALL_DATASET:
        flips = recipe_of(default_preset(min(height_and_width(size)))).get("flip", False)
        mirror = "" if flips else ", or mirror them with --set flip=true where that is harmless"
        found.append(f"{plural(len(images), 'image')} may be memorised: add more{mirror}")
    return found


def print_document(document: dict[str, Any], size: Size) -> None:
    """Print what `as_document` gives as a table."""
    found_table = table("", "")
    sizes = [f"{_extent(side)} ({side['images']})" for side in document["sizes"]]
    rows = {
        "images": str(document["images"]),
        "sizes": listed(sizes),
        "modes": listed([f"{mode} ({count})" for mode, count in document["modes"].items()]),
        "classes": listed([f"{name} ({count})" for name, count in document["classes"].items()]),
        "cannot be read": listed([f"{bad['file']} ({bad['reason']})" for bad in document["bad"]]),
        "duplicates": listed([" = ".join(names) for names in document["duplicates"]]),
        f"smaller than {shown(size)}": listed(document["small"]),
    }
    for name, value in rows.items():
        found_table.add_row(name, value)
    for warning in document["warnings"]:
        found_table.add_row(*warning.split(": ", 1))
    for suggestion in document["suggestions"]:
        found_table.add_row("suggestion", suggestion)
    found_table.add_row("trains", "yes" if document["trains"] else "no: diffkit train would end with exit code 3")
    show(document["data"], found_table)


def _extent(side: dict[str, int]) -> str:
    """A size as --size takes it, height first."""
    return "x".join(str(side[name]) for name in ("depth", "height", "width", "length") if name in side)


def _scale(image: ImageReport, size: Size) -> Fraction:
    """By how much an image is reduced at most to this size: below 1 it is enlarged. Other samples keep their size."""
    if len(image.size) != 2:
        return Fraction(1)
    height, width = height_and_width(size)
    return min(Fraction(image.size[0], width), Fraction(image.size[1], height))


def _kept(image: ImageReport, size: Size) -> float:
    """The part of an image that is left when it is cropped to the proportions of this size."""
    if len(image.size) != 2:
        return 1
    height, width = height_and_width(size)
    one, other = image.size[0] * height, image.size[1] * width
    return min(one, other) / max(one, other)
