"""The learning rate over the updates, as a factor of its peak."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LR_SCHEDULES"]


def cosine(fraction: "Tensor") -> "Tensor":
    """(1 + cos(pi u)) / 2, from 1 to 0. Source: Loshchilov and Hutter 2017 (SGDR), equation 5, without restarts."""
    return (1 + (math.pi * fraction).cos()) / 2


LR_SCHEDULES: dict[str, "Callable[[Tensor], Tensor] | None"] = {"constant": None, "cosine": cosine}
"""factor(u) of each schedule, u = min(n / decay_steps, 1) after n updates; None where the learning rate stays at its peak.

`Options.lr_schedule` takes these names: a new schedule is an entry here.
"""
