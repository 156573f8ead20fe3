"""Pictures that begin with a picture: SDEdit, and drawing anew what a mask leaves free."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffkit_schedules import as_array_of, namespace
from diffkit_trainer import read_image

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.generate import Start
from diffkit_cli.sampling.model import Sampler

__all__ = ["clean", "digest", "start_from"]

STRENGTH = 0.6


def start_from(
    sampler: Sampler,
    size: tuple[int, int],
    init: Path | None,
    strength: float | None,
    like: Path | None = None,
    then: Mapping[str, Any] | None = None,
) -> tuple[Start | None, dict[str, Any]]:
    """Where SDEdit starts, and what a picture's note says of it: the image `init`, noised to the first time <= strength.

    strength in (0, 1], 0.6 unless given: 1 keeps hardly anything of the image. like, then: a picture that is to be drawn again,
    and its note. Raises UsageError for a strength without an image, one out of its range, and a noted picture whose image is
    missing or another. Source: Meng et al. 2022 (SDEdit), algorithm 1.
    """
    then = then or {}
    if init is None:
        if "init" in then:
            raise UsageError(f"{like} was drawn from an image, sha256 {then['init']}: give it by --init")
        if strength is not None:
            raise UsageError("--strength says how much of an image to change: give one by --init")
        return None, {}
    strength = then.get("strength", STRENGTH) if strength is None else strength
    if type(strength) not in (int, float) or not 0 < strength <= 1:
        raise UsageError(f"--strength must be in (0, 1], got {strength}")
    x0 = clean(sampler, init, size)
    found = digest(init)
    if then.get("init", found) != found:
        raise UsageError(f"{like} was drawn from another image, sha256 {then['init']}; {init} is {found}")
    return Start(x0, strength), {"init": found, "strength": strength}


def digest(path: Path) -> str:
    """What a note calls a file: the beginning of the sha256 of its bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def clean(sampler: Sampler, path: Path, size: tuple[int, int]) -> Any:
    """The image as the network sees clean data, (C, H, W)."""
    pixels = read_image(path, (sampler.shape[0], *size))
    xp = namespace(pixels)
    return as_array_of(sampler.normalisation.to_network(xp.stack([pixels])), sampler.like)[0]
