"""Images that sampling starts from (SDEdit), normalised as the network's input."""

import hashlib
from pathlib import Path
from typing import Any

from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_image

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.generate import InitImage
from diffkit_cli.sampling.metadata import SampleMetadata
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import OPTIONS

__all__ = ["clean_image", "file_hash", "open_init"]


def open_init(
    model: DiffusionModel,
    size: tuple[int, int],
    init: Path | None,
    strength: float | None,
    like: Path | None = None,
    metadata: SampleMetadata | None = None,
) -> tuple[InitImage | None, dict[str, Any]]:
    """The image of --init, noised to the largest time <= strength, and the metadata of an image that starts from it.

    strength in (0, 1], by default 0.6: at 1 hardly anything of the image is left. like, metadata: the image to reproduce. Raises
    UsageError for a strength without an image, and where the image to reproduce started from an image that is not given.
    Source: Meng et al. 2022 (SDEdit), algorithm 1.
    """
    before = metadata.init if metadata else None
    if init is None:
        if before is not None:
            raise UsageError(f"{like} was generated from an image with sha256 {before}...: give it by --init")
        if strength is not None:
            raise UsageError("--strength needs an image to start from: give one by --init")
        return None, {}
    if strength is None:
        strength = metadata.strength if metadata and metadata.strength is not None else OPTIONS["strength"].default
    x0, found = clean_image(model, init, size), file_hash(init)
    if before not in (None, found):
        raise UsageError(f"{like} was generated from another image, with sha256 {before}...; that of {init} is {found}...")
    return InitImage(x0, strength), {"init": found, "strength": strength}


def file_hash(path: Path) -> str:
    """The first 16 digits of the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def clean_image(model: DiffusionModel, path: Path, size: tuple[int, int]) -> Any:
    """The image, resized and normalised as the network's training images, (C, H, W)."""
    pixels = read_image(path, (model.shape[0], *size))
    xp = namespace(pixels)
    return as_array_of(model.normalisation.to_network(xp.stack([pixels])), model.like)[0]
