"""The random choices of one update: functions of the position in the global batch, so that every split has the same samples."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.options import Options
from diffkit_trainer.rng import batch_indices, generator
from diffkit_trainer.training.timesteps import sample_times

__all__ = ["BatchSpec", "RandomBatch", "block_rows", "part_bounds", "random_batch"]

BLOCK = 2**24
"""Noise values from one generator, 64 MB: smaller blocks need more kernel launches; larger ones discard more values."""

BLOCKS = 8
"""Of a batch on an accelerator, at least: of up to so many processes each generates the noise of its own part alone."""


class BatchSpec(NamedTuple):
    """What the random choices of a global batch depend on. times: see `sample_times`. class_dropout: None without classes."""

    seed: int
    batch_size: int
    images: int
    shape: tuple[int, ...]
    times: str = "uniform"
    flip: bool = False
    class_dropout: float | None = None

    @classmethod
    def of(cls, options: Options, images: Images) -> "BatchSpec":
        """The `BatchSpec` of a training run with these options on these images."""
        chosen = (options.times, options.flip, options.class_dropout)
        return cls(options.seed, options.batch_size, len(images), images.shape, *chosen)


class RandomBatch(NamedTuple):
    """The random choices of b samples.

    indices: of the images, (b,). t: (b, 1, ...), with the axes of eps. eps: noise, (b, C, *space). flipped, dropped (the class
    and the conditions): bool, (b,); None where the options flip or drop nothing.
    """

    indices: Tensor
    t: Tensor
    eps: Tensor
    flipped: Tensor | None
    dropped: Tensor | None

    def part(self, start: int, stop: int) -> "RandomBatch":
        """The samples start ... stop - 1."""
        return RandomBatch(*(None if each is None else each[start:stop] for each in self))  # type: ignore[arg-type]


def random_batch(
    spec: BatchSpec, step: int, device: torch.device | str = "cpu", start: int = 0, stop: int | None = None
) -> RandomBatch:
    """The random choices of a step (0, 1, ...) for positions start ... stop - 1 of the global batch (default: all).

    They depend on seed, step, position and the type of device alone. Flips, dropped conditions and the data order each have a
    generator; times and noise share one. An option therefore changes only its own choices. Noise is generated in blocks: only
    those of these positions.

    >>> spec = BatchSpec(seed=0, batch_size=4, images=10, shape=(1, 2, 2))
    >>> one, again, next_step = random_batch(spec, 7), random_batch(spec, 7), random_batch(spec, 8)
    >>> torch.equal(one.eps, again.eps), torch.equal(one.eps, next_step.eps)
    (True, False)
    >>> torch.equal(random_batch(spec, 7, start=1, stop=3).eps, one.eps[1:3])
    True
    """
    size, seed = spec.batch_size, spec.seed
    stop = size if stop is None else stop
    noise = generator(seed, "noise", step, device=device)
    t = sample_times(spec.times, (size, *(1,) * len(spec.shape)), generator=noise)
    index = batch_indices(seed, step, size, spec.images)
    flipped = _chance(spec.flip * 0.5, seed, "flip", step, size)
    dropped = _chance(spec.class_dropout, seed, "label", step, size)
    one = slice(start, stop)
    return RandomBatch(
        index[one],
        t[one],
        _noise(spec, step, noise, start, stop),
        None if flipped is None else flipped[one],
        None if dropped is None else dropped[one],
    )


def part_bounds(count: int, part: int, parts: int) -> tuple[int, int]:
    """(start, stop) of part 0 ... parts - 1 of `count` items; the sizes differ by at most one.

    >>> [part_bounds(10, part, 3) for part in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def block_rows(spec: BatchSpec, device: str) -> int:
    """The samples of a block of noise on a type of device.

    >>> spec = BatchSpec(seed=0, batch_size=64, images=10, shape=(3, 64, 64))
    >>> block_rows(spec, "cpu"), block_rows(spec, "cuda")
    (1365, 8)
    """
    rows = max(1, BLOCK // math.prod(spec.shape))
    return rows if device == "cpu" else min(rows, -(-spec.batch_size // BLOCKS))


def _noise(spec: BatchSpec, step: int, first: torch.Generator, start: int, stop: int) -> Tensor:
    """Standard normal numbers for positions start ... stop - 1: `first` generates block 0, a new generator each other block."""
    rows, parts = block_rows(spec, first.device.type), []
    for block in range(start // rows, -(-stop // rows)):
        begin, end = block * rows, min((block + 1) * rows, spec.batch_size)
        source = generator(spec.seed, "noise", step, block, device=first.device) if block else first
        noise = torch.randn((end - begin, *spec.shape), generator=source, device=first.device)
        parts.append(noise[max(start - begin, 0) : stop - begin])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _chance(probability: float | None, seed: int, name: str, step: int, size: int) -> Tensor | None:
    return torch.rand(size, generator=generator(seed, name, step), device="cpu") < probability if probability else None
