"""Tensors from an untrusted safetensors file: the header is checked before memory is allocated."""

import json
import math
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from msgspec import Meta, Struct
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular import open_run_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import NonNegativeInt, as_type
from diffkit_trainer.limits import DTYPES, MAX_TENSORS

__all__ = [
    "Header",
    "infinity_metadata",
    "load_finite_tensors",
    "read_header",
    "read_tensors",
    "require_matching_tensors",
]

MAX_HEADER_BYTES = 8 * 2**20
KEY = "infinite"


class Entry(Struct):
    """A tensor's entry in the header."""

    dtype: str
    shape: Annotated[list[NonNegativeInt], Meta(max_length=8)]
    data_offsets: tuple[NonNegativeInt, NonNegativeInt]


class Header(NamedTuple):
    """The header of a safetensors file: its tensors by name, on the "meta" device, and its metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_tensors(path: Path, expected: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    expected: the network's tensors, on any device, "meta" too. The file must hold the same names, shapes and types.
    Raises RunError as `read_header` does; for other tensors than expected, before any is read; and for values that are not
    finite, except in the tensors that the metadata names, see `infinity_metadata`.
    """
    header = read_header(path)
    if expected is not None:
        require_matching_tensors(header.tensors, expected, path)
    return load_finite_tensors(path, header.metadata.get(KEY, "").split("\n"))


def read_header(path: Path) -> Header:
    """The header of a safetensors file, without its data.

    Raises RunError for anything but a regular file, for a header longer than 8 MB, for more than 20,000 tensors, and for sizes
    that do not fit the file.
    """
    with open_run_file(path) as file:
        size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        longest = min(MAX_HEADER_BYTES, max(size - 8, 0))
        if length > longest:
            expected = f"expected a header of at most {longest} bytes, found {length}"
            raise RunError(f"{path}: not a safetensors file, or damaged: {expected}")
        text = file.read(length)
    found = text.count(b"{") - 1  # one object per tensor; counted before they are parsed, which would take a second
    if found > MAX_TENSORS + 1:
        raise RunError(f"{path}: expected at most {MAX_TENSORS} tensors, found {found}")
    header = parse_object(text, path)
    metadata = as_type(header.pop("__metadata__", {}), dict[str, str], f"{path}: __metadata__")
    return Header({name: _meta_tensor(path, name, entry, size - 8 - length) for name, entry in header.items()}, metadata)


def infinity_metadata(names: Collection[str]) -> dict[str, str] | None:
    """The metadata of a file in which the named tensors may hold infinities, as a mask does; None for no names.

    >>> infinity_metadata(["mask"])
    {'infinite': 'mask'}
    """
    return {KEY: "\n".join(sorted(names))} if names else None


def load_finite_tensors(path: Path, infinite: Collection[str] = ()) -> dict[str, Tensor]:
    """The tensors of a file whose header was checked, by name. infinite: names of tensors that may hold infinities.

    Raises RunError if the file cannot be read, and for values that are not finite in any other tensor.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    for name, value in tensors.items():
        if name not in infinite and not value.isfinite().all():
            raise RunError(f"{path}: {name!r} is not finite")
    return tensors


def require_matching_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Raises RunError, naming the first tensor that is missing, unexpected, or of another shape or type.

    >>> require_matching_tensors({"a": torch.zeros(2)}, {"a": torch.zeros(3)}, Path("net.safetensors"))
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: net.safetensors: a: expected float32 of shape (3,), found float32 of shape (2,)
    """
    for name in sorted(found.keys() | expected.keys()):
        actual, wanted = (_description(each.get(name)) for each in (found, expected))
        if actual != wanted:
            raise RunError(f"{path}: {name}: expected {wanted}, found {actual}")


def _description(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def _meta_tensor(path: Path, name: str, entry: Any, data: int) -> Tensor:
    with suppress(RunError):
        found = as_type(entry, Entry, path)
        (start, end), shape, dtype = found.data_offsets, found.shape, DTYPES.get(found.dtype)
        # also if a side is 0: torch multiplies the other sides
        fits = max([end, *shape]) <= data and math.prod(max(side, 1) for side in shape) < 2**60
        if dtype and fits and math.prod(shape) * dtype.itemsize == end - start:
            return torch.empty(shape, dtype=dtype, device="meta")
    raise RunError(f"{path}: {name!r}: expected a type, a shape and offsets in {data} bytes, found {json.dumps(entry)[:80]}")
