"""Image features of a network in a TorchScript or ONNX file."""

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.errors import first_line

__all__ = ["FeatureNetwork", "load_feature_network"]

BATCH_SIZE = 64
LOG_FATAL = 4
ONNX_DTYPES = {"tensor(uint8)": torch.uint8, "tensor(float)": torch.float32}


class FeatureNetwork(NamedTuple):
    """The features of the network in a file. kind: the name of the file; quality: unknown, see `Features`."""

    network: Callable[[Tensor], Tensor]
    kind: str
    quality: None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """The network's output for uint8 images (N, 1 or 3, H, W), as float64 (N, D).

        Raises ValueError for a network that does not accept such images, or whose output is not finite or not (N, D).
        """
        colour = pixels.expand(-1, 3, -1, -1).cpu()
        return torch.cat([self._features(part.contiguous()) for part in colour.split(BATCH_SIZE)])

    def _features(self, pixels: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                output = self.network(pixels)
            features = output.flatten(1).double().cpu()
        except Exception as error:  # the file's code and the runtime may raise anything
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            shape = tuple(pixels.shape)
            raise ValueError(f"{self.kind}: gives no features (N, D) for uint8 images {shape} ({reason:.200})") from None
        if len(features) != len(pixels) or not features.numel() or not features.isfinite().all():
            found = f"an array {tuple(output.shape)}" + ("" if features.isfinite().all() else " with infinities or NaN")
            raise ValueError(f"{self.kind}: expected finite numbers, one row for each of {len(pixels)} images, found {found}")
        return features


def load_feature_network(path: Path) -> FeatureNetwork:
    """The network in FILE.pt (TorchScript) or FILE.onnx, as features. It is called with images (N, 3, H, W), values 0 to 255.

    The images have the data's size; grey ones are repeated to three channels. TorchScript gets uint8, and return_features=True
    if its forward has that argument, as the common file of Inception-v3 does; ONNX gets the type of its first input, uint8 or
    float32. TorchScript runs code from the file: load only a file that you trust.
    Raises ValueError for a file that cannot be read, for another suffix, and if onnxruntime is not installed.
    """
    readers = {".pt": _torchscript, ".onnx": _onnx}
    kind = path.suffix.lower()
    if kind not in readers:
        raise ValueError(f"{path} must be a .pt file (TorchScript) or .onnx")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        return FeatureNetwork(readers[kind](path), path.name)
    except ImportError:
        raise ValueError(f"{path} needs the package onnxruntime: pip install onnxruntime") from None
    except Exception as error:  # torch and onnxruntime do not document which
        form = "TorchScript" if kind == ".pt" else "ONNX"
        raise ValueError(f"{path}: cannot be read as {form} ({first_line(error):.200})") from None


def _torchscript(path: Path) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch recommends torch.export
        module = torch.jit.load(str(path), map_location="cpu").eval()
    options = {argument.name for argument in module.forward.schema.arguments}
    arguments = {"return_features": True} if "return_features" in options else {}
    return lambda pixels: module(pixels, **arguments)


def _onnx(path: Path) -> Callable[[Tensor], Tensor]:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = LOG_FATAL  # errors are raised as well
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    if first.type not in ONNX_DTYPES:
        raise ValueError(f"its input is a {first.type}, expected one of {', '.join(ONNX_DTYPES)}")
    dtype = ONNX_DTYPES[first.type]
    return lambda pixels: torch.from_numpy(session.run(None, {first.name: pixels.to(dtype).numpy()})[0])
