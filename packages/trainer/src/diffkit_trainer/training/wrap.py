"""A network on its device, compiled, data-parallel or sharded, as the options say."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from diffkit_trainer.distributed.processes import World
from diffkit_trainer.distributed.shard import shard
from diffkit_trainer.options import Options
from diffkit_trainer.training.ema import EMA

__all__ = ["summed_over_processes", "wrap"]


def wrap(model: nn.Module, options: Options, device: torch.device, world: World) -> tuple[Any, EMA, Any]:
    """The network in training mode, its average, and what to call in the network's place, on the device or in shards of it."""
    if options.shard and world.size > 1:
        ema = EMA(model.train(), options.ema, warmup=True)
        shard((model, *ema.models), world, device)  # it takes row-major weights alone
        ema.updates = ema.updates.to(device)
        return model, ema, model
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    model = model.to(device, memory_format=memory_format).train()  # type: ignore[call-overload]
    ema, network = EMA(model, options.ema, warmup=True), torch.compile(model) if options.compile else model
    return model, ema, network if world.size == 1 else _data_parallel(network)


def summed_over_processes(network: Any, last: bool) -> AbstractContextManager[None]:
    """Around a backward pass: data-parallel copies sum their gradients with the last part of a batch alone; shards always do,
    because no process could keep the gradients of all weights.
    """
    return network.no_sync() if isinstance(network, DistributedDataParallel) and not last else nullcontext()


def _data_parallel(network: Any) -> DistributedDataParallel:
    with warnings.catch_warnings():  # torch has another name for the option from 2.13 on, and says so every time
        warnings.simplefilter("ignore", FutureWarning)
        # its buffers are each process's own: nobody reads them while training
        return DistributedDataParallel(network, broadcast_buffers=False)
