"""A network as an ONNX file, for programs without torch."""

import contextlib
import importlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkit_trainer.files.atomic import atomic_write_bytes
from diffkit_trainer.files.typed_json import with_format

__all__ = ["write_onnx"]

REQUIRED = ("onnx", "onnxscript")
KEY = "diffkit"


def write_onnx(path: Path, network: nn.Module, config: Mapping[str, Any]) -> None:
    """Write network(x, condition) as ONNX: x (B, C, *space), condition (B,), both float32; "out" like x.

    B is any number, and so is each axis of the space. A network with classes has a further input, class_labels (B,) int64, and
    one for each of its conditions, float32 (B, ...) by its name, normalised, NaN where it is missing. config: the run's config,
    which is stored in the model's metadata under "diffkit". Raises ValueError if a package that torch needs to write ONNX is
    missing, OSError if the file cannot be written.
    """
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"ONNX needs the packages {' and '.join(REQUIRED)}: pip install {' '.join(missing)}")
    onnx = importlib.import_module("onnx")  # not a dependency of this package

    shape = [config["image"][key] for key in ("channels", "height", "width")] if "image" in config else _shape(config["samples"])
    inputs: dict[str, Any] = {"x": torch.zeros(2, *shape), "condition": torch.ones(2)}
    if config["network"].get("num_classes"):
        inputs["class_labels"] = torch.zeros(2, dtype=torch.int64)
    conditions = config.get("conditions", {})
    inputs |= {name: torch.zeros(2, *each["shape"]) for name, each in conditions.items()}
    batch, auto = torch.export.Dim("batch"), torch.export.Dim.DYNAMIC
    shapes: dict[str, Any] = {name: {0: batch} for name in inputs}
    shapes["x"] |= dict.fromkeys(range(2, 1 + len(shape)), auto)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _errors_only("torch.onnx"):
        warnings.simplefilter("ignore")  # torch warns of optional packages and of future changes
        program = torch.onnx.export(
            _Positional(network.cpu().eval(), list(inputs)),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["out"],
            dynamic_shapes=(tuple(shapes[name] for name in inputs),),
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto  # type: ignore[union-attr]
    onnx.helper.set_model_props(model, {KEY: json.dumps(with_format(config), allow_nan=False)})
    atomic_write_bytes(path, model.SerializeToString())


class _Positional(nn.Module):
    """The network with its arguments by position: torch.export takes no dynamic shapes of keywords."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor:
        x, condition, *more = inputs
        out: Tensor = self.network(x, condition, **dict(zip(self.names[2:], more, strict=True)))
        return out


def _shape(samples: Mapping[str, Any]) -> list[int]:
    return [samples["channels"], *samples["space"]]


@contextlib.contextmanager
def _errors_only(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
