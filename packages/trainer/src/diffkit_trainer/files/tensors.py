"""Tensors from a file that somebody else may have made: the header is judged before anything is made room for."""

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
from diffkit_trainer.files.regular import opened
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import Count, as_type

__all__ = ["Header", "load_finite", "note_infinite", "read_header", "read_tensors", "require_same_tensors"]

LONGEST_HEADER = 8 * 2**20
MOST_TENSORS = 20_000
INFINITE = "infinite"
DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool},
}


class Announced(Struct):
    """What the header says of a tensor."""

    dtype: str
    shape: Annotated[list[Count], Meta(max_length=8)]
    data_offsets: tuple[Count, Count]


class Header(NamedTuple):
    """What a safetensors file says of itself: every tensor that it announces, on "meta", by name, and its metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_tensors(path: Path, expected: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    expected: those of the network, on any device, "meta" too: names, shapes and types must be theirs.
    Raises RunError for a file that is something else, and before any tensor is read as `read_header` does and for other tensors
    than expected; then for values that are not finite, but for those of the tensors that `note_infinite` noted.
    """
    header = read_header(path)
    if expected is not None:
        require_same_tensors(header.tensors, expected, path)
    return load_finite(path, header.metadata.get(INFINITE, "").split("\n"))


def read_header(path: Path) -> Header:
    """The header of a safetensors file, and nothing else of it.

    Raises RunError for what is no regular file, a header longer than 8 MB, more than 20,000 tensors, and sizes that do not fit
    the file.
    """
    with opened(path) as file:
        size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        most = min(LONGEST_HEADER, max(size - 8, 0))
        if length > most:
            raise RunError(f"{path}: no safetensors file, or damaged: expected a header of at most {most} bytes, found {length}")
        text = file.read(length)
    found = text.count(b"{") - 1  # an object each; counted before they are made, which would take a second
    if found > MOST_TENSORS + 1:
        raise RunError(f"{path}: expected at most {MOST_TENSORS} tensors, found {found}")
    header = parse_object(text, path)
    metadata = as_type(header.pop("__metadata__", {}), dict[str, str], f"{path}: __metadata__")
    return Header({name: _announced(path, name, entry, size - 8 - length) for name, entry in header.items()}, metadata)


def note_infinite(names: Collection[str]) -> dict[str, str] | None:
    """The metadata of a file in which these tensors may hold infinities, as a mask does; None for none.

    >>> note_infinite(["mask"])
    {'infinite': 'mask'}
    """
    return {INFINITE: "\n".join(sorted(names))} if names else None


def load_finite(path: Path, infinite: Collection[str] = ()) -> dict[str, Tensor]:
    """The tensors of a file whose header was judged; RunError where it cannot be read, and for values that are not finite, but
    for those of the tensors that are named as infinite."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    for name, value in tensors.items():
        if name not in infinite and not value.isfinite().all():
            raise RunError(f"{path}: {name!r} is not finite")
    return tensors


def require_same_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Raises RunError, naming the first tensor that is missing, unexpected, or of another shape or type.

    >>> require_same_tensors({"a": torch.zeros(2)}, {"a": torch.zeros(3)}, Path("net.safetensors"))
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: net.safetensors: a: expected float32 of shape (3,), found float32 of shape (2,)
    """
    for name in sorted(found.keys() | expected.keys()):
        is_, should = (_described(each.get(name)) for each in (found, expected))
        if is_ != should:
            raise RunError(f"{path}: {name}: expected {should}, found {is_}")


def _described(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def _announced(path: Path, name: str, entry: Any, data: int) -> Tensor:
    with suppress(RunError):
        found = as_type(entry, Announced, path)
        (start, end), shape, dtype = found.data_offsets, found.shape, DTYPES.get(found.dtype)
        # also where a side is 0: torch multiplies the others
        fits = max([end, *shape]) <= data and math.prod(max(side, 1) for side in shape) < 2**60
        if dtype and fits and math.prod(shape) * dtype.itemsize == end - start:
            return torch.empty(shape, dtype=dtype, device="meta")
    raise RunError(f"{path}: {name!r}: expected a type, a shape and its place in {data} bytes, found {json.dumps(entry)[:80]}")
