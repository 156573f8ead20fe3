"""The sinusoidal embedding of the noise level."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from diffkit_unet import validate

__all__ = ["SinusoidalEmbedding"]


class SinusoidalEmbedding(nn.Module):
    """The vector (sin 2 pi f_1 v, ..., sin 2 pi f_n v, cos 2 pi f_1 v, ..., cos 2 pi f_n v), n = length / 2.

    f_i = first (last / first)^((i - 1) / (n - 1)): log-spaced from first to last, in cycles per unit of v. `length` is even.
    With `cosine_first` the cosines precede the sines.

    v (B,) or (B, 1, ..., 1) -> (B, length), in v's dtype, at least float32. The angle reaches thousands of radians, where
    float32 has errors of 4e-4, so it is computed in float64 (float32 on devices without float64).
    `frequencies` is a constant: not trained, not saved, and not cast by `module.to(torch.bfloat16)`.

    Raises ValueError for an odd length, and for frequencies that are not finite numbers above 0.
    Source: Vaswani et al. 2017, section 3.5; the frequencies of the Keras tutorial "Denoising Diffusion Implicit Models".

    >>> SinusoidalEmbedding(4, first=1.0, last=2.0)(torch.tensor([0.25])).round(decimals=3) + 0.0
    tensor([[ 1.,  0.,  0., -1.]])
    """

    frequencies: Tensor

    def __init__(self, length: int, first: float = 1.0, last: float = 1000.0, *, cosine_first: bool = False) -> None:
        super().__init__()
        self.cosine_first = cosine_first
        self.length = validate.integer("length", length, low=2)
        if length % 2:
            raise ValueError(f"length must be even (half sines, half cosines), got {length}")
        self.first, self.last = validate.positive_pair("(first, last)", (first, last))
        self.register_buffer("frequencies", self._table(torch.get_default_device()), persistent=False)

    def forward(self, v: Tensor) -> Tensor:
        dtype = torch.promote_types(v.dtype, torch.float32)
        angles = 2 * math.pi * self.frequencies * v.reshape(-1, 1)  # (B, length / 2)
        halves = [angles.cos(), angles.sin()] if self.cosine_first else [angles.sin(), angles.cos()]
        return torch.cat(halves, dim=1).to(dtype)

    def extra_repr(self) -> str:
        return f"{self.length}, first={self.first}, last={self.last}"

    def _table(self, device: torch.device) -> Tensor:
        # on the CPU: arithmetic on the meta device would import torch's compiler, a second of every start
        exponents = torch.linspace(0, 1, self.length // 2, dtype=torch.float64, device="cpu")
        low, high = math.log(self.first), math.log(self.last)
        table = (low + (high - low) * exponents).exp()
        return table.to(device, torch.float32 if device.type == "mps" else torch.float64)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SinusoidalEmbedding":
        # Every move and cast of a module calls this. The table is computed again on the new device: a cast would round it, and a
        # module built on the meta device has no values to move (nor has the state dict).
        self.frequencies = self._table(fn(torch.empty(0, device=self.frequencies.device)).device)
        return self
