"""The exponential moving average of a network: the one to sample from."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffkit_trainer.shard import own

__all__ = ["EMA"]


class EMA:
    """A second network whose weights follow the first's: w_ema <- d w_ema + (1 - d) w, after every optimiser step.

    decay: d in [0, 1), or several of them: `models` has an average for each, `model` is the first's. warmup: d_n = min(decay,
    (1 + n) / (10 + n)) at update n = 0, 1, ..., so that the average forgets the untrained weights at once.
    Weights in float16 or bfloat16 are averaged in float32: at d = 0.999 an update is smaller than their rounding. Buffers of
    floats (batch norm's running statistics) are averaged as the weights are: they describe the activations of those weights,
    and so must lag as they do. Other buffers are copied. `updates`, how many there were, is a number on the network's device.
    Raises ValueError for a decay outside [0, 1).
    Source: Polyak and Juditsky 1992; the warm-up is TensorFlow's ExponentialMovingAverage (num_updates).

    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(model.weight)
    >>> ema = EMA(model, decay=0.9)
    >>> _ = nn.init.ones_(model.weight)
    >>> ema.update(model)
    >>> round(ema.model.weight.item(), 6)
    0.1
    """

    def __init__(self, model: nn.Module, decay: float | Sequence[float] = 0.999, *, warmup: bool = False) -> None:
        self.decays = (decay,) if isinstance(decay, int | float) else tuple(decay)
        for each in self.decays:
            if not 0 <= each < 1:
                raise ValueError(f"decay must be in [0, 1), got {each}")
        if not self.decays or len(set(self.decays)) < len(self.decays):
            raise ValueError(f"decay must be one number or several different ones, got {decay}")
        self.warmup = warmup
        self.models = tuple(_average_of(model) for _ in self.decays)
        device = next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))
        self.updates = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def model(self) -> nn.Module:
        """The average with the first decay, in evaluation mode: the network itself, not a copy."""
        return self.models[0]

    @property
    def warm_until(self) -> float:
        """The number of updates from which on d_n is the first decay: (10 d - 1) / (1 - d), and 0 without a warm-up.

        Until then the average is young: it is that of the last tenth or so of all updates.
        """
        decay = self.decays[0]
        return max(0.0, (10 * decay - 1) / (1 - decay)) if self.warmup else 0.0

    @torch.no_grad()
    def update(self, model: nn.Module, good: Tensor | None = None) -> None:
        """Move the averages towards `model`, the network they were made from.

        good: a bool on the device; where it is false nothing moves. Nobody waits for it.
        """
        for decay, average in zip(self.decays, self.models, strict=True):
            d = (
                ((1 + self.updates) / (10 + self.updates)).clamp(max=decay)
                if self.warmup
                else torch.full_like(self.updates, decay, dtype=torch.float32)
            )
            _move(_tensors(average), _tensors(model), (1 - d) if good is None else (1 - d) * good)
        self.updates += 1 if good is None else good


def _average_of(model: nn.Module) -> nn.Module:
    average = copy.deepcopy(model).eval().requires_grad_(False)
    average._apply(lambda tensor: tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor)
    return average


def _move(averages: list[Tensor], values: list[Tensor], weight: Tensor) -> None:
    """average += weight (value - average), in one call on a CPU and three elsewhere; other numbers than floats are copied."""
    floats, targets = [], []
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            floats.append(average)
            targets.append(value.to(average.dtype))
        else:
            average.copy_(value)
    if weight.is_cpu:
        torch._foreach_lerp_(floats, targets, [weight.to(each.dtype) for each in floats])
        return
    difference = torch._foreach_sub(targets, floats)  # with a weight on an accelerator, lerp is one launch a tensor
    torch._foreach_mul_(difference, weight)
    torch._foreach_add_(floats, difference)


def _tensors(model: nn.Module) -> list[Tensor]:
    """Of a sharded network what this process has."""
    return [own(each) for each in (*model.parameters(), *model.buffers())]
