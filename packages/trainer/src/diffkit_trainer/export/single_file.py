"""A network as one safetensors file with the run's config in its header."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor

from diffkit_trainer.errors import RunError
from diffkit_trainer.export.description import KEY, read_description
from diffkit_trainer.files.atomic import atomic_write_bytes
from diffkit_trainer.files.header import read_header
from diffkit_trainer.files.tensors import load_finite_tensors, meta_tensors, require_matching_tensors
from diffkit_trainer.files.typed_json import with_format

__all__ = ["ExportedNetwork", "read_export", "write_export"]


class ExportedNetwork(NamedTuple):
    """A network's weights by name, its run's config, the step it was trained to; raw: not the average of the weights."""

    weights: dict[str, Tensor]
    config: dict[str, Any]
    step: int
    raw: bool


def write_export(path: Path, network: ExportedNetwork, *, half: bool = False) -> None:
    """Write the network as one safetensors file, atomically.

    half: store float32 weights as float16, in half the bytes; `read_export` gives float32 again. Raises OSError if the file
    cannot be written, and RunError for a weight beyond float16's largest number, 65504.
    """
    # one key: with several, the file's bytes would differ between processes
    document = with_format({"config": network.config, "step": network.step, "raw": network.raw, "half": half})
    weights = {name: value.detach().cpu().contiguous() for name, value in network.weights.items()}
    if half:
        weights = _halved(weights)
        for name, value in weights.items():
            if not value.isfinite().all():
                raise RunError(f"{path}: {name} does not fit float16, whose largest number is 65504: export it in float32")
    atomic_write_bytes(path, save(weights, {KEY: json.dumps(document, allow_nan=False)}))


def read_export(path: Path, expected_tensors: Callable[[dict[str, Any]], Mapping[str, Tensor]]) -> ExportedNetwork:
    """The network in a file of `write_export`. The file may be untrusted.

    expected_tensors: gives the network's tensors for a config, on any device, "meta" too; the file must hold the same names,
    shapes and types. Raises RunError for a file that cannot be read or holds something else, for values that are not finite, and
    if `expected_tensors` raises ValueError for the config.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "net.safetensors"
    ...     write_export(path, ExportedNetwork({"a": torch.ones(2)}, {"width": 2}, step=10, raw=False))
    ...     print(read_export(path, lambda config: {"a": torch.empty(config["width"])}).config)
    {'width': 2}
    """
    header = read_header(path)
    found = read_description(path, header)
    try:
        tensors = expected_tensors(found.config)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None
    require_matching_tensors(meta_tensors(header), _halved(tensors) if found.half else tensors, path)
    weights = {name: value.to(tensors[name].dtype) for name, value in load_finite_tensors(path).items()}
    return ExportedNetwork(weights, found.config, found.step, found.raw)


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half() if value.dtype == torch.float32 else value for name, value in tensors.items()}
