"""What the file of an exported network says of itself, read without torch."""

import struct
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from diffkit_trainer.checkpoint_limits import DTYPES
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.header import Header, read_header
from diffkit_trainer.files.regular_file import open_run_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.tensor_hash import Contents, tensor_hash
from diffkit_trainer.files.typed_json import NonNegativeInt, as_type, without_format

__all__ = ["KEY", "Description", "ExportDescription", "describe_export", "read_description"]

KEY = "diffkit"
CHUNK_BYTES = 2**20


class Description(Struct):
    """The network's description in the header. half: float32 weights are stored as float16."""

    config: dict[str, Any]
    step: NonNegativeInt
    raw: bool
    half: bool = False


class ExportDescription(NamedTuple):
    """Its run's config, the step it was trained to, whether it is the raw network, and the hash of its weights.

    weights: see `weights_hash`. shapes: of its tensors by name.
    """

    config: dict[str, Any]
    step: int
    raw: bool
    weights: str
    shapes: dict[str, tuple[int, ...]]


def describe_export(path: Path) -> ExportDescription:
    """The description of a file of `write_export`, which may be untrusted. No tensor is kept in memory, torch is not imported.

    Raises RunError as `read_export` does, except for tensors that its config does not describe or that are not finite.
    """
    header = read_header(path)
    found = read_description(path, header)
    with open_run_file(path) as file:
        weights = tensor_hash(_contents(file, header, half=found.half))
    return ExportDescription(
        found.config, found.step, found.raw, weights, {name: each.shape for name, each in header.tensors.items()}
    )


def read_description(path: Path, header: Header) -> Description:
    """The description in a file's header. Raises RunError where it has none."""
    if KEY not in header.metadata:
        raise RunError(f"{path}: its header has no config: expected a file of diffkit export")
    document = parse_object(header.metadata[KEY].encode("utf-8", "surrogatepass"), path)
    return as_type(without_format(document, path), Description, path)


def _contents(file: BufferedReader, header: Header, *, half: bool) -> Iterator[Contents]:
    """The tensors of an open file, in the order of their names. half: float16 becomes float32 again."""
    for name, entry in sorted(header.tensors.items()):
        (start, end), widened = entry.data_offsets, half and entry.dtype == "F16"
        file.seek(header.start + start)
        parts = (file.read(min(CHUNK_BYTES, end - i)) for i in range(start, end, CHUNK_BYTES))
        yield name, DTYPES["F32" if widened else entry.dtype].name, entry.shape, map(_widened, parts) if widened else parts


def _widened(halves: bytes) -> bytes:
    count = len(halves) // 2
    return struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", halves))
