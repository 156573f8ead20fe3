"""Tensors from an untrusted safetensors file: the header is checked before memory is allocated."""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diffkit_trainer.checkpoint_limits import DTYPES
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.header import Header, read_header

__all__ = [
    "infinity_metadata",
    "load_finite_tensors",
    "meta_tensors",
    "read_tensors",
    "require_matching_tensors",
]

KEY = "infinite"


def read_tensors(path: Path, expected: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    expected: the network's tensors, on any device, "meta" too. The file must hold the same names, shapes and types.
    Raises RunError as `read_header` does; for other tensors than expected, before any is read; and for values that are not
    finite, except in the tensors that the metadata names, see `infinity_metadata`.
    """
    header = read_header(path)
    if expected is not None:
        require_matching_tensors(meta_tensors(header), expected, path)
    return load_finite_tensors(path, header.metadata.get(KEY, "").split("\n"))


def meta_tensors(header: Header) -> dict[str, Tensor]:
    """The tensors of a header by name, on the "meta" device."""
    types = {key: getattr(torch, dtype.name) for key, dtype in DTYPES.items()}
    return {name: torch.empty(each.shape, dtype=types[each.dtype], device="meta") for name, each in header.tensors.items()}


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
