"""The tensors of a safetensors file, mapped into memory."""

from pathlib import Path

import torch
from torch import Tensor

from diffkit_trainer.checkpoint_limits import DTYPES
from diffkit_trainer.data.arrays.mapped import map_array
from diffkit_trainer.data.generated import KEY
from diffkit_trainer.errors import RefusedError, RunError
from diffkit_trainer.files.header import Header, read_header
from diffkit_trainer.files.regular_file import open_regular

__all__ = ["read_safetensors", "safetensors_names"]


def safetensors_names(path: Path) -> list[str]:
    """The names of the tensors, in their order."""
    return list(_header(path).tensors)


def read_safetensors(path: Path, name: str) -> Tensor:
    """One tensor, mapped into memory. Raises RefusedError for a damaged file."""
    header = _header(path)
    entry = header.tensors[name]
    dtype = DTYPES[entry.dtype].name
    bits = "uint16" if dtype == "bfloat16" else dtype  # NumPy has no bfloat16
    with open_regular(path) as file:
        found = map_array(file, header.start + entry.data_offsets[0], entry.shape, bits)
    return found.view(torch.bfloat16) if bits != dtype else found


def _header(path: Path) -> Header:
    try:
        header = read_header(path, links=True)
    except RunError as error:
        raise RefusedError(str(error).removeprefix(f"{path}: ")) from None
    if KEY in header.metadata:
        raise RefusedError("an exported network, not data: to fine-tune it, give DATA --from this file")
    return header
