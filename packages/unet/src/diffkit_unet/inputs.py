"""What is given to a network beside its image: noise levels and class labels, and their vector as a map."""

import torch
from torch import Tensor, nn

__all__ = ["class_vectors", "noise_levels", "with_map"]


def noise_levels(condition: Tensor | float, x: Tensor) -> Tensor:
    """The noise levels as (B,) or, one for all, (1,); numbers and integers in x's dtype, float32 where that is narrower.

    Raises ValueError for any shape but (), (B,) and (B, 1, ..., 1).

    >>> noise_levels(0.5, torch.zeros(4, 3, 8, 8))
    tensor([0.5000])
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    if isinstance(condition, int | float):
        return torch.full((1,), condition, dtype=wide, device=x.device)  # filled on the device: nothing is copied to it
    levels = torch.as_tensor(condition, device=x.device)
    if levels.ndim and (levels.shape[0] != x.shape[0] or levels.numel() != x.shape[0]):
        raise ValueError(f"condition must be one number, ({x.shape[0]},) or ({x.shape[0]}, 1, 1, 1), got {tuple(levels.shape)}")
    return (levels if levels.is_floating_point() else levels.to(wide)).reshape(-1)


def class_vectors(classes: nn.Embedding, labels: Tensor | None, batch: int, *, null_class: bool) -> Tensor:
    """The labels' vectors (B, width) or, without labels, that of "no class", (1, width), where `classes` ends with it.

    Raises ValueError for labels that are no integers (B,), and for none where there is no "no class".

    >>> class_vectors(nn.Embedding(11, 32), None, batch=4, null_class=True).shape
    torch.Size([1, 32])
    """
    if labels is None and null_class:
        return classes.weight[-1:]
    if labels is None:
        raise ValueError(f'class_labels must be given, ({batch},) integers: this network has no "no class"')
    if labels.shape != (batch,) or labels.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f"class_labels must be ({batch},) integers (int32 or int64), got {tuple(labels.shape)} of {labels.dtype}"
        )
    vectors: Tensor = classes(labels)
    return vectors


def with_map(h: Tensor, vector: Tensor) -> Tensor:
    """h (B, C, H, W) and the vector (B or 1, E) at every pixel, (B, C + E, H, W), in h's order of memory.

    >>> with_map(torch.zeros(4, 3, 8, 8), torch.ones(1, 2)).shape
    torch.Size([4, 5, 8, 8])
    """
    if h.is_contiguous(memory_format=torch.channels_last):  # torch.cat would fall back to channels first
        rows = h.permute(0, 2, 3, 1)
        return torch.cat([rows, vector[:, None, None].expand(*rows.shape[:3], -1)], dim=3).permute(0, 3, 1, 2)
    return torch.cat([h, vector[:, :, None, None].expand(h.shape[0], -1, *h.shape[2:])], dim=1)
