"""The arrays of a file by name, whatever its format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from diffkit_trainer.data.arrays.numpy_file import npy_names, npz_names, read_npy, read_npz
from diffkit_trainer.data.arrays.safetensors_file import read_safetensors, safetensors_names
from diffkit_trainer.data.decode import failure_reason
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable

__all__ = ["FORMATS", "array_names", "is_array_file", "read_array"]

FORMATS: dict[str, tuple[Callable[[Path], list[str]], Callable[[Path, str], Tensor]]] = {
    ".npy": (npy_names, read_npy),
    ".npz": (npz_names, read_npz),
    ".safetensors": (safetensors_names, read_safetensors),
}
"""Suffix: the names of the arrays in a file, and the reader of one."""

Found = TypeVar("Found")


def is_array_file(source: Any) -> bool:
    """Whether the source is the path of such a file by its suffix, in any case. The file may be missing.

    >>> is_array_file("speech.NPY"), is_array_file("digits")
    (True, False)
    """
    return isinstance(source, str | Path) and Path(source).suffix.lower() in FORMATS and not Path(source).is_dir()


def array_names(path: Path) -> list[str]:
    """The names of the arrays in a file, in their order. Raises DataError for a file that is damaged, or has none."""
    names, _ = FORMATS[path.suffix.lower()]
    found = _explained(names, path)
    if not found:
        raise DataError(f"{printable(path)}: holds no array; expected one of samples")
    return found


def read_array(path: Path, name: str) -> Tensor:
    """One array of a file, which stays where it is if the format allows it.

    Raises DataError for a damaged file, and for anything but real numbers; objects of Python are never loaded.
    """
    _, read = FORMATS[path.suffix.lower()]
    return _explained(read, path, name)


def _explained(read: Callable[..., Found], path: Path, *name: str) -> Found:
    try:
        return read(path, *name)
    except Exception as error:  # on damaged input a decoder may raise anything
        where = ": ".join([printable(path), *map(printable, filter(None, name))])
        raise DataError(f"{where}: {failure_reason(error)}") from None
