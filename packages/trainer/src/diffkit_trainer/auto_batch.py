"""The batch size for sampling that fits the free memory."""

import os
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["auto_batch_size"]

MAX_BATCH_CPU = 64  # all cores are busy with fewer; a larger batch only delays the first image
MAX_BATCH = 512
MAX_MEMORY_FRACTION = 0.5


def auto_batch_size(network: nn.Module, *inputs: Tensor) -> int:
    """The number of images, at least 1, whose activations fill at most half of the free memory.

    inputs: the network's inputs for one image. The network is called once, and the bytes of its layers' outputs are added up:
    an upper bound of what one image takes without gradients. At most 64 on a CPU and 512 on other devices.

    >>> auto_batch_size(nn.Linear(2, 3), torch.zeros(1, 2))
    64
    """
    sizes = [each.nbytes for each in inputs]

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.nbytes)

    hooks = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    device = inputs[0].device
    fitting = int(MAX_MEMORY_FRACTION * _free_bytes(device) / sum(sizes))
    return max(1, min(fitting, MAX_BATCH_CPU if device.type == "cpu" else MAX_BATCH))


def _free_bytes(device: torch.device) -> int:
    """Free memory of a CUDA device; for other devices that of the machine."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # this system does not tell
        return 2**31
