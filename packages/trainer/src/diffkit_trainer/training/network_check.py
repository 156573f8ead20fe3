"""One call of a network of one's own, before the first step of a training."""

import math
from typing import Any

import torch
from diffkit_schedules import Schedule, condition_value, timesteps_of
from torch import Tensor, nn

from diffkit_trainer.data.images import Images
from diffkit_trainer.options import Options
from diffkit_trainer.training.validate import validate_network

__all__ = ["check_network"]

BATCH = 2


def check_network(network: nn.Module, images: Images, schedule: Schedule, options: Options) -> None:
    """Call the network as a `Trainer` will. Raises ValueError, in one line, for what it does not do.

        network(x, condition[, class_labels=][, name=...]) -> a tensor of x's shape

    x: float32 (B, C, *space). condition: the noise level (B,). class_labels: int64 (B,), 0 ... the number of classes. name=: each
    condition of the images, float32 (B, ...). With class_dropout they may be NaN, where output and gradients must be finite, as
    they must be at both ends of the schedule, where a log-SNR may be infinite. It is called in evaluation mode with zeros. Raises
    as `Trainer` does for a network that no checkpoint holds.

    >>> from diffkit_schedules import cosine
    >>> from diffkit_trainer import open_images
    >>> check_network(nn.Conv2d(1, 1, 1), open_images("digits"), cosine(), Options())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: the network failed as network(x, condition): TypeError: ... takes 2 positional arguments but 3 were given
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"the network must be a torch.nn.Module, got {type(network).__name__}")
    validate_network(network, images, options)
    like = next(network.parameters())
    x = torch.zeros(BATCH, *images.shape, device=like.device)
    middle, first, last = _noise_levels(schedule, options.condition, like.device)
    given: dict[str, Any] = {
        name: torch.zeros(BATCH, *each.shape[1:], device=like.device) for name, each in images.conditions.items()
    }
    if images.labels is not None and options.class_dropout is not None:
        given["class_labels"] = torch.zeros(BATCH, dtype=torch.int64, device=like.device)
    training = network.training
    network.eval()
    try:
        if not _is_finite(network, _output(network, x, middle, given)):
            raise ValueError("the network's output, or its gradient, is not finite for an input of zeros")
        for level in (first, last):
            if not _is_finite(network, _output(network, x, level, given)):
                found = f"{options.condition} {level[0]:.4g}, at an end of the schedule"
                way_out = "bound it before the first layer, as by condition.clamp(-20, 20)"
                raise ValueError(f"the network's output, or its gradient, is not finite for {found}: {way_out}")
        if options.class_dropout and images.conditions:
            missing = given | {name: torch.full_like(given[name], math.nan) for name in images.conditions}
            if not _is_finite(network, _output(network, x, middle, missing)):
                names = ", ".join(images.conditions)
                way_out = "replace NaN before the first layer, or set class_dropout to 0"
                raise ValueError(f"the network's output, or its gradient, is NaN where {names} is missing (NaN): {way_out}")
    finally:
        network.train(training)


def _noise_levels(schedule: Schedule, condition: str, device: torch.device) -> list[Tensor]:
    """The noise levels, each (B,), of the middle of the schedule and of its ends, the first and last timestep for an index."""
    start = 1 / timesteps_of(schedule) if condition == "index" else 0.0
    values = [condition_value(schedule, t, condition) for t in (0.5, start, 1.0)]
    return [torch.full((BATCH,), round(each) if condition == "index" else each, device=device) for each in values]


def _output(network: nn.Module, x: Tensor, level: Tensor, given: dict[str, Any]) -> Tensor:
    try:
        out = network(x, level, **given)
    except Exception as error:  # whatever a network of another author raises
        called = ", ".join(["x", "condition", *(f"{name}=" for name in given)])
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise ValueError(f"the network failed as network({called}): {reason}") from error
    if not isinstance(out, Tensor):
        raise ValueError(f"the network's output must be a tensor, got {type(out).__name__}")
    if out.shape != x.shape or not out.is_floating_point():
        found = f"{tuple(out.shape)} of {out.dtype}"
        raise ValueError(f"the network's output must have the shape of x, {tuple(x.shape)}, and be floating-point; got {found}")
    return out


def _is_finite(network: nn.Module, out: Tensor) -> bool:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(out.sum(), weights, allow_unused=True) if out.requires_grad else ()
    return all(bool(each.isfinite().all()) for each in (out.detach(), *gradients) if each is not None)
