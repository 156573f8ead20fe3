"""Images and labels in IDX files, the format of MNIST and its relatives, plain or gzipped."""

import gzip
import math
import os
import re
import zlib
from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.data.listing import printable
from diffkit_trainer.errors import DataError

__all__ = ["find_idx", "read_idx", "read_pair"]

NAME = re.compile(r"(?P<prefix>.*?)-?(?P<kind>images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?")
UNSIGNED_BYTE = 0x08
MOST_BYTES = 2**32
LONGEST_SIDE = 4096
CHUNK = 2**20


def find_idx(root: Path) -> tuple[Path, Path | None] | None:
    """The images file and the labels file of a folder, or None if it holds no IDX images.

    Names: PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, or with a dot before idx, or without a prefix; each may end in
    .gz, and a plain file goes before its gzipped twin. Of several pairs the one with "train" in its prefix is taken; if that
    does not single one out, DataError lists them. Labels may be missing.
    """
    found: dict[str, dict[str, Path]] = {}
    for match in _matches(root):
        path = root / match[0]
        if path.is_file():  # never a FIFO, which would block
            found.setdefault(match["prefix"], {}).setdefault(match["kind"][:6], path)
    pairs = {prefix: files for prefix, files in found.items() if "images" in files}
    if not pairs:
        return None
    train = {prefix: files for prefix, files in pairs.items() if "train" in prefix.split("-")}
    chosen = list((train if len(pairs) > 1 else pairs).values())
    if len(chosen) != 1:
        names = ", ".join(printable(files["images"].name) for files in pairs.values())
        raise DataError(f"{printable(root)}: several IDX files of images: {names}; keep one, or begin one name with 'train'")
    return chosen[0]["images"], chosen[0].get("labels")


def read_pair(images: Path, labels: Path | None) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
    """Pixels (N, 1, H, W), labels (N,) and classes "0" to the largest label; no labels and no classes without their file.

    Raises DataError where either file is not what its name says, where there are no images, where a side is longer than 4096,
    and where the two differ in count.
    """
    pixels = read_idx(images, 3)
    if not pixels.numel() or max(pixels.shape[1:]) > LONGEST_SIDE:
        shape = " x ".join(map(str, pixels.shape))
        raise DataError(
            f"{printable(images)}: holds {shape} pixels; expected at least one image with sides of 1 to {LONGEST_SIDE}"
        )
    pixels = pixels.unsqueeze(1)  # (N, 1, H, W)
    if labels is None:
        return pixels, None, ()
    values = read_idx(labels, 1).long()
    if len(values) != len(pixels):
        counts = f"{len(values)} labels, expected {len(pixels)}, the number of images in {printable(images.name)}"
        raise DataError(f"{printable(labels)}: found {counts}")
    return pixels, values, tuple(map(str, range(int(values.max()) + 1)))


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The unsigned bytes of an IDX file with that many dimensions, as a uint8 tensor of the shape its header gives.

    The header is two zero bytes, the type (0x08), the number of dimensions, and each of them as four bytes, big-endian; the data
    must be exactly as long as it says, and no longer than 4 GiB. A name that ends in .gz is unpacked, and never further than
    that. Raises DataError, which names the file, what was found and what was expected.
    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".
    """
    length = 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.name.endswith(".gz") else open(path, "rb") as file:
            header = file.read(length)
            magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
            _require(path, "the header", header[:4] == magic, header[:4].hex(" ") or "nothing", magic.hex(" "))
            _require(path, "the header", len(header) == length, f"{len(header)} bytes", f"{length} bytes")
            shape = [int.from_bytes(header[i : i + 4], "big") for i in range(4, length, 4)]
            expected = math.prod(shape)
            _require(path, "the data", expected <= MOST_BYTES, f"{expected} bytes announced", f"at most {MOST_BYTES}")
            data = bytearray()
            # one byte more than announced tells a longer file; a header that announces too much makes no room for it
            while chunk := file.read(min(CHUNK, expected + 1 - len(data))):
                data += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{printable(path)}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{printable(path)}: {(error.strerror or str(error)).lower()}; expected an IDX file") from error
    found = f"{len(data)} bytes" if len(data) <= expected else f"more than {expected} bytes"
    _require(path, "the data", len(data) == expected, found, f"{expected} bytes for the shape {' x '.join(map(str, shape))}")
    return torch.frombuffer(data, dtype=torch.uint8).view(shape) if data else torch.empty(shape, dtype=torch.uint8)


def _matches(root: Path) -> list[re.Match[str]]:
    try:
        with os.scandir(root) as entries:
            matches = [match for entry in entries if (match := NAME.fullmatch(entry.name))]
    except OSError:  # whoever lists the folder for images says what is wrong with it
        return []
    return sorted(matches, key=lambda match: match[0])  # X comes before X.gz


def _require(path: Path, what: str, holds: bool, found: str, expected: str) -> None:
    if not holds:
        raise DataError(f"{printable(path)}: {what} of this IDX file is wrong: found {found}, expected {expected}")
