"""A network's running statistics, to be put back after a forward pass that was not finite."""

import torch
from torch import Tensor, nn

__all__ = ["Buffers"]


class Buffers:
    """The float buffers of a network as one flat copy, and back; an optimiser that skips a step does not undo the forward pass.

    >>> norm = nn.BatchNorm1d(2)
    >>> buffers = Buffers(norm)
    >>> before = buffers.values()
    >>> _ = norm(torch.full((4, 2), torch.nan))
    >>> buffers.put_back(before, unless=torch.tensor(False))
    >>> norm.running_mean
    tensor([0., 0.])
    """

    def __init__(self, model: nn.Module) -> None:
        self._buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self._sizes = [buffer.numel() for buffer in self._buffers]

    def values(self) -> Tensor | None:
        """A copy of all of them; None where there are none."""
        return torch.cat([buffer.detach().flatten() for buffer in self._buffers]) if self._buffers else None

    @torch.no_grad()
    def put_back(self, values: Tensor | None, unless: Tensor) -> None:
        """Make them what `values` gave, unless that bool on the device is true. Nobody waits for it."""
        now = self.values()
        if values is None or now is None:
            return
        chosen = torch.where(unless, now, values).split(self._sizes)
        torch._foreach_copy_(self._buffers, [part.view_as(buffer) for part, buffer in zip(chosen, self._buffers, strict=True)])
