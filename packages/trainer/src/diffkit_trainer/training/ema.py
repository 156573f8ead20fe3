"""The exponential moving average of a network's weights, which generates the samples."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffkit_trainer.distributed.shard import local_tensor
from diffkit_trainer.training.foreach import by_kind

__all__ = ["EMA"]


class EMA:
    """A second network whose weights follow the first's: w_ema <- d w_ema + (1 - d) w, after every optimiser step.

    decay: d in [0, 1), or several: `models` has an average for each decay, `model` is the first. warmup: d_n = min(decay,
    (1 + n) / (10 + n)) at update n = 0, 1, ..., so that the average soon forgets the untrained weights.
    Weights in float16 or bfloat16 are averaged in float32: at d = 0.999 an update is smaller than their rounding. Floating-point
    buffers (batch norm's running statistics) are averaged like the weights, because they describe the activations of these
    weights. Other buffers are copied, and so are buffers that have infinities at the start, such as masks: `infinite` has their
    names. `updates` is the number of updates, a tensor on the network's device.
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
        self.infinite = frozenset(_infinite_buffers(model))
        device = next((tensor.device for tensor in _tensors(model).values()), torch.device("cpu"))
        self.updates = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def model(self) -> nn.Module:
        """The average with the first decay, in evaluation mode; not a copy."""
        return self.models[0]

    @property
    def warm_until(self) -> float:
        """The number of updates after which d_n is the first decay: (10 d - 1) / (1 - d), and 0 without a warm-up.

        Until then the average is mostly over the last tenth of all updates.
        """
        decay = self.decays[0]
        return max(0.0, (10 * decay - 1) / (1 - decay)) if self.warmup else 0.0

    @torch.no_grad()
    def update(self, model: nn.Module, good: Tensor | None = None) -> None:
        """Update the averages by `model`, the network that they were made from.

        good: a bool on the device; where it is false nothing changes. The host does not wait for it.
        """
        for decay, average in zip(self.decays, self.models, strict=True):
            # 1 - d at once: in float32 the difference of 1 and 0.999999 is off by 1.3%
            weight = (
                (9 / (10 + self.updates)).clamp(min=1 - decay)
                if self.warmup
                else torch.full_like(self.updates, 1 - decay, dtype=torch.float32)
            )
            self._move(average, model, weight if good is None else weight * good)
        self.updates += 1 if good is None else good

    def _move(self, average: nn.Module, model: nn.Module, weight: Tensor) -> None:
        """average += weight (value - average), one call on a CPU and three kernel launches elsewhere, per type of tensor."""
        values = _tensors(model)
        averaged: dict[str, Tensor] = {}
        copied: dict[str, Tensor] = {}
        for name, tensor in _tensors(average).items():
            moves = (tensor.is_floating_point() or tensor.is_complex()) and name not in self.infinite
            (averaged if moves else copied)[name] = tensor
        for group, targets in by_kind(averaged.values(), (values[name] for name in averaged)):
            _lerp(group, [target.to(group[0].dtype) for target in targets], weight.to(group[0]))
        for group, targets in by_kind(copied.values(), (values[name] for name in copied)):
            torch._foreach_copy_(group, targets)


def _infinite_buffers(model: nn.Module) -> list[str]:
    """The names of the buffers with a value that is not finite. Waits for the device."""
    buffers = model.named_buffers(remove_duplicate=False)
    return [name for name, buffer in buffers if not local_tensor(buffer).isfinite().all()]


def _average_of(model: nn.Module) -> nn.Module:
    average = copy.deepcopy(model).eval().requires_grad_(False)
    widened: dict[Tensor, Tensor] = {}  # a buffer that two modules share stays shared
    half = (torch.float16, torch.bfloat16)
    average._apply(lambda tensor: widened.setdefault(tensor, tensor.float()) if tensor.dtype in half else tensor)  # noqa: SLF001
    return average


def _lerp(averages: list[Tensor], values: list[Tensor], weight: Tensor) -> None:
    if weight.is_cpu:
        torch._foreach_lerp_(averages, values, [weight] * len(averages))
        return
    # on an accelerator lerp would be one launch for each tensor
    difference = torch._foreach_sub(values, averages)  # noqa: SLF001
    torch._foreach_mul_(difference, weight)
    torch._foreach_add_(averages, difference)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers by name; of a sharded network this process's part."""
    return {name: local_tensor(each) for named in (model.named_parameters(), model.named_buffers()) for name, each in named}
