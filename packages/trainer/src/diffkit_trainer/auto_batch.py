"""How many images a network can be asked about at once."""

import os
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["auto_batch_size"]

MOST = {"cpu": 64}  # a CPU's cores are busy by then; more only waits longer for the first picture
MOST_ELSEWHERE = 512
PART = 0.5


def auto_batch_size(network: nn.Module, *inputs: Tensor) -> int:
    """The number of images, at least 1, whose activations fill at most half of the memory that is free.

    inputs: what the network is called with, for one image. It is called once, and what its layers give is counted: an upper
    bound of what one image takes without gradients. At most 64 on a CPU and 512 elsewhere.

    >>> auto_batch_size(nn.Linear(2, 3), torch.zeros(1, 2))
    64
    """
    numbers = [each.nbytes for each in inputs]

    def count(module: nn.Module, given: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            numbers.append(out.nbytes)

    hooks = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    device = inputs[0].device
    fits = int(PART * _free(device) / sum(numbers))
    return max(1, min(fits, MOST.get(device.type, MOST_ELSEWHERE)))


def _free(device: torch.device) -> int:
    """Bytes of memory that are free on the device; of the machine where the device does not say."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on this system
        return 2**31
