"""Features of images by a network that somebody else trained, from a file: TorchScript or ONNX."""

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FeatureNetwork", "load_feature_network"]

BATCH = 64
FATAL = 4
WHOLE_PIXELS = {"tensor(uint8)": torch.uint8, "tensor(float)": torch.float32}


class FeatureNetwork(NamedTuple):
    """The features of the network in a file; kind: the file's name. How well it does what it was trained for is not known."""

    network: Callable[[Tensor], Tensor]
    kind: str
    score: None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """The features of uint8 images (N, 1 or 3, H, W), as the network gives them: float64 (N, D).

        Raises ValueError, in one line, for a network that does not take such images or does not give numbers (N, D).
        """
        colour = pixels.expand(-1, 3, -1, -1).cpu()
        return torch.cat([self._checked(part.contiguous()) for part in colour.split(BATCH)])

    def _checked(self, pixels: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                found = self.network(pixels)
            features = found.flatten(1).double().cpu()
        except Exception as error:  # whatever the file's code, or the runtime, raises
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            shape = tuple(pixels.shape)
            raise ValueError(f"{self.kind}: gives no features (N, D) for uint8 images {shape} ({reason:.200})") from None
        if len(features) != len(pixels) or not features.numel() or not features.isfinite().all():
            found_shape = f"an array {tuple(found.shape)}" + ("" if features.isfinite().all() else " with infinities or NaN")
            raise ValueError(
                f"{self.kind}: expected finite numbers, a row an image, for {len(pixels)} images, found {found_shape}"
            )
        return features


def load_feature_network(path: Path) -> FeatureNetwork:
    """The network in FILE.pt (TorchScript) or FILE.onnx, as features: called with images (N, 3, H, W), values 0 to 255.

    Grey images come as colour ones, of the data's size. TorchScript is given uint8, and return_features=True where its forward
    takes that, as the common file of Inception-v3 does; ONNX what its first input asks for, uint8 or float32. TorchScript runs
    code that the file brings: read only a file that you trust.
    Raises ValueError for a file that cannot be read, another ending, and where onnxruntime is missing.
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
    except Exception as error:  # of torch's reader or of onnxruntime: neither says which
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: cannot be read as {'TorchScript' if kind == '.pt' else 'ONNX'} ({reason:.200})") from None


def _torchscript(path: Path) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.export is newer
        module = torch.jit.load(str(path), map_location="cpu").eval()
    options = {argument.name for argument in module.forward.schema.arguments}
    asked = {"return_features": True} if "return_features" in options else {}
    return lambda pixels: module(pixels, **asked)


def _onnx(path: Path) -> Callable[[Tensor], Tensor]:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = FATAL  # what goes wrong is raised too, and said in one line
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    if first.type not in WHOLE_PIXELS:
        raise ValueError(f"its input is a {first.type}, expected one of {', '.join(WHOLE_PIXELS)}")
    dtype = WHOLE_PIXELS[first.type]
    return lambda pixels: torch.from_numpy(session.run(None, {first.name: pixels.to(dtype).numpy()})[0])
