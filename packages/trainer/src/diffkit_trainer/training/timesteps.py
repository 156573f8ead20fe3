"""The distribution of t in training."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["TIMES", "sample_times"]


def sample_times(kind: str, shape: tuple[int, ...], *, generator: torch.Generator) -> Tensor:
    """Times in [0, 1), float32 on the generator's device, one for each sample.

    uniform: t ~ U[0, 1). logit_normal: t = 1 / (1 + exp(-z)), z standard normal: more times in the middle. stratified: t_i =
    (u + i) / B modulo 1 with a single u, in random order: each is uniform, and together they cover [0, 1) evenly, which
    removes most of the variance by t from the mean loss of a batch.
    Raises ValueError for an unknown kind.
    Source: Esser et al. 2024, section 3.1 (logit-normal); Kingma et al. 2021, appendix I.1 (stratified).

    >>> t = sample_times("stratified", (4, 1, 1, 1), generator=torch.Generator().manual_seed(0))
    >>> sorted((4 * t).floor().flatten().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """
    if kind not in TIMES:
        raise ValueError(f"times must be one of {', '.join(map(repr, TIMES))}; got {kind!r}")
    return TIMES[kind](shape, generator)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _logit_normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    # float32 rounds the sigmoid of 17 and more to 1, where eps or x0 may be undefined
    return torch.randn(shape, generator=generator, device=generator.device).sigmoid().clamp(max=1 - 2**-24)


def _stratified(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    count = shape[0]
    # without a permutation the samples of one part of the batch would have similar times
    stratum = torch.randperm(count, generator=generator, device=generator.device).reshape(shape)
    return ((torch.rand((), generator=generator, device=generator.device) + stratum) / count).remainder(1)


TIMES: dict[str, Callable[[tuple[int, ...], torch.Generator], Tensor]] = {
    "uniform": _uniform,
    "logit_normal": _logit_normal,
    "stratified": _stratified,
}
"""The distributions of t by name."""
