"""A packed file's bytes as a tensor: the system reads a page when somebody looks at it."""

import math
from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.errors import DataError

__all__ = ["mapped"]


def mapped(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The file's numbers, in row-major order and the machine's own byte order; what is written to the tensor stays in memory.

    Raises DataError where the file is not there or is not as long as the shape says.
    """
    count = math.prod(shape)
    expected = count * dtype.itemsize
    if not path.is_file() or path.stat().st_size != expected:
        raise DataError(f"{path}: damaged: expected {expected} bytes")
    if not count:  # nothing that could be mapped
        return torch.empty(shape, dtype=dtype)
    return torch.from_file(str(path), shared=False, size=count, dtype=dtype).view(shape)
