"""Muon: updates of matrices with all singular values near 1; the host never waits for the device."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Muon", "matrices_of", "orthogonalised"]

MOMENTUM = 0.9
STEPS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the polynomial: singular values from 0.003 to 1 come to between 0.7 and 1.2 in five steps."""

RMS = 0.2
"""The root mean square of an update at lr 1, about that of AdamW's: one learning rate and weight decay serve both."""

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Muon:
    """Muon for weights of any number of axes, each as a matrix of (outputs, inputs times kernel).

        m <- 0.9 m + 0.1 g,   w <- (1 - lr decay) w - 0.2 sqrt(max(rows, columns)) lr O(0.9 m + 0.1 g)

    O is `orthogonalised`, one call for all matrices of a shape, computed in `dtype`. A weight without a gradient has g = 0.
    Unlike torch.optim.Muon, whose learning rate must be known to the host, an update waits for nothing; it takes convolutions.
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the scale and the decay are of Liu et
    al. 2025, arXiv 2502.16982, section 2.2.

    >>> weight = nn.Parameter(torch.zeros(2, 2))
    >>> weight.grad = torch.eye(2)
    >>> Muon([weight]).step(torch.tensor(1.0), 0.0, torch.tensor(True), None)
    >>> bool(weight[0, 0] == weight[1, 1]), weight[0, 1].item()
    (True, 0.0)
    """

    def __init__(self, weights: Sequence[Tensor], dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        groups: dict[object, list[Tensor]] = {}
        for weight in weights:
            groups.setdefault((_matrix(weight).shape, weight.dtype, weight.device), []).append(weight)
        self.groups = tuple(groups.values())
        self.momenta = [torch.stack([torch.zeros_like(_matrix(weight)) for weight in group]) for group in self.groups]

    @torch.no_grad()
    def step(self, lr: Tensor, weight_decay: float, good: Tensor, divisor: Tensor | None) -> None:
        """Update the weights from their gradients, divided by the divisor; where the bool `good` is false nothing changes."""
        for group, momentum in zip(self.groups, self.momenta, strict=True):
            gradients = torch.stack([_matrix(torch.zeros_like(w) if w.grad is None else w.grad) for w in group])
            gradients = gradients if divisor is None else gradients / divisor.to(gradients.dtype)
            gradients = torch.where(good, gradients, momentum)  # so that the momentum stays
            momentum.lerp_(gradients, 1 - MOMENTUM)
            rate = (lr * good).to(momentum.dtype)
            change = orthogonalised(gradients.lerp(momentum, MOMENTUM), self.dtype)
            change = change * (rate * RMS * max(momentum.shape[1:]) ** 0.5)
            torch._foreach_mul_(group, 1 - rate * weight_decay)
            torch._foreach_sub_(group, [_shaped(each, weight) for each, weight in zip(change, group, strict=True)])
            for weight in group:
                weight.grad = None

    def momenta_by_weight(self) -> dict[Tensor, Tensor]:
        """Each weight's momentum in the weight's shape, a view."""
        pairs = zip(self.groups, self.momenta, strict=True)
        return {weight: _shaped(each, weight) for group, momenta in pairs for weight, each in zip(group, momenta, strict=True)}


def matrices_of(model: nn.Module) -> list[Tensor]:
    """The weights for Muon: those of convolutions and linear layers, without the first and the last convolution.

    The first and the last layer of a network without convolutions are left out instead. Vectors, embeddings and the ends are for
    AdamW: they are no maps between hidden layers. So are grouped convolutions, whose weights are no one matrix.

    >>> [tuple(each.shape) for each in matrices_of(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 9, 3), nn.Conv2d(9, 3, 3)))]
    [(9, 8, 3, 3)]
    """
    layers = [module for module in model.modules() if isinstance(module, LAYERS)]
    ends = [module for module in layers if not isinstance(module, nn.Linear)] or layers
    left_out = {id(module.weight) for module in (*ends[:1], *ends[-1:])}
    left_out |= {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    found = {id(layer.weight): layer.weight for layer in layers if getattr(layer, "groups", 1) == 1}
    return [weight for key, weight in found.items() if key not in left_out and weight.requires_grad]


def orthogonalised(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The matrices (n, rows, columns) with their singular values moved to about 1, by five Newton-Schulz steps in `dtype`.

        X_0 = M / |M|,   X <- a X + (b A + c A A) X,   A = X X^T

    For M = U S V^T the result is near U V^T: its singular values are between 0.7 and 1.2 where those of M are at least 0.003 |M|.
    Source: Jordan et al. 2024; the coefficients are theirs.

    >>> orthogonalised(torch.diag(torch.tensor([2.0, 1.0, 1.0]))[None]).diagonal(dim1=1, dim2=2)
    tensor([[1.1343, 1.1046, 1.1046]])
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = (x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)).to(dtype)
    for _ in range(STEPS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.transpose(1, 2) if tall else x).to(matrices.dtype)


def _matrix(weight: Tensor) -> Tensor:
    """(outputs, kernel times inputs): a view of a weight in the memory format channels_last."""
    return weight.detach().movedim(1, -1).flatten(1)


def _shaped(matrix: Tensor, weight: Tensor) -> Tensor:
    """The inverse of `_matrix`."""
    return matrix.view(weight.movedim(1, -1).shape).movedim(-1, 1)
