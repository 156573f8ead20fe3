"""How an image is drawn from its noise: sampler, steps, eta, spacing, size, guidance."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from diffkit_samplers import SPACINGS
from diffkit_schedules import Schedule, timesteps_of

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.console import plural

__all__ = ["METHODS", "Recipe", "parse_size"]

LARGEST = {"steps": 10**6, "size": 4096}


class Method(NamedTuple):
    """A sampler's update, by its name in `diffkit_samplers.METHODS`, and the eta that is meant by the sampler's name."""

    update: str
    eta: float


METHODS = {
    "ddim": Method("ddim", 0.0),
    "ddpm": Method("ddim", 1.0),
    "heun": Method("heun", 0.0),
    "dpmpp_2m": Method("dpmpp_2m", 0.0),
    "dpmpp_2m_sde": Method("dpmpp_2m", 1.0),
    "euler_ancestral": Method("ddim", 1.0),
}
"""What --sampler takes. One update at several values of eta goes by several names; ddpm also takes every step there is."""


@dataclass(frozen=True)
class Recipe:
    """Everything that makes an image of its noise and of the network. Raises UsageError for a value out of its range.

    >>> Recipe(size=(8, 8)).sampler
    'ddim'
    """

    size: tuple[int, int]
    sampler: str = "ddim"
    steps: int = 20
    eta: float = 0.0
    spacing: str = "uniform"
    guidance: float = 1.0

    def __post_init__(self) -> None:
        _one_of("--sampler", self.sampler, METHODS)
        _one_of("--spacing", self.spacing, SPACINGS)
        if not 1 <= self.steps <= LARGEST["steps"]:
            raise UsageError(f"--steps must be from 1 to {LARGEST['steps']}, got {self.steps}")
        if not 0 <= self.eta <= 1:
            raise UsageError(f"--eta must be in [0, 1] (0 = DDIM, 1 = DDPM), got {self.eta}")
        if not math.isfinite(self.guidance):
            raise UsageError(f"--guidance must be a number (1 = off), got {self.guidance}")

    @classmethod
    def of(cls, asked: Mapping[str, Any], schedule: Schedule, size: tuple[int, int]) -> "Recipe":
        """The recipe of the options that were given; the sampler decides eta and, for ddpm, the number of steps otherwise."""
        values = {key: asked[key] for key in cls.__dataclass_fields__ if key in asked} | {"size": size}
        for key in ("sampler", "spacing"):
            if key in values:
                values[key] = values[key].replace("-", "_")
        sampler = values.get("sampler", "ddim")
        if sampler in METHODS:
            values.setdefault("eta", METHODS[sampler].eta)
        if sampler == "ddpm":
            values.setdefault("steps", timesteps_of(schedule))
        return cls(**values)

    @property
    def update(self) -> str:
        """The name of the sampler's update for `diffkit_samplers.trajectory`."""
        return METHODS[self.sampler].update

    def note(self) -> dict[str, Any]:
        """The recipe as plain JSON."""
        return asdict(self) | {"size": list(self.size)}

    def __str__(self) -> str:
        guided = f", guidance {self.guidance:g}" if self.guidance != 1 else ""
        spaced = f", {self.spacing} spacing" if self.spacing != "uniform" else ""
        return f"{plural(self.steps, 'step')} of {self.sampler}, eta {self.eta:g}{spaced}{guided}"


def parse_size(text: str) -> tuple[int, int]:
    """HxW or N as (height, width). Raises UsageError for anything else, and for a side outside 1 ... 4096.

    >>> parse_size("32x48"), parse_size("64")
    ((32, 48), (64, 64))
    """
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", text.strip().lower(), re.ASCII)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= LARGEST["size"] for side in size):
        raise UsageError(f"--size must be N or HEIGHTxWIDTH, each from 1 to {LARGEST['size']}, got {text!r}")
    return size


def _one_of(flag: str, value: str, names: Any) -> None:
    if value not in names:
        raise UsageError(f"{flag} must be one of {', '.join(names)}; got {value!r}")
