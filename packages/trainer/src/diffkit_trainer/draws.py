"""Everything random about one update, drawn for the whole global batch and sliced: any split of it sees the same samples."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.order import batch_indices, generator
from diffkit_trainer.times import draw_times

__all__ = ["Draw", "Recipe", "draw", "share"]


class Recipe(NamedTuple):
    """What a global batch is drawn by; `times` is a name of `diffkit_trainer.times.TIMES`, class_dropout None for no labels."""

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


def draw(recipe: Recipe, step: int, device: torch.device | str = "cpu") -> Draw:
    """The draws of a step (0, 1, ...), for the whole global batch: a function of (seed, step) and the kind of device alone.

    Times, noise, mirroring and labels have generators of their own, so that asking for one leaves the others as they are.

    >>> recipe = Recipe(seed=0, batch_size=4, images=10, shape=(1, 2, 2))
    >>> torch.equal(draw(recipe, 7).eps, draw(recipe, 7).eps), torch.equal(draw(recipe, 7).eps, draw(recipe, 8).eps)
    (True, False)
    """
    size, seed = recipe.batch_size, recipe.seed
    noise = generator(seed, "noise", step, device=device)
    t = draw_times(recipe.times, (size, 1, 1, 1), generator=noise)
    eps = torch.randn((size, *recipe.shape), generator=noise, device=device)
    index = batch_indices(seed, step, size, recipe.images)
    return Draw(
        index,
        t,
        eps,
        _chance(recipe.flip * 0.5, seed, "flip", step, size),
        _chance(recipe.class_dropout, seed, "label", step, size),
    )


def share(count: int, part: int, parts: int) -> tuple[int, int]:
    """Where part 0 ... parts - 1 of `count` things begins and ends; the parts differ by one at most.

    >>> [share(10, part, 3) for part in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def _chance(probability: float | None, seed: int, name: str, step: int, size: int) -> Tensor | None:
    return torch.rand(size, generator=generator(seed, name, step)) < probability if probability else None
