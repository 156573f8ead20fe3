"""Where to compute."""

import torch

__all__ = ["pick_device", "seed_weights"]


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first CUDA device, else Apple's, else the CPU.

    Raises ValueError for a name that torch does not know or a device that is not there.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be auto, cpu, cuda, cuda:1, mps ..., and be there; got {name!r} ({reason})") from None
    return device


def seed_weights(seed: int) -> None:
    """Seed torch's global generators, which new modules draw their weights from."""
    torch.manual_seed(seed)
