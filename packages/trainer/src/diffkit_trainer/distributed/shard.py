"""A network that one device cannot hold, in shards: each process has a part of every weight, average and moment."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from diffkit_trainer.distributed.processes import World

__all__ = ["own", "parted", "parts_of", "shard", "whole"]

SHARE = 8


def shard(networks: Sequence[nn.Module], world: World, device: torch.device) -> None:
    """Leave each process a part of the networks' weights, on its device; a layer is whole there only while it computes.

    From then on every process must call a network together with the others, to sample from it too. Buffers stay whole.
    Source: torch's fully_shard (FSDP2).
    """
    # here, because it takes as long to import as torch itself; what is sharded is told by its methods
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world.size,))
    for network in networks:
        for layer in _layers(network, sum(each.numel() for each in network.parameters()) / SHARE):
            fully_shard(layer, mesh=mesh)
        # torch would leave the outermost part whole until a backward pass, which an average never has
        fully_shard(network, mesh=mesh, reshard_after_forward=True)


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor in one piece, for which all processes must call this; any other as it is.

    >>> whole(torch.ones(2))
    tensor([1., 1.])
    """
    result: Tensor = tensor.full_tensor() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return result


def own(tensor: Tensor) -> Tensor:
    """What this process has of a tensor, in the same memory.

    >>> own(torch.ones(2))
    tensor([1., 1.])
    """
    result: Tensor = tensor.to_local() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return result


def parted(full: Tensor, like: Tensor) -> Tensor:
    """A tensor in one piece, sharded as `like` is. Each process cuts its part out of what it has itself: nothing is sent.

    >>> parted(torch.ones(2), like=torch.zeros(2))
    tensor([1., 1.])
    """
    if not _is_sharded(like):
        return full
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    return distribute_tensor(full.to(like.device), mesh, placements, src_data_rank=None)


def parts_of(values: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A state dict in one piece as the network can load it."""
    now = network.state_dict()
    return {name: parted(value, now[name]) for name, value in values.items()}


def _layers(module: nn.Module, most: float) -> Iterator[nn.Module]:
    """The largest modules inside that hold at most that many weights and are called themselves, as lists of modules are not."""
    for child in module.children():
        size = sum(each.numel() for each in child.parameters())
        if size > most or type(child).forward is nn.Module.forward:
            yield from _layers(child, most)
        elif size:
            yield child


def _is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
