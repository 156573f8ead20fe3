"""Pairs: each sample of a data set with one of another, such as an image with its low-resolution copy."""

from dataclasses import replace

import torch

from diffkit_trainer.data.conditions.match import listed, match_names
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.statistics import statistics_of
from diffkit_trainer.errors import DataError

__all__ = ["GIVEN", "with_given"]

GIVEN = "given"
"""The name of the condition."""


def with_given(images: Images, given: Images, *, skip_bad: bool = False) -> Images:
    """The images with the condition "given": for each its pair in another data set.

    Files are paired by name, see `match_names`; samples without files by their order. The two may differ in size and channels,
    not in the number of axes. skip_bad: leave out samples without a pair; otherwise DataError lists them. What has no partner
    among the images is counted in `warnings`. Raises DataError if the numbers of samples without files differ, and for
    samples that are not finite.
    """
    if len(images.shape) != len(given.shape):
        raise DataError(f"{given.name}: samples {_text(given)}, those of {images.name} are {_text(images)}: the axes differ")
    warnings = images.warnings
    if given.pixels.dtype != torch.uint8:
        statistics_of(given.pixels, given.name)  # refuses NaN
    if images.files and given.files:
        rows = match_names(images.files, given.files)
        if None in rows:
            missing = [file for file, row in zip(images.files, rows, strict=True) if row is None]
            text = f"{len(missing)} of {len(images)} files of {images.name}"
            if not skip_bad or len(missing) == len(images):
                way_out = "" if skip_bad else "; add them, remove these, or pass --skip-bad"
                raise DataError(f"{given.name}: no pair of {text}: {listed(missing)}{way_out}")
            warnings += (f"no pair: {text}, left out",)
            images = _kept(images, [i for i, row in enumerate(rows) if row is not None])
        chosen = torch.tensor([row for row in rows if row is not None])
        if unused := len(given) - len(chosen.unique()):
            warnings += (f"no pair: {unused} of {len(given)} files of {given.name}, left out",)
        in_order = torch.equal(chosen, torch.arange(len(given)))
        pixels = given.pixels if in_order else given.pixels[chosen]
    elif len(images) != len(given):
        raise DataError(f"{given.name}: {len(given)} samples, expected {len(images)}, one for each of {images.name}")
    else:
        pixels = given.pixels
    return replace(images, warnings=warnings, conditions={**images.conditions, GIVEN: pixels})


def _kept(images: Images, rows: list[int]) -> Images:
    index = torch.tensor(rows)
    return replace(
        images,
        pixels=images.pixels[index],
        labels=None if images.labels is None else images.labels[index],
        files=tuple(images.files[row] for row in rows),
        conditions={name: each[index] for name, each in images.conditions.items()},
    )


def _text(images: Images) -> str:
    return " x ".join(map(str, images.shape))
