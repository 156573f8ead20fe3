"""Where a network and its average lie, and how several processes train them as one."""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from diffkit_trainer.distributed.processes import World
from diffkit_trainer.distributed.shard import shard
from diffkit_trainer.training.ema import EMA

__all__ = ["place", "summed_over_processes"]


def place(
    model: nn.Module,
    decays: float | Sequence[float],
    device: torch.device,
    world: World,
    *,
    memory_format: torch.memory_format,
    compiled: bool,
    sharded: bool,
) -> tuple[Any, EMA, Any]:
    """The network in training mode, its average, and what to call in the network's place, on the device or in shards of it.

    Raises ValueError for a network that is to be both compiled and sharded, which was never tried.
    """
    if sharded and compiled:
        raise ValueError("compiled and shard cannot be had together")
    if sharded and world.size > 1:
        ema = EMA(model.train(), decays, warmup=True)
        shard((model, *ema.models), world, device)  # it takes row-major weights alone
        ema.updates = ema.updates.to(device)
        return model, ema, model
    model = model.to(device, memory_format=memory_format).train()  # type: ignore[call-overload]
    ema, network = EMA(model, decays, warmup=True), torch.compile(model) if compiled else model
    return model, ema, network if world.size == 1 else _copies(network)


def summed_over_processes(network: Any, last: bool) -> AbstractContextManager[None]:
    """Around a backward pass: copies of a network sum their gradients with the last part of a batch alone; shards always do,
    because nobody could keep the gradient of a whole one."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) and not last else nullcontext()


def _copies(network: Any) -> DistributedDataParallel:
    with warnings.catch_warnings():  # torch has another name for the option from 2.13 on, and says so every time
        warnings.simplefilter("ignore", FutureWarning)
        # its buffers are each process's own: nobody reads them while training
        return DistributedDataParallel(network, broadcast_buffers=False)
