"""The network's inputs: the shape of x; noise levels, class labels, vectors and maps."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from diffkit_unet.resample import resized

__all__ = ["check_inputs", "class_vectors", "concatenate_map", "map_channels", "noise_levels", "vector_values"]

AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
"""The axes of the space in messages, by their number."""


def check_inputs(x: Tensor, channels: int, dims: int, conditions: Collection[str], known: Collection[str]) -> None:
    """Raises ValueError for x of another shape than (B, channels, *space), and for a condition that is not known."""
    if x.ndim != 2 + dims or x.shape[1] != channels or not all(x.shape[2:]):
        expected = f"(B, {channels}, {AXES[dims]}) with {' and '.join(AXES[dims].split(', '))} from 1"
        raise ValueError(f"x must be {expected}, got {tuple(x.shape)}")
    for name in conditions:
        if name not in known:
            names = ", ".join(known) or "none"
            raise ValueError(f"the network has no condition {name!r:.60} (its conditions: {names})")


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
    # x.shape[0] and not len(x), here and below: torch.export would make it a constant
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
    """h (B, C, *space) with the vector (B or 1, E) appended at every pixel, (B, C + E, *space), in h's memory format.

    >>> concatenate_map(torch.zeros(4, 3, 8, 8), torch.ones(1, 2)).shape
    torch.Size([4, 5, 8, 8])
    """
    if h.ndim == 4 and h.is_contiguous(
        memory_format=torch.channels_last
    ):  # torch.cat of the expanded map would return channels first
        rows = h.permute(0, 2, 3, 1)
        return torch.cat([rows, vector[:, None, None].expand(*rows.shape[:3], -1)], dim=3).permute(0, 3, 1, 2)
    return torch.cat([h, vector[(..., *(None,) * (h.ndim - 2))].expand(h.shape[0], -1, *h.shape[2:])], dim=1)


def vector_values(vectors: Mapping[str, Tensor | None], sizes: Mapping[str, int], x: Tensor) -> Tensor:
    """All vectors as one, in the order of their names, (B, 2 n) in x's dtype: n values, and for each 1, or 0 where it is missing.

    A missing value is NaN and becomes 0; None is a vector of missing values. Raises ValueError for another shape than (B, size).

    >>> vector_values({"age": torch.tensor([[0.5], [torch.nan]]), "hue": None}, {"age": 1, "hue": 1}, torch.zeros(2, 3, 8, 8))
    tensor([[0.5000, 0.0000, 1.0000, 0.0000],
            [0.0000, 0.0000, 0.0000, 0.0000]])
    """
    values, batch = list[Tensor](), x.shape[0]
    for name, size in sorted(sizes.items()):
        value = vectors.get(name)
        if value is None:
            value = x.new_full((batch, size), torch.nan)
        if value.shape != (batch, size) and (size, value.shape) != (1, (batch,)):
            raise ValueError(f"{name} must be ({batch}, {size}), got {tuple(value.shape)}")
        values.append(value.reshape(batch, size).to(x.dtype))
    found = torch.cat(values, dim=1)
    missing = found.isnan()
    return torch.cat([found.masked_fill(missing, 0), (~missing).to(x.dtype)], dim=1)


def map_channels(maps: Mapping[str, Tensor | None], channels: Mapping[str, int], x: Tensor) -> Tensor:
    """x (B, C, *space) and behind it all maps, in the order of their names: each with a channel of 1, or 0 where it is missing.

    A map (B, channels, ...) is resized to x's space. It is missing where a channel is NaN, and becomes 0 there; None is a map
    that is missing everywhere. Raises ValueError for another shape.

    >>> map_channels({"low": torch.full((4, 1, 2), 5.0)}, {"low": 1}, torch.zeros(4, 3, 8)).shape
    torch.Size([4, 5, 8])
    """
    found, (batch, _, *space) = [x], x.shape
    for name, count in sorted(channels.items()):
        value = maps.get(name)
        if value is None:
            value = x.new_full((batch, count, *space), torch.nan)
        if value.shape[:2] != (batch, count) or value.ndim != x.ndim or not all(value.shape[2:]):
            axes = ", ".join(["..."] * len(space))
            raise ValueError(f"{name} must be ({batch}, {count}, {axes}), got {tuple(value.shape)}")
        value = value.to(x.dtype)
        value = value if value.shape[2:] == x.shape[2:] else resized(value, space)
        missing = value.isnan().any(1, keepdim=True)
        found += [value.masked_fill(missing, 0), (~missing).to(x.dtype)]
    return torch.cat(found, dim=1)
