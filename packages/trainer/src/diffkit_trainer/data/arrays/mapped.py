"""An array in a file, mapped into memory: the system reads a page when it is first used."""

import math
import os
from io import BufferedReader
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkit_trainer.errors import RefusedError

__all__ = ["as_tensor", "map_array"]


def map_array(file: BufferedReader, start: int, shape: tuple[int, ...], dtype: Any, *, fortran: bool = False) -> Tensor:
    """The numbers of a file from byte `start` on, of a type of NumPy. Changes to the tensor stay in memory.

    fortran: whether the first axis varies fastest. Raises RefusedError for a file that ends before them, and as `as_tensor`.
    """
    dtype, size = np.dtype(dtype), os.fstat(file.fileno()).st_size
    end = start + math.prod(shape) * dtype.itemsize
    if end > size:
        raise RefusedError(f"truncated: expected {end} bytes for the shape {' x '.join(map(str, shape))}, found {size}")
    if not math.prod(shape):  # nothing cannot be mapped
        return as_tensor(np.empty(shape, dtype))
    return as_tensor(np.memmap(file, dtype, "c", start, shape, "F" if fortran else "C"))


def as_tensor(array: "np.ndarray[Any, Any]") -> Tensor:
    """The array as a tensor that shares its memory; numbers in another byte order are copied into the machine's.

    Raises RefusedError for anything but real numbers of 1 to 8 bytes.
    """
    kind = array.dtype
    if kind.hasobject:
        raise RefusedError("an array of Python objects, which is never loaded: save an array of numbers")
    if kind.kind not in "uif" or kind.itemsize > 8:
        way_out = ": save it as uint8" if kind.kind == "b" else ""
        raise RefusedError(f"an array of {kind}, expected real numbers such as uint8 or float32{way_out}")
    return torch.from_numpy(array if kind.isnative else array.astype(kind.newbyteorder("=")))
