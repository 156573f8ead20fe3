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
from torch import nn

from diffkit_trainer.files.atomic import atomic_write_bytes
from diffkit_trainer.files.typed_json import with_format

__all__ = ["write_onnx"]

REQUIRED = ("onnx", "onnxscript")
KEY = "diffkit"


def write_onnx(path: Path, network: nn.Module, config: Mapping[str, Any]) -> None:
    """Write network(x, condition) as ONNX: x (B, C, H, W) with any B, H and W, condition (B,), both float32; "out" like x.

    A network with classes has a third input, class_labels (B,) int64. config: the run's config, which is stored in the model's
    metadata under "diffkit". Raises ValueError if a package that torch needs to write ONNX is missing, OSError if the file
    cannot be written.
    """
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"ONNX needs the packages {' and '.join(REQUIRED)}: pip install {' '.join(missing)}")
    onnx = importlib.import_module("onnx")  # not a dependency of this package

    channels, height, width = (config["image"][key] for key in ("channels", "height", "width"))
    inputs: dict[str, Any] = {"x": torch.zeros(2, channels, height, width), "condition": torch.ones(2)}
    if config["network"].get("num_classes"):
        inputs["class_labels"] = torch.zeros(2, dtype=torch.int64)
    batch, auto = torch.export.Dim("batch"), torch.export.Dim.DYNAMIC
    shapes: dict[str, Any] = {name: {0: batch} for name in inputs} | {"x": {0: batch, 2: auto, 3: auto}}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _errors_only("torch.onnx"):
        warnings.simplefilter("ignore")  # torch warns of optional packages and of future changes
        program = torch.onnx.export(
            network.cpu().eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["out"],
            dynamic_shapes=tuple(shapes[name] for name in inputs),
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto  # type: ignore[union-attr]
    onnx.helper.set_model_props(model, {KEY: json.dumps(with_format(config), allow_nan=False)})
    atomic_write_bytes(path, model.SerializeToString())


@contextlib.contextmanager
def _errors_only(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
