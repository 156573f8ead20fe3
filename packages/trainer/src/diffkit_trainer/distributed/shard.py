"""Shards of a network that does not fit one device: each process holds a part of every weight, average and moment."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from diffkit_trainer.distributed.processes import World

__all__ = ["full_tensor", "local_tensor", "shard", "shard_like", "shard_state_dict"]

MAX_LAYER_FRACTION = 1 / 8
"""Of the network's weights, the most that are gathered at once."""


def shard(networks: Sequence[nn.Module], world: World, device: torch.device) -> None:
    """Shard the weights of the networks over all processes, on their devices. A layer is gathered only while it computes.

    From then on all processes must call a network together, also to sample from it. Buffers are not sharded.
    Source: torch's fully_shard (FSDP2).
    """
    # imported here: it takes as long as torch itself. Elsewhere sharded tensors are recognised by their methods
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world.size,))
    for network in networks:
        for layer in _layers(network, MAX_LAYER_FRACTION * sum(each.numel() for each in network.parameters())):
            fully_shard(layer, mesh=mesh)
        # by default the outermost module stays gathered until its backward pass, which an average never has
        fully_shard(network, mesh=mesh, reshard_after_forward=True)


def full_tensor(tensor: Tensor) -> Tensor:
    """A sharded tensor gathered from all processes, which must all call this; any other tensor unchanged.

    >>> full_tensor(torch.ones(2))
    tensor([1., 1.])
    """
    result: Tensor = tensor.full_tensor() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return result


def local_tensor(tensor: Tensor) -> Tensor:
    """This process's shard of a tensor, in the same memory; the tensor itself if it is not sharded.

    >>> local_tensor(torch.ones(2))
    tensor([1., 1.])
    """
    result: Tensor = tensor.to_local() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return result


def shard_like(full: Tensor, like: Tensor) -> Tensor:
    """A full tensor, sharded as `like` is. Each process cuts its shard from its own copy: nothing is sent.

    >>> shard_like(torch.ones(2), like=torch.zeros(2))
    tensor([1., 1.])
    """
    if not _is_sharded(like):
        return full
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    return distribute_tensor(full.to(like.device), mesh, placements, src_data_rank=None)


def shard_state_dict(values: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A state dict of full tensors, sharded as the network's own tensors are, so that the network can load it."""
    own = network.state_dict()
    return {name: shard_like(value, own[name]) for name, value in values.items()}


def _layers(module: nn.Module, max_size: float) -> Iterator[nn.Module]:
    """The largest submodules of at most `max_size` weights that define forward; a ModuleList does not."""
    for child in module.children():
        size = sum(each.numel() for each in child.parameters())
        if size > max_size or type(child).forward is nn.Module.forward:
            yield from _layers(child, max_size)
        elif size:
            yield child


def _is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
