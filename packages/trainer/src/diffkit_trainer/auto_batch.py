"""The memory that a network's layers take, and how many images it can be asked about at once."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from diffkit_trainer.free_memory import free_memory

__all__ = ["Activations", "activations", "auto_batch_size"]

MOST = {"cpu": 64}  # a CPU's cores are busy by then; more only waits longer for the first picture
MOST_ELSEWHERE = 512
PART = 0.5
UNKNOWN = 2**31


class Activations(NamedTuple):
    """Bytes of what goes in and out of a network's layers.

    least: the largest input and output of one layer, which are there together. kept: the inputs of all layers with weights, which
    a training keeps for their gradients. most: the network's inputs and the outputs of all layers.
    """

    least: int
    kept: int
    most: int


def activations(network: nn.Module, *inputs: Tensor) -> Activations:
    """The memory that the layers take for these inputs, counted on the device "meta", without computation or memory.

    network: called as network(*inputs). One that reads the value of a tensor is called on its own device instead.

    >>> activations(nn.Linear(2, 3), torch.zeros(1, 2))
    Activations(least=20, kept=8, most=20)
    """
    least, kept, most = 0, dict[int, Tensor](), sum(each.nbytes for each in inputs)

    def count(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        nonlocal least, most
        if isinstance(out, Tensor):
            tensors = [each for each in given if isinstance(each, Tensor)]
            least, most = max(least, out.nbytes + sum(each.nbytes for each in tensors)), most + out.nbytes
            if module._parameters:
                kept.update({id(each): each for each in tensors})  # a tensor that is held: its id is no other's

    hooks = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    tensors = {name: tensor.to("meta") for name, tensor in (*network.named_parameters(), *network.named_buffers())}
    try:
        with torch.no_grad():
            try:
                functional_call(network, tensors, tuple(each.to("meta") for each in inputs))
            except (NotImplementedError, RuntimeError):  # the network reads a value, which "meta" has not
                least, most = 0, sum(each.nbytes for each in inputs)
                kept.clear()
                network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return Activations(least, sum(each.nbytes for each in kept.values()), most)


def auto_batch_size(network: nn.Module, *inputs: Tensor) -> int:
    """The number of images, at least 1, whose activations fill at most half of the memory that is free.

    inputs: what the network is called with, for one image. What all of its layers give is counted, see `activations`: an upper
    bound of what one image takes without gradients. At most 64 on a CPU and 512 elsewhere.

    >>> auto_batch_size(nn.Linear(2, 3), torch.zeros(1, 2))
    64
    """
    device = inputs[0].device
    free = free_memory(device)
    fits = int(PART * (UNKNOWN if free is None else free) / activations(network, *inputs).most)
    return max(1, min(fits, MOST.get(device.type, MOST_ELSEWHERE)))
