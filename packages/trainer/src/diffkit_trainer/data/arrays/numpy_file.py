"""Arrays of NumPy: a .npy file has one, a .npz file, which is a zip, several. Pickled objects are never loaded."""

import math
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from torch import Tensor

from diffkit_trainer.available_memory import free_memory
from diffkit_trainer.data.arrays.mapped import as_tensor, map_array
from diffkit_trainer.errors import RefusedError
from diffkit_trainer.files.regular_file import open_regular

__all__ = ["npy_names", "npz_names", "read_npy", "read_npz"]

HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
LOCAL_HEADER, NAME_LENGTHS = 30, slice(26, 30)
"""Of a member of a zip: the length of its header before its name, and where the lengths of the name and what follows stand."""


def npy_names(_path: Path) -> list[str]:
    """The name of the only array: ""."""
    return [""]


def read_npy(path: Path, _name: str) -> Tensor:
    """The array, mapped into memory. Raises RefusedError for anything but an array of numbers."""
    with open_regular(path) as file:
        shape, fortran, dtype = _header(file)
        return map_array(file, file.tell(), shape, dtype, fortran=fortran)


def npz_names(path: Path) -> list[str]:
    """The names of the arrays, in their order."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        return [each.filename.removesuffix(".npy") for each in archive.infolist() if each.filename.endswith(".npy")]


def read_npz(path: Path, name: str) -> Tensor:
    """One array: mapped where the file is not compressed (numpy.savez), else read.

    Raises RefusedError for anything but an array of numbers, for a damaged one, and for one that the memory cannot hold.
    """
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
        with archive.open(member) as unpacked:
            shape, fortran, dtype = _header(unpacked)
            start, size = unpacked.tell(), math.prod(shape) * dtype.itemsize
            if start + size != member.file_size:
                raise RefusedError(f"damaged: expected {start + size} bytes, found {member.file_size}")
            if member.compress_type != zipfile.ZIP_STORED:
                return _read(unpacked, shape, dtype, fortran)
        file.seek(member.header_offset)
        lengths = struct.unpack("<HH", file.read(LOCAL_HEADER)[NAME_LENGTHS])
        return map_array(file, member.header_offset + LOCAL_HEADER + sum(lengths) + start, shape, dtype, fortran=fortran)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        read = HEADERS[npy_format.read_magic(file)]
        shape, fortran, dtype = read(file)
    except Exception:  # the header is parsed as Python, which raises a dozen kinds of errors
        raise RefusedError("damaged, or not a file of NumPy with an array of numbers") from None
    if any(side < 0 for side in shape):
        raise RefusedError(f"damaged: its header has the shape {shape}")
    as_tensor(np.empty(0, dtype))  # refuses its type before its size counts
    return shape, fortran, dtype


def _read(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], fortran: bool) -> Tensor:
    size, free = math.prod(shape) * dtype.itemsize, free_memory()
    if free is not None and size > free:
        way_out = "save it with numpy.savez, without compression, to read it where it is"
        raise RefusedError(f"takes {size} bytes unpacked, and {free} bytes of memory are free: {way_out}")
    array = np.empty(shape, dtype, "F" if fortran else "C")
    flat = array.reshape(-1, order="A").view(np.uint8).data
    done = 0
    while done < size and (count := file.readinto(flat[done:])):  # type: ignore[attr-defined]
        done += count
    if done < size:
        raise RefusedError(f"truncated: expected {size} bytes unpacked, found {done}")
    return as_tensor(array)
