"""The exponential moving average of a network: the one to sample from."""

import copy

import torch
from torch import Tensor, nn

__all__ = ["EMA"]


class EMA:
    """A second network whose weights follow the first's: w_ema <- d w_ema + (1 - d) w, after every optimiser step.

    decay: d in [0, 1). warmup: d_n = min(decay, (1 + n) / (10 + n)) at update n = 0, 1, ..., so that the average forgets the
    untrained weights at once. Weights in float16 or bfloat16 are averaged in float32: at d = 0.999 an update is smaller
    than their rounding. Buffers of floats (batch norm's running statistics) are averaged as the weights are: they describe
    the activations of those weights, and so must lag as they do. Other buffers are copied.
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

    def __init__(self, model: nn.Module, decay: float = 0.999, *, warmup: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.model._apply(lambda tensor: tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards `model`, the network it was made from."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        averages, values = [], []
        for average, value in zip(_tensors(self.model), _tensors(model), strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value.to(average.dtype))
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)
        self.updates += 1


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
