"""The metrics of the updates since the last log entry, summed on the device."""

from typing import Any

import torch
from torch import Tensor

from diffkit_trainer.distributed.processes import World

__all__ = ["BUCKETS", "RunningMetrics"]

BUCKETS = 4


class RunningMetrics:
    """Sums of losses, of gradient norms and of the losses by noise level; the host reads them only when it logs.

    The mean loss hardly measures a network: it mostly depends on the noise levels of the batch. Bucket k of `BUCKETS` holds the
    samples with t in [k, k + 1) / BUCKETS: the first is nearly clean data, the last nearly pure noise.

    >>> metrics = RunningMetrics(torch.device("cpu"))
    >>> metrics.add(torch.tensor([1.0, 3.0]), torch.tensor([0.1, 0.9]), torch.tensor(5.0), torch.tensor(True))
    >>> metrics.read(World())
    {'loss': 2.0, 'gradient_norm': 5.0, 'loss_by_t': [1.0, None, None, 3.0]}
    """

    def __init__(self, device: torch.device) -> None:
        # float64, because float32 would round a sum of many losses; Apple's devices have no float64
        self.sums = torch.zeros(4 + 2 * BUCKETS, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        self._buckets = torch.arange(BUCKETS, device=device)

    @torch.no_grad()
    def add(self, errors: Tensor, t: Tensor, norm: Tensor, good: Tensor) -> None:
        """Add an update's losses (b,) at times t (b, ...) and the norm of its gradient, unless `good` is false."""
        inside = ((t.reshape(-1, 1) * BUCKETS).floor().clamp(max=BUCKETS - 1) == self._buckets).to(
            self.sums.dtype
        )  # (b, BUCKETS)
        errors = errors.to(self.sums.dtype)
        head = torch.stack([errors.sum(), inside.sum(), norm.to(errors.dtype), good.to(errors.dtype)])
        row = torch.cat([head, errors @ inside, inside.sum(0)])
        self.sums += torch.where(good, row, 0.0)

    def read(self, world: World, *, keep: bool = False) -> dict[str, Any]:
        """Means over all processes since the last call, None for a bucket without samples.

        keep: whether the sums stay; by default they are set to 0. Waits for the device.
        """
        values = self.total(world)
        if not keep:
            self.sums.zero_()
        samples, updates = values[1], values[3]
        buckets = zip(values[4 : 4 + BUCKETS], values[4 + BUCKETS :], strict=True)
        return {
            "loss": values[0] / samples if samples else None,
            "gradient_norm": values[2] / updates if updates else None,
            "loss_by_t": [total / count if count else None for total, count in buckets],
        }

    def total(self, world: World) -> list[float]:
        """The sums over all processes, as plain numbers. Waits for the device."""
        values: list[float] = world.total(self.sums).tolist()
        return values
