"""The cosine transform of images, as two small matrix products."""

import math

import torch
from torch import Tensor

__all__ = ["dct", "idct"]


def dct(x: Tensor) -> Tensor:
    """The orthonormal two-dimensional DCT-II over the last two axes: (..., H, W) -> (..., H, W), frequency (0, 0) first.

        y[k, l] = c_k c_l sum_ij cos(pi k (i + 1/2) / H) cos(pi l (j + 1/2) / W) x[i, j],   c_0^2 = 1 / H, c_k^2 = 2 / H

    Source: Ahmed, Natarajan and Rao 1974.

    >>> dct(torch.ones(2, 2)).round(decimals=5).abs().tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    return _basis(x, -2) @ x @ _basis(x, -1).T


def idct(y: Tensor) -> Tensor:
    """The inverse of `dct`.

    >>> x = torch.randn(3, 5, 7)
    >>> torch.allclose(idct(dct(x)), x, atol=1e-5)
    True
    """
    return _basis(y, -2).T @ y @ _basis(y, -1)


def _basis(like: Tensor, axis: int) -> Tensor:
    """The orthonormal cosines of an axis, (frequency, position)."""
    index = torch.arange(like.shape[axis], device=like.device)
    period = 4 * (index[-1:] + 1)  # a tensor: ONNX has no remainder by the size of an axis
    turns = index[:, None] * (2 * index + 1) % period  # whole numbers: in float32 a product of this size would be rounded
    cosines = torch.cos(turns.to(like.dtype) / period * (2 * math.pi))
    basis: Tensor = cosines / cosines.norm(dim=1, keepdim=True)
    return basis
