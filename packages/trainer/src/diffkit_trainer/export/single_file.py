"""One network in one file: safetensors whose header holds the run's config."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from msgspec import Struct
from safetensors.torch import save
from torch import Tensor

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import written
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.tensors import load_finite, read_header, require_same_tensors
from diffkit_trainer.files.typed_json import Count, as_type, known_format, with_format

__all__ = ["ExportedNetwork", "read_export", "write_export"]

KEY = "diffkit"


class ExportedNetwork(NamedTuple):
    """A network's weights by name, its run's config, the step it was trained to, and whether it is the raw network."""

    weights: dict[str, Tensor]
    config: dict[str, Any]
    step: int
    raw: bool


class Document(Struct):
    """What the header says of the network."""

    config: dict[str, Any]
    step: Count
    raw: bool
    half: bool = False


def write_export(path: Path, network: ExportedNetwork, *, half: bool = False) -> None:
    """Write the network as one safetensors file, whole or not at all.

    half: its float32 numbers as float16, in half the bytes; they are read as float32 again. Raises OSError where it cannot be
    written, and RunError for a number that float16 does not hold (65504 is its largest).
    """
    # one key: with several, the file's bytes would differ from process to process
    document = with_format({"config": network.config, "step": network.step, "raw": network.raw, "half": half})
    weights = {name: value.detach().cpu().contiguous() for name, value in network.weights.items()}
    if half:
        weights = _halved(weights)
        for name, value in weights.items():
            if not value.isfinite().all():
                raise RunError(f"{path}: {name} does not fit float16, whose largest number is 65504: export it in float32")
    data = save(weights, {KEY: json.dumps(document, allow_nan=False)})
    with written(path) as temporary:
        temporary.write_bytes(data)


def read_export(path: Path, expected: Callable[[dict[str, Any]], Mapping[str, Tensor]]) -> ExportedNetwork:
    """The network that `write_export` wrote; for a file from anywhere.

    expected: the network's tensors, on "meta" if you like, from the config: the file's names, shapes and types must be theirs.
    Raises RunError for a file that cannot be read or is something else, for values that are not finite, and where `expected`
    raises ValueError for the config.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "net.safetensors"
    ...     write_export(path, ExportedNetwork({"a": torch.ones(2)}, {"width": 2}, step=10, raw=False))
    ...     print(read_export(path, lambda config: {"a": torch.empty(config["width"])}).config)
    {'width': 2}
    """
    header = read_header(path)
    document = _document(path, header.metadata)
    try:
        tensors = expected(document.config)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None
    require_same_tensors(header.tensors, _halved(tensors) if document.half else tensors, path)
    weights = {name: value.to(tensors[name].dtype) for name, value in load_finite(path).items()}
    return ExportedNetwork(weights, document.config, document.step, document.raw)


def _document(path: Path, metadata: Mapping[str, str]) -> Document:
    if KEY not in metadata:
        raise RunError(f"{path}: carries no config: expected a file of diffkit export")
    return as_type(known_format(parse_object(metadata[KEY].encode("utf-8", "surrogatepass"), path), path), Document, path)


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half() if value.dtype == torch.float32 else value for name, value in tensors.items()}
