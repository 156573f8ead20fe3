"""The device to compute on, and copies of tensors to it."""

import re

import torch
from torch import Tensor

__all__ = ["pick_device", "place_dataset", "seed_weights", "to_device"]

MAX_MEMORY_FRACTION = 0.3


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name. "auto" is the first CUDA device, else Apple's, else the CPU.

    Raises ValueError for a name that torch does not know, and for a device that is missing or cannot compute.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu, cuda, cuda:1, mps ...; got {name!r}") from None
    try:
        torch.ones(1, device=device).item()  # "meta" makes tensors without values
    except Exception as error:  # each of a dozen kinds of devices raises another error
        reason = re.split(r"\. |\n", str(error))[0]
        raise ValueError(f"device {name} cannot be used here ({reason}): choose another, or auto") from None
    return device


def seed_weights(seed: int) -> None:
    """Seed torch's global generators, from which new modules draw their initial weights."""
    torch.manual_seed(seed)


def place_dataset(pixels: Tensor, device: torch.device) -> Tensor:
    """The data set's pixels on a CUDA device, if they take at most 30% of its free memory; else where they are.

    On the device a batch is a single indexing operation.
    """
    if device.type != "cuda" or pixels.nbytes > MAX_MEMORY_FRACTION * torch.cuda.mem_get_info(device)[0]:
        return pixels
    return pixels.to(device)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device. The host does not wait for the copy.

    >>> to_device(torch.ones(2), torch.device("cpu"))
    tensor([1., 1.])
    """
    if device.type == "cuda" and tensor.is_cpu:
        return tensor.pin_memory().to(device, non_blocking=True)  # only a copy from pinned memory is asynchronous
    return tensor.to(device)
