"""Normalisation: conversion between the values of samples, such as 8-bit pixels, and the network's input."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.data.statistics import statistics_of

__all__ = ["NORMALISATIONS", "Normalisation"]


class Normalisation(NamedTuple):
    """x = (value - mean) / std for each channel, and back; the value of a uint8 pixel is pixel / 255.

    mean, std: one number for each channel, in the unit of the values.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: Images, kind: str = "data") -> "Normalisation":
        """The normalisation of a data set, by one of `NORMALISATIONS`. Raises ValueError for another kind, or "range" of floats.

        >>> Normalisation.of(Images(torch.zeros(1, 1, 2, 2, dtype=torch.uint8)), "range")
        Normalisation(mean=(0.5,), std=(0.5,))
        """
        if kind not in NORMALISATIONS:
            raise ValueError(f"normalise must be one of {', '.join(map(repr, NORMALISATIONS))}; got {kind!r}")
        if kind == "range" and images.pixels.dtype != torch.uint8:
            raise ValueError(f"normalise 'range' is for uint8 pixels, got {images.pixels.dtype}: use 'data'")
        return cls(*NORMALISATIONS[kind](images))

    @classmethod
    def of_conditions(cls, images: Images) -> dict[str, "Normalisation"]:
        """That of each condition by its own statistics, for each channel, the axis after N; one number for a condition (N,)."""
        given = images.conditions.items()
        return {name: cls(*statistics_of(each.reshape(len(each), -1) if each.ndim == 1 else each, name)) for name, each in given}

    def to_network(self, pixels: Tensor) -> Tensor:
        """Samples (B, C, *space), uint8 or float, as float32 x.

        >>> Normalisation((0.5,), (0.25,)).to_network(torch.tensor([[[[255]]]], dtype=torch.uint8)).item()
        2.0
        """
        mean, std = self._columns(pixels)
        return ((pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()) - mean) / std

    def to_values(self, x: Tensor) -> Tensor:
        """x (B, C, *space) as float32 values; those of uint8 pixels as fractions of 255.

        >>> Normalisation((10.0,), (2.0,)).to_values(torch.tensor([[[1.5]]])).item()
        13.0
        """
        mean, std = self._columns(x)
        return x.float() * std + mean

    def to_pixels(self, x: Tensor) -> Tensor:
        """x (B, C, *space) as uint8 pixels, rounded and clipped to [0, 255].

        >>> Normalisation((0.5,), (0.25,)).to_pixels(torch.tensor([[[[9.0]]]])).item()
        255
        """
        return (self.to_values(x) * 255).round().clamp(0, 255).to(torch.uint8)

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        axes = x.ndim - 2
        return _column(tuple(self.mean), x.device, axes), _column(tuple(self.std), x.device, axes)


def _to_unit_range(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    half = (0.5,) * images.shape[0]
    return half, half


NORMALISATIONS: dict[str, Callable[[Images], tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "data": Images.statistics,
    "range": _to_unit_range,
}
"""Name: the mean and deviation for a data set. "data": its own, as in the Keras tutorial; "range": to [-1, 1], as in DDPM."""


@lru_cache(maxsize=16)  # a copy to an accelerator makes the host wait: once, not every step
def _column(values: tuple[float, ...], device: torch.device, axes: int) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(values, device=device).reshape(-1, *(1,) * axes)
