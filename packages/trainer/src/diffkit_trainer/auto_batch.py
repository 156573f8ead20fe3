"""The memory that a network's layers take, and the batch size for sampling that fits the free memory."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from diffkit_trainer.available_memory import free_memory

__all__ = ["Activations", "activations", "auto_batch_size"]

MAX_BATCH_CPU = 64  # all cores are busy with fewer; a larger batch only delays the first image
MAX_BATCH = 512
MAX_MEMORY_FRACTION = 0.5
UNKNOWN_FREE_MEMORY = 2**31

MAX_EVALUATED = 2**14
"""The numbers of inputs, such as an RGB image of 73 x 73, up to which a network in evaluation mode is evaluated itself."""


class Activations(NamedTuple):
    """Bytes of the inputs and outputs of a network's layers.

    least: the largest input and output of one layer, which exist at the same time. kept: the inputs of all layers with weights,
    which training keeps for the gradients. most: the network's inputs and the outputs of all layers.
    """

    least: int
    kept: int
    most: int

    def batch_size(self, device: torch.device) -> int:
        """The number of inputs, at least 1, whose activations fill at most half of the free memory of a device.

        Counted are the outputs of all layers. At most 64 on a CPU and 512 on other devices.
        """
        free = free_memory(device)
        available = MAX_MEMORY_FRACTION * (UNKNOWN_FREE_MEMORY if free is None else free)
        return max(1, min(int(available / self.most), MAX_BATCH_CPU if device.type == "cpu" else MAX_BATCH))


def activations(network: nn.Module, /, *positional: Tensor, **named: Tensor) -> Activations:
    """The memory that the layers take for these inputs.

    network: called as network(*positional, **named), on the device "meta", without computation or memory. It is called on its own
    device if it reads the value of a tensor, and in evaluation mode for inputs of at most `MAX_EVALUATED` numbers: torch's first
    use of "meta" takes two seconds.

    >>> activations(nn.Linear(2, 3), torch.zeros(1, 2))
    Activations(least=20, kept=8, most=20)
    """
    inputs = (*positional, *named.values())
    least, kept, most = 0, dict[int, Tensor](), sum(each.nbytes for each in inputs)

    def count(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        nonlocal least, most
        if isinstance(output, Tensor):
            tensors = [each for each in given if isinstance(each, Tensor)]
            least, most = max(least, output.nbytes + sum(each.nbytes for each in tensors)), most + output.nbytes
            if any(True for _ in module.parameters(recurse=False)):
                kept.update({id(each): each for each in tensors})  # the tensor is held, so its id stays unique

    hooks = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    try:
        with torch.no_grad():
            if not network.training and sum(each.numel() for each in inputs) <= MAX_EVALUATED:
                network(*positional, **named)
            else:
                try:
                    _call_on_meta(network, positional, named)
                except (NotImplementedError, RuntimeError):  # the network reads a value, which "meta" does not have
                    least, most = 0, sum(each.nbytes for each in inputs)
                    kept.clear()
                    network(*positional, **named)
    finally:
        for hook in hooks:
            hook.remove()
    return Activations(least, sum(each.nbytes for each in kept.values()), most)


def auto_batch_size(network: nn.Module, *inputs: Tensor) -> int:
    """The number of images, at least 1, whose activations fill at most half of the free memory: `Activations.batch_size`.

    inputs: the network's inputs for one image. The count is an upper bound of what one image takes without gradients.

    >>> auto_batch_size(nn.Linear(2, 3), torch.zeros(1, 2))
    64
    """
    return activations(network, *inputs).batch_size(inputs[0].device)


def _call_on_meta(network: nn.Module, positional: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
    tensors = {name: tensor.to("meta") for name, tensor in (*network.named_parameters(), *network.named_buffers())}
    on_meta = {name: each.to("meta") for name, each in named.items()}
    functional_call(network, tensors, tuple(each.to("meta") for each in positional), on_meta)
