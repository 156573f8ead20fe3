"""Where to compute, and how tensors get there."""

import re

import torch
from torch import Tensor

__all__ = ["near", "pick_device", "seed_weights", "send"]

SHARE = 0.3


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first CUDA device, else Apple's, else the CPU.

    Raises ValueError for a name that torch does not know, and for a device that is not there or cannot compute.

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
        torch.ones(1, device=device).item()  # "meta" makes tensors that hold nothing
    except Exception as error:  # of a dozen kinds of devices each fails as it likes
        reason = re.split(r"\. |\n", str(error))[0]
        raise ValueError(f"device {name} cannot be used here ({reason}): take another, or auto") from None
    return device


def seed_weights(seed: int) -> None:
    """Seed torch's global generators, which new modules draw their weights from."""
    torch.manual_seed(seed)


def near(pixels: Tensor, device: torch.device) -> Tensor:
    """The data set on a CUDA device where that takes at most 30% of what is free: a batch is then one index; else as it is."""
    if device.type != "cuda" or pixels.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        return pixels
    return pixels.to(device)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; the host does not wait for the copy.

    >>> send(torch.ones(2), torch.device("cpu"))
    tensor([1., 1.])
    """
    if device.type == "cuda" and tensor.is_cpu:
        return tensor.pin_memory().to(device, non_blocking=True)  # from any other memory the copy waits
    return tensor.to(device)
