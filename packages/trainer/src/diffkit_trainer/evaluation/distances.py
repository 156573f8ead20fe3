"""Distances between sets of images: KID and FD of their features, and the nearest image in another set."""

import torch
from torch import Tensor

__all__ = ["frechet_distance", "kernel_distance", "nearest_images"]

CHUNK_IMAGES = 512


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """KID: the squared maximum mean discrepancy of features x (N, D) and y (M, D) with the kernel (<a, b> / D + 1)^3.

    Unbiased: for two sets of one distribution it is 0 on average, and may be negative. N, M >= 2.
    Source: Binkowski et al. 2018, "Demystifying MMD GANs", section 4.

    >>> x = torch.tensor([[0.0], [0.0]])
    >>> kernel_distance(x, x + 1)
    7.0
    """
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """FD: |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)) of the means and covariances of features x (N, D) and y (M, D).

    Biased: it grows as N and M shrink, so compare only values of the same N and M. float64 features; N, M >= 2.
    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", section 4, which uses features of Inception.

    >>> x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    >>> round(frechet_distance(x, x + 3), 9)
    9.0
    """
    root = _root(_covariance(x))
    cross = _root(root @ _covariance(y) @ root).trace()  # the trace of (C_x C_y)^(1/2), but of a symmetric matrix
    variances = _covariance(x).trace() + _covariance(y).trace() - 2 * cross
    return float((x.mean(0) - y.mean(0)).square().sum() + variances)


def nearest_images(pixels: Tensor, others: Tensor, *, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The index (N,) of the nearest other image for each image, and the distance (N,): root mean square in grey levels, 0 to 255.

    pixels, others: uint8 (N, C, H, W) and (M, C, H, W). excluded: (N,) for each image one index into others that is skipped,
    its own if the images are some of the others.
    """
    flat = pixels.flatten(1).float()
    best = torch.full((len(flat),), torch.inf)
    index = torch.zeros(len(flat), dtype=torch.int64)
    for start in range(0, len(others), CHUNK_IMAGES):
        part = others[start : start + CHUNK_IMAGES].flatten(1).float()
        # not by matrix multiplication: the distance between equal images must be exactly 0
        distances = torch.cdist(flat, part, compute_mode="donot_use_mm_for_euclid_dist")
        if excluded is not None:
            distances[excluded[:, None] == torch.arange(start, start + len(part))] = torch.inf
        smallest, position = distances.min(1)
        index = torch.where(smallest < best, position + start, index)
        best = torch.minimum(smallest, best)
    return index, best / flat.shape[1] ** 0.5


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix, positive semidefinite up to rounding."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root
