"""One IDX file, the format of MNIST, plain or gzipped, as a tensor."""

import gzip
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable

__all__ = ["read_idx"]

UNSIGNED_BYTE = 0x08
MAX_BYTES = 2**32
CHUNK_BYTES = 2**20


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The unsigned bytes of an IDX file with that many dimensions, as a uint8 tensor of the shape in its header.

    The header is two zero bytes, the type (0x08), the number of dimensions, and each dimension as four bytes, big-endian. The
    data must have exactly that size, at most 4 GiB. A file whose name ends in .gz is unpacked, but never further than that.
    Raises DataError with the file, what was found and what was expected.
    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".
    """
    length = 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            header = file.read(length)
            magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
            _require(path, "the header", header[:4] == magic, header[:4].hex(" ") or "nothing", magic.hex(" "))
            _require(path, "the header", len(header) == length, f"{len(header)} bytes", f"{length} bytes")
            shape = [int.from_bytes(header[i : i + 4], "big") for i in range(4, length, 4)]
            expected = math.prod(shape)
            _require(path, "the data", expected <= MAX_BYTES, f"{expected} bytes announced", f"at most {MAX_BYTES}")
            data = bytearray()
            # one byte more than announced reveals a longer file; memory grows with the data, not with the header's numbers
            while chunk := file.read(min(CHUNK_BYTES, expected + 1 - len(data))):
                data += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{printable(path)}: damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise DataError(f"{printable(path)}: {(error.strerror or str(error)).lower()}; expected an IDX file") from error
    found = f"{len(data)} bytes" if len(data) <= expected else f"more than {expected} bytes"
    _require(path, "the data", len(data) == expected, found, f"{expected} bytes for the shape {' x '.join(map(str, shape))}")
    return torch.frombuffer(data, dtype=torch.uint8).view(shape) if data else torch.empty(shape, dtype=torch.uint8)


def _require(path: Path, part: str, holds: bool, found: str, expected: str) -> None:
    if not holds:
        raise DataError(f"{printable(path)}: {part} of this IDX file is wrong: found {found}, expected {expected}")
