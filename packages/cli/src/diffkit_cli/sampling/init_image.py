"""Images that sampling starts from (SDEdit), normalised as the network's input."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_image

from diffkit_cli.errors import UsageError
from diffkit_cli.paths import file_hash
from diffkit_cli.sampling.metadata import SampleMetadata
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import OPTIONS

__all__ = ["InitImage", "clean_image", "open_init"]


class InitImage(NamedTuple):
    """The clean image x0 (C, H, W) that SDEdit starts from; strength: the largest t that is sampled; path: of its file."""

    x0: Any
    strength: float
    path: Path


def open_init(
    model: DiffusionModel,
    size: Sequence[int],
    init: Path | None,
    strength: float | None,
    like: SampleMetadata | None = None,
) -> InitImage | None:
    """The image of --init, to be noised to the largest time <= strength.

    strength in (0, 1], by default 0.6: at 1 hardly anything of the image is left. like: the metadata of the image to reproduce.
    Raises UsageError for a strength without an image, and where the image to reproduce started from an image that is not given.
    Source: Meng et al. 2022 (SDEdit), algorithm 1.
    """
    before = like.init if like else None
    theirs = f"{like.names.get('init', 'an image')} with sha256 {before}..." if like else ""
    if init is None:
        if before is not None:
            raise UsageError(f"the image of --like was generated from {theirs}: give it by --init")
        if strength is not None:
            raise UsageError("--strength needs an image to start from: give one by --init")
        return None
    if strength is None:
        strength = like.strength if like and like.strength is not None else OPTIONS["strength"].default
    x0, found = clean_image(model, init, size), file_hash(init)
    if before not in (None, found):
        raise UsageError(f"the image of --like was generated from another image, {theirs}; that of {init} is {found}...")
    return InitImage(x0, strength, init)


def clean_image(model: DiffusionModel, path: Path, size: Sequence[int]) -> Any:
    """The image, resized and normalised as the network's training images, (C, H, W).

    Raises UsageError for a network of anything but images.
    """
    if model.config.image is None:
        raise UsageError(f"{path}: this run's samples are {' x '.join(map(str, model.shape))} numbers, not 8-bit images")
    height, width = size
    pixels = read_image(path, (model.shape[0], height, width))
    xp = namespace(pixels)
    return as_array_of(model.normalisation.to_network(xp.stack([pixels])), model.like)[0]
