"""Inpainting: the wrapper that keeps the black part of a mask, and the options that suit it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from diffkit_samplers import Denoise
from diffkit_samplers import inpaint as keep_known
from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_mask

from diffkit_cli.sampling.init_image import clean_image
from diffkit_cli.sampling.model import DiffusionModel

__all__ = ["Inpainting", "open_inpainting"]


class Inpainting(NamedTuple):
    """wrap: keeps the known part of an image, see `diffkit_samplers.inpaint`. fraction: of the image that is generated."""

    wrap: Callable[[Denoise], Denoise]
    fraction: float


def open_inpainting(model: DiffusionModel, image: Path, mask: Path, size: Sequence[int]) -> Inpainting:
    """That of an image, of which the white part of the mask is generated. Raises as `clean_image` and `read_mask` do."""
    x0 = clean_image(model, image, size)
    white = read_mask(mask, image, (x0.shape[1], x0.shape[2]))
    fraction = float(namespace(white).mean(as_array_of(white, model.like)))
    return Inpainting(partial(keep_known, known=x0, mask=as_array_of(~white, model.like)), fraction)
