"""The network's inputs besides the image: noise levels and class labels."""

import torch
from torch import Tensor, nn

__all__ = ["class_vectors", "concatenate_map", "noise_levels"]


def noise_levels(condition: Tensor | float, x: Tensor) -> Tensor:
    """The noise levels as (B,), or (1,) for a single number; integers become x's dtype, at least float32.

    Raises ValueError for any shape but (), (B,) and (B, 1, ..., 1).

    >>> noise_levels(0.5, torch.zeros(4, 3, 8, 8))
    tensor([0.5000])
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    if isinstance(condition, int | float):
        return torch.full((1,), condition, dtype=wide, device=x.device)  # filled on the device: no copy from the host
    levels = torch.as_tensor(condition, device=x.device)
    if levels.ndim and (levels.shape[0] != x.shape[0] or levels.numel() != x.shape[0]):
        raise ValueError(f"condition must be one number, ({x.shape[0]},) or ({x.shape[0]}, 1, 1, 1), got {tuple(levels.shape)}")
    return (levels if levels.is_floating_point() else levels.to(wide)).reshape(-1)


def class_vectors(classes: nn.Embedding, labels: Tensor | None, batch: int, *, null_class: bool) -> Tensor:
    """The learned vectors of the labels, (B, width); without labels the vector of the null class, (1, width).

    The null class is the last row of `classes`. Raises ValueError for labels that are not (B,) integers, and for missing labels
    where there is no null class.

    >>> class_vectors(nn.Embedding(11, 32), None, batch=4, null_class=True).shape
    torch.Size([1, 32])
    """
    if labels is None and null_class:
        return classes.weight[-1:]
    if labels is None:
        raise ValueError(f"class_labels must be given, ({batch},) integers: this network has no null class")
    if labels.shape != (batch,) or labels.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f"class_labels must be ({batch},) integers (int32 or int64), got {tuple(labels.shape)} of {labels.dtype}"
        )
    vectors: Tensor = classes(labels)
    return vectors


def concatenate_map(h: Tensor, vector: Tensor) -> Tensor:
    """h (B, C, H, W) with the vector (B or 1, E) appended at every pixel, (B, C + E, H, W), in h's memory format.

    >>> concatenate_map(torch.zeros(4, 3, 8, 8), torch.ones(1, 2)).shape
    torch.Size([4, 5, 8, 8])
    """
    if h.is_contiguous(memory_format=torch.channels_last):  # torch.cat of the expanded map would return channels first
        rows = h.permute(0, 2, 3, 1)
        return torch.cat([rows, vector[:, None, None].expand(*rows.shape[:3], -1)], dim=3).permute(0, 3, 1, 2)
    return torch.cat([h, vector[:, :, None, None].expand(h.shape[0], -1, *h.shape[2:])], dim=1)
