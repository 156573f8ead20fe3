"""Everything random about one update, a function of the place in the global batch: any split of it sees the same samples."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.rng import batch_indices, generator
from diffkit_trainer.training.timesteps import draw_times

__all__ = ["Draw", "Recipe", "draw", "share"]

BLOCK = 2**24
"""The numbers of noise that one generator draws, 64 MB: of smaller blocks a batch takes more launches, of larger ones a process
throws more away."""


class Recipe(NamedTuple):
    """What a global batch is drawn by; `times` is a name of `timesteps.TIMES`, class_dropout None for no labels."""

    seed: int
    batch_size: int
    images: int
    shape: tuple[int, int, int]
    times: str = "uniform"
    flip: bool = False
    class_dropout: float | None = None


class Draw(NamedTuple):
    """What b samples get: the images' indices (b,), times (b, 1, 1, 1), noise (b, C, H, W), and whether each is mirrored or
    loses its label, (b,), None where none ever is."""

    images: Tensor
    t: Tensor
    eps: Tensor
    mirrored: Tensor | None
    unlabelled: Tensor | None

    def part(self, start: int, stop: int) -> "Draw":
        """The samples start ... stop - 1."""
        return Draw(*(None if each is None else each[start:stop] for each in self))  # type: ignore[arg-type]


def draw(recipe: Recipe, step: int, device: torch.device | str = "cpu", start: int = 0, stop: int | None = None) -> Draw:
    """The draws of a step (0, 1, ...) for the places start ... stop - 1 of the global batch, all of them unless given: a function
    of (seed, step), the place and the kind of device alone.

    Times, noise, mirroring and labels have generators of their own, so that asking for one leaves the others as they are. Of the
    noise, by far the most, no more is drawn than the blocks that these places lie in.

    >>> recipe = Recipe(seed=0, batch_size=4, images=10, shape=(1, 2, 2))
    >>> torch.equal(draw(recipe, 7).eps, draw(recipe, 7).eps), torch.equal(draw(recipe, 7).eps, draw(recipe, 8).eps)
    (True, False)
    >>> torch.equal(draw(recipe, 7, start=1, stop=3).eps, draw(recipe, 7).eps[1:3])
    True
    """
    size, seed = recipe.batch_size, recipe.seed
    stop = size if stop is None else stop
    noise = generator(seed, "noise", step, device=device)
    t = draw_times(recipe.times, (size, 1, 1, 1), generator=noise)
    index = batch_indices(seed, step, size, recipe.images)
    mirrored = _chance(recipe.flip * 0.5, seed, "flip", step, size)
    unlabelled = _chance(recipe.class_dropout, seed, "label", step, size)
    one = slice(start, stop)
    return Draw(
        index[one],
        t[one],
        _noise(recipe, step, noise, start, stop),
        None if mirrored is None else mirrored[one],
        None if unlabelled is None else unlabelled[one],
    )


def share(count: int, part: int, parts: int) -> tuple[int, int]:
    """Where part 0 ... parts - 1 of `count` things begins and ends; the parts differ by one at most.

    >>> [share(10, part, 3) for part in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def _noise(recipe: Recipe, step: int, first: torch.Generator, start: int, stop: int) -> Tensor:
    """Standard normal numbers for the places start ... stop - 1, by `first` in the first block, by its own in each other."""
    rows = max(1, BLOCK // math.prod(recipe.shape))
    parts = []
    for block in range(start // rows, -(-stop // rows)):
        begin, end = block * rows, min((block + 1) * rows, recipe.batch_size)
        source = generator(recipe.seed, "noise", step, block, device=first.device) if block else first
        whole = torch.randn((end - begin, *recipe.shape), generator=source, device=first.device)
        parts.append(whole[max(start - begin, 0) : stop - begin])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _chance(probability: float | None, seed: int, name: str, step: int, size: int) -> Tensor | None:
    return torch.rand(size, generator=generator(seed, name, step), device="cpu") < probability if probability else None
