"""The training loss."""

from collections.abc import Callable
from typing import Any

import torch
from diffkit_schedules import Schedule, add_noise, condition_value, target, timesteps_of, weight
from torch import Tensor
from torch.nn import functional

from diffkit_trainer.training.timesteps import sample_times

__all__ = ["LOSSES", "loss", "losses"]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mae": functional.l1_loss,
    "mse": functional.mse_loss,
    "huber": functional.smooth_l1_loss,
}
"""The errors by name; huber is half the squared error up to 1, and the absolute error minus one half above."""

MIN_SCALE = 1e-6
"""The smallest divisor: at an end of the schedule the target may be known exactly, and its scale is 0."""


def loss(model: Callable[..., Tensor], schedule: Schedule, x0: Tensor, **options: Any) -> Tensor:
    """The mean error of the network's output at random noise levels, a scalar with a graph: the mean of `losses`.

    >>> from diffkit_schedules import rectified
    >>> zero = lambda x, c: torch.zeros_like(x)
    >>> round(loss(zero, rectified(), torch.zeros(4, 1, 64, 64), kind="mse").item(), 1)
    1.0
    """
    return losses(model, schedule, x0, **options).mean()


def losses(
    model: Callable[..., Tensor],
    schedule: Schedule,
    x0: Tensor,
    *,
    prediction: str = "eps",
    condition: str = "variance",
    kind: str = "mae",
    weighting: str = "uniform",
    gamma: float = 5.0,
    times: str = "uniform",
    generator: torch.Generator | None = None,
    t: Tensor | None = None,
    eps: Tensor | None = None,
    scale: Callable[[Tensor], Tensor] | None = None,
    **model_kwargs: Any,
) -> Tensor:
    """Each sample's error at a random noise level, (B,), with a graph.

        w(t) mean | model(alpha x0 + sigma eps, c) - target |,   t ~ times, eps standard normal

    x0: (B, ...); each sample has its own t. prediction: see diffkit_schedules.target. condition: c of shape (B,), see
    diffkit_schedules.condition_value; with "index", t is moved up to the next timestep of the table. kind: "mae", "mse" or
    "huber". weighting, gamma: w, see diffkit_schedules.weight, whose formulas are for squared errors. times: see `sample_times`.
    generator: on x0's device; or give t of shape (B, 1, ...) and eps of x0's shape. scale: from c to (B,); where the weighting is
    "uniform", output and target are divided by it, so that the error is that of a network whose targets have unit variance.
    model_kwargs: further arguments of the model. The error is computed in the type of x0, float32 in training, for every type of
    the output.
    Raises ValueError for an unknown kind, prediction, condition, weighting or times, and an output of another shape than
    x0.
    Source: Ho, Jain and Abbeel 2020, equation 14; the mean absolute error is the Keras tutorial's.

    >>> from diffkit_schedules import rectified
    >>> right = lambda x, c: x / c.sqrt()[:, None]  # x0 is 0 and x is sigma eps; c is sigma^2
    >>> losses(right, rectified(), torch.zeros(3, 5), t=torch.full((3, 1), 0.5))
    tensor([0., 0., 0.])
    """
    if kind not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}; got {kind!r}")
    if t is None:
        generator = generator or _unseeded(x0.device)
        t = sample_times(times, (x0.shape[0], *(1,) * (x0.ndim - 1)), generator=generator)
    if condition == "index":
        steps = timesteps_of(schedule)
        t = (t * steps).floor().add(1) / steps
    if eps is None:
        generator = generator or _unseeded(x0.device)
        eps = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
    rates = schedule(t)
    level = condition_value(schedule, t, condition).flatten()
    level = level.round().long() if condition == "index" else level.to(x0.dtype)
    out = model(add_noise(x0, eps, rates), level, **model_kwargs)
    wanted = target(x0, eps, rates, prediction)
    if out.shape != wanted.shape:  # or torch would broadcast one to the other
        raise ValueError(f"the network's output must have its input's shape, {tuple(x0.shape)}; got {tuple(out.shape)}")
    out = out.to(wanted.dtype)
    if scale is not None and weighting == "uniform":
        unit = scale(level).clamp(min=MIN_SCALE).to(wanted.dtype).reshape(-1, *(1,) * (x0.ndim - 1))
        out, wanted = out / unit, wanted / unit
    errors = LOSSES[kind](out, wanted, reduction="none").flatten(1).mean(1)  # (B,)
    return errors if weighting == "uniform" else errors * weight(rates, weighting, prediction, gamma).flatten()


def _unseeded(device: torch.device) -> torch.Generator:
    """A generator seeded from torch's global one; on the CPU, so that the host does not wait for a device."""
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), device="cpu")))
