"""A network's buffers, restored after a forward pass that was not finite."""

import torch
from torch import Tensor, nn

from diffkit_trainer.training.foreach import by_kind

__all__ = ["Buffers"]


class Buffers:
    """Copies and restores the buffers of a network: skipping an update does not undo what its forward pass changed.

    >>> norm = nn.BatchNorm1d(2)
    >>> buffers = Buffers(norm)
    >>> before = buffers.values()
    >>> _ = norm(torch.full((4, 2), torch.nan))
    >>> buffers.restore(before, unless=torch.tensor(False))
    >>> norm.running_mean
    tensor([0., 0.])
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def values(self) -> list[Tensor]:
        """One flat copy of the buffers of each type."""
        return [torch.cat([buffer.detach().flatten() for buffer in group]) for (group,) in by_kind(self._model.buffers())]

    @torch.no_grad()
    def restore(self, values: list[Tensor], unless: Tensor) -> None:
        """Set the buffers to these `values` unless the bool `unless` is true; the host does not wait for the device."""
        for (group,), now, before in zip(by_kind(self._model.buffers()), self.values(), values, strict=True):
            chosen = torch.where(unless, now, before).split([buffer.numel() for buffer in group])
            torch._foreach_copy_(group, [part.view_as(buffer) for part, buffer in zip(chosen, group, strict=True)])
