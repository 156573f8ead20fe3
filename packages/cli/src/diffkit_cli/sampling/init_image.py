"""Images that sampling starts from (SDEdit), normalised as the network's input."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_image

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.metadata import SampleMetadata
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import OPTIONS

__all__ = ["InitImage", "clean_image", "file_hash", "open_init"]


class InitImage(NamedTuple):
    """The clean image x0 (C, H, W) that SDEdit starts from; strength: the largest t that is sampled; path: of its file."""

    x0: Any
    strength: float
    path: Path


def open_init(
    model: DiffusionModel,
    size: tuple[int, int],
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


def file_hash(path: Path) -> str:
    """The first 16 digits of the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def clean_image(model: DiffusionModel, path: Path, size: tuple[int, int]) -> Any:
    """The image, resized and normalised as the network's training images, (C, H, W)."""
    pixels = read_image(path, (model.shape[0], *size))
    xp = namespace(pixels)
    return as_array_of(model.normalisation.to_network(xp.stack([pixels])), model.like)[0]
