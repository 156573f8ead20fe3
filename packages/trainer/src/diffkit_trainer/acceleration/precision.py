"""The number formats of a network's activations."""

from contextlib import AbstractContextManager

import torch

__all__ = ["PRECISIONS", "autocast"]

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""By name; weights are float32 in all of them. tf32 rounds the factors of products, on CUDA alone."""


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The block in mixed precision, where the precision is of half the bits.

    >>> with autocast("bf16", torch.device("cpu")):
    ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
    torch.bfloat16
    """
    dtype = PRECISIONS[precision]
    # without a cache of cast weights, which a CUDA graph could not keep: a step uses each weight once
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32, cache_enabled=False)
