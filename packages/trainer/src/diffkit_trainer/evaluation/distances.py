"""How far apart two sets of images are: KID and FD of their features, and each image's nearest in another set."""

import torch
from torch import Tensor

__all__ = ["frechet_distance", "kernel_distance", "nearest"]

CHUNK = 512


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """KID: the squared maximum mean discrepancy of features x (N, D) and y (M, D) with the kernel (<a, b> / D + 1)^3.

    Unbiased, so that for two sets of one distribution it is 0 on average, and may be below. N, M >= 2.
    Source: Binkowski et al. 2018, "Demystifying MMD GANs", section 4.

    >>> x = torch.tensor([[0.0], [0.0]])
    >>> kernel_distance(x, x + 1)
    7.0
    """
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    inside = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(inside - 2 * xy.mean())


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """FD: |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)) of the means and covariances of features x (N, D) and y (M, D).

    Biased: the fewer images, the larger, so that only figures of equally many compare. float64 features; N, M >= 2.
    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", section 4, there on Inception's features.

    >>> x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    >>> round(frechet_distance(x, x + 3), 9)
    9.0
    """
    root = _root(_covariance(x))
    cross = _root(root @ _covariance(y) @ root).trace()  # the same trace, of a symmetric matrix
    spread = _covariance(x).trace() + _covariance(y).trace() - 2 * cross
    return float((x.mean(0) - y.mean(0)).square().sum() + spread)


def nearest(pixels: Tensor, others: Tensor, *, but_equal_index: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """For each image the index of the nearest of the others, and the distance: root mean square, in grey levels of 255.

    pixels, others: uint8 (N, C, H, W) and (M, C, H, W). but_equal_index: (N,) an index into others that is passed over for each,
    as where the images are some of the others.
    """
    flat = pixels.flatten(1).float()
    best = torch.full((len(flat),), torch.inf)
    index = torch.zeros(len(flat), dtype=torch.int64)
    for start in range(0, len(others), CHUNK):
        part = others[start : start + CHUNK].flatten(1).float()
        # not by the product of both: two equal images are to be exactly 0 apart
        distances = torch.cdist(flat, part, compute_mode="donot_use_mm_for_euclid_dist")
        if but_equal_index is not None:
            distances[but_equal_index[:, None] == torch.arange(start, start + len(part))] = torch.inf
        least, where = distances.min(1)
        index = torch.where(least < best, where + start, index)
        best = torch.minimum(least, best)
    return index, best / flat.shape[1] ** 0.5


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix whose eigenvalues are >= 0 but for rounding."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root
