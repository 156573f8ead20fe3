"""A file's bytes as a tensor, mapped into memory: the system reads a page when it is first used."""

import math
from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.errors import DataError

__all__ = ["map_tensor"]


def map_tensor(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The numbers in a file, in row-major order and the machine's byte order. Changes to the tensor stay in memory.

    Raises DataError if the file is missing or its length does not match the shape.
    """
    count = math.prod(shape)
    expected = count * dtype.itemsize
    if not path.is_file() or path.stat().st_size != expected:
        raise DataError(f"{path}: damaged: expected {expected} bytes")
    if not count:  # an empty file cannot be mapped
        return torch.empty(shape, dtype=dtype)
    return torch.from_file(str(path), shared=False, size=count, dtype=dtype).view(shape)
