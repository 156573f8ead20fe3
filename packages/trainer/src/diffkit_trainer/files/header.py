"""The header of an untrusted safetensors file, without torch: names, types, shapes and places of its tensors."""

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from diffkit_trainer.checkpoint_limits import DTYPES, MAX_AXES, MAX_TENSORS
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular_file import open_run_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import NonNegativeInt, as_type

__all__ = ["Entry", "Header", "read_header"]

MAX_HEADER_BYTES = 8 * 2**20


class Entry(Struct, frozen=True):
    """A tensor's type, a key of `DTYPES`, its shape, and the first byte and the end of its data."""

    dtype: str
    shape: Annotated[tuple[NonNegativeInt, ...], Meta(max_length=MAX_AXES)]
    data_offsets: tuple[NonNegativeInt, NonNegativeInt]


class Header(NamedTuple):
    """The header of a safetensors file: its tensors by name, its metadata, and where the data begins in the file."""

    tensors: dict[str, Entry]
    metadata: dict[str, str]
    start: int


def read_header(path: Path, *, links: bool = False) -> Header:
    """The header of a safetensors file, without its data. links: follow symbolic links.

    Raises RunError for anything but a regular file, for a header longer than 8 MB, for more than 20,000 tensors, and for sizes
    that do not fit the file.
    """
    with open_run_file(path, links=links) as file:
        size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        longest = min(MAX_HEADER_BYTES, max(size - 8, 0))
        if length > longest:
            expected = f"expected a header of at most {longest} bytes, found {length}"
            way_out = "give a run folder or a file of diffkit export"
            raise RunError(f"{path}: not a safetensors file, or damaged: {expected}; {way_out}")
        text = file.read(length)
    found = text.count(b"{") - 1  # one object per tensor; counted before they are parsed, which would take a second
    if found > MAX_TENSORS + 1:
        raise RunError(f"{path}: expected at most {MAX_TENSORS} tensors, found {found}")
    header = parse_object(text, path)
    metadata = as_type(header.pop("__metadata__", {}), dict[str, str], f"{path}: __metadata__")
    data = size - 8 - length
    return Header({name: _entry(path, name, entry, data) for name, entry in header.items()}, metadata, 8 + length)


def _entry(path: Path, name: str, entry: Any, data: int) -> Entry:
    with suppress(RunError):
        found = as_type(entry, Entry, path)
        (start, end), shape = found.data_offsets, found.shape
        # also if a side is 0: torch multiplies the other sides
        fits = max([end, *shape]) <= data and math.prod(max(side, 1) for side in shape) < 2**60
        if fits and found.dtype in DTYPES and math.prod(shape) * DTYPES[found.dtype].nbytes == end - start:
            return found
    raise RunError(f"{path}: {name!r}: expected a type, a shape and offsets in {data} bytes, found {json.dumps(entry)[:80]}")
