"""The loss: how well the network says what the noise was."""

from collections.abc import Callable
from typing import Any

import torch
from diffkit_schedules import Schedule, add_noise, condition_value, target, timesteps_of
from torch import Tensor
from torch.nn import functional

__all__ = ["LOSSES", "loss"]

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mae": functional.l1_loss, "mse": functional.mse_loss}
"""The errors that have a name."""


def loss(
    model: Callable[..., Tensor],
    schedule: Schedule,
    x0: Tensor,
    *,
    prediction: str = "eps",
    condition: str = "variance",
    kind: str = "mae",
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Tensor:
    """The mean error of the network's output at random noise levels, a scalar with a graph.

        mean | model(alpha x0 + sigma eps, c) - target |,   t uniform in [0, 1), eps standard normal

    x0: (B, ...); each sample has a t of its own. prediction: what the network says, see diffkit_schedules.target.
    condition: what it is told, as c of shape (B,), see diffkit_schedules.condition_value; with "index", t is one of the
    table's. kind: "mae" or "mse". generator: of x0's device. model_kwargs go to the model.
    Raises ValueError for an unknown kind, prediction or condition.
    Source: Ho, Jain and Abbeel 2020, equation 14; the mean absolute error is the Keras tutorial's.

    >>> from diffkit_schedules import rectified
    >>> zero = lambda x, c: torch.zeros_like(x)
    >>> round(loss(zero, rectified(), torch.zeros(4, 1, 64, 64), kind="mse").item(), 1)
    1.0
    """
    if kind not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}; got {kind!r}")
    t = torch.rand((x0.shape[0], *(1,) * (x0.ndim - 1)), generator=generator, device=x0.device)
    if condition == "index":
        steps = timesteps_of(schedule)
        t = (t * steps).floor().add(1) / steps
    eps = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
    rates = schedule(t)
    level = condition_value(schedule, t, condition).flatten()
    level = level.round().long() if condition == "index" else level.to(x0.dtype)
    out = model(add_noise(x0, eps, rates), level, **model_kwargs)
    return LOSSES[kind](out, target(x0, eps, rates, prediction))
