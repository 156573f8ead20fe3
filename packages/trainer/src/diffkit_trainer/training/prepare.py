"""A network on its device, compiled, data-parallel or sharded by the options."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from diffkit_trainer.acceleration.compiled import Compiled
from diffkit_trainer.distributed.processes import World
from diffkit_trainer.distributed.shard import shard
from diffkit_trainer.options import Options
from diffkit_trainer.training.ema import EMA

__all__ = ["prepare_network", "summed_over_processes"]


def prepare_network(model: nn.Module, options: Options, device: torch.device, world: World) -> tuple[Any, EMA, Any]:
    """The network in training mode, its average, and the wrapped network to call, on the device or in shards."""
    if options.shard and world.size > 1:
        ema = EMA(model.train(), options.ema, warmup=True)
        shard((model, *ema.models), world, device)  # it takes row-major weights alone
        ema.updates = ema.updates.to(device)
        return model, ema, model
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    model = model.to(device, memory_format=memory_format).train()  # type: ignore[call-overload]
    ema, network = EMA(model, options.ema, warmup=True), Compiled(model) if options.compile else model
    return model, ema, network if world.size == 1 else _data_parallel(network)


def summed_over_processes(network: Any, last: bool) -> AbstractContextManager[None]:
    """The context of a backward pass.

    Data-parallel copies sum their gradients only in the last part of a batch. Shards sum them in every part, because no process
    has memory for the gradients of all weights.
    """
    return network.no_sync() if isinstance(network, DistributedDataParallel) and not last else nullcontext()


def _data_parallel(network: Any) -> DistributedDataParallel:
    with warnings.catch_warnings():  # torch 2.13 renames the option and warns each time
        warnings.simplefilter("ignore", FutureWarning)
        # in training nothing reads the buffers, so a broadcast per step would be wasted
        return DistributedDataParallel(network, broadcast_buffers=False)
