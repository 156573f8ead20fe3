"""Batch normalisation as in Keras, exact in both memory formats."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["BatchNorm"]


class BatchNorm(_BatchNorm):
    """Batch normalisation without affine parameters: (x - mean) / sqrt(variance + eps), per channel over the batch and the space.

    The running statistics move by 1% per batch: Keras's momentum 0.99 is torch's 0.01. A single value per channel (one sample of
    one pixel) has no variance: in training it is normalised with the running statistics, which it does not update.
    x (B, channels, *space), a space of 1 to 3 axes -> same shape. Source: Ioffe and Szegedy 2015, algorithm 1.

    >>> BatchNorm(1)(torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1)).flatten()
    tensor([-0.9995,  0.9995])
    """

    def __init__(self, channels: int, eps: float = 1e-3) -> None:
        super().__init__(channels, eps=eps, momentum=0.01, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        # Without this branch training would fail where the last batch of an epoch has one sample.
        if self.training and x.numel() == x.shape[1]:
            return functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        if not self.training or x.device.type != "cpu" or x.ndim != 4 or x.is_contiguous():
            return super().forward(x)
        result, mean, variance = _Normalised.apply(x, self.eps)  # type: ignore[no-untyped-call]
        self._follow(mean, variance, x.numel() // x.shape[1])
        normalised: Tensor = result
        return normalised

    def _check_input_dim(self, x: Tensor) -> None:
        if not 3 <= x.ndim <= 5:
            raise ValueError(f"x must be (B, channels, *space) with 1 to 3 axes of space, got {tuple(x.shape)}")

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics, with the unbiased variance, as torch's batch norm does."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), 0.01)
            self.running_var.lerp_(variance.to(self.running_var.dtype) * count / (count - 1), 0.01)


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps), mean, variance, for channels last on a CPU.

    There torch's forward kernel sums a channel sequentially: over 32 x 64 x 64 values its output is off by 1e-4. The backward
    pass uses torch's kernel: its sums are small compared with the gradient that they are subtracted from.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        wide = torch.promote_types(x.dtype, torch.float32)
        mean = x.mean((0, 2, 3), dtype=wide)
        variance = (x - mean[:, None, None]).square_().mean((0, 2, 3))
        ctx.eps = eps
        ctx.save_for_backward(x, mean, (variance + eps).rsqrt())
        ctx.mark_non_differentiable(mean, variance)
        return functional.batch_norm(x, mean, variance, eps=eps), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, None]:
        x, mean, scale = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        back = torch.ops.aten.native_batch_norm_backward
        return back(gradient, x, None, None, None, mean, scale, True, ctx.eps, [True, False, False])[0], None
