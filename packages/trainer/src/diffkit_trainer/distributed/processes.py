"""The processes of one training run, as torchrun starts them."""

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed

__all__ = ["World", "process_group"]

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets, and torch.distributed needs."""


class World(NamedTuple):
    """This process's rank in the group, 0 ... size - 1. Rank 0 writes the files. The default is a single process.

    >>> World().first, World().total(torch.tensor([2.0])).item(), World().any(False)
    (True, 2.0, False)
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def of_this_process(cls) -> "World":
        """The world as torchrun's environment variables describe it; the process group need not exist yet.

        Raises ValueError for variables that torchrun does not set, such as RANK alone.
        """
        found = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        rank, size = found.get("RANK", "0"), found.get("WORLD_SIZE", "1")
        if rank.isdecimal() and size.isdecimal() and int(rank) < int(size) and (int(size) == 1 or len(found) == len(VARIABLES)):
            return cls(int(rank), int(size))
        shown = " ".join(f"{name}={value!s:.20}" for name, value in found.items())
        missing = ", ".join(name for name in VARIABLES if name not in found) or "a WORLD_SIZE above RANK"
        raise ValueError(
            f"expected the environment of torchrun, found {shown} without {missing}: start with torchrun, or unset these"
        )

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the process that writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, which must all call this. `values` is not changed."""
        result = values.clone()
        if self.size > 1:
            distributed.all_reduce(result)
        return result

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process; all must call this. It runs on the CPU: nothing waits for an accelerator."""
        if self.size == 1:
            return flag
        found = torch.tensor(int(flag))
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return bool(found)


@contextmanager
def process_group(device: torch.device | str = "cpu", timeout: float = 600.0) -> Iterator[tuple[World, torch.device]]:
    """The world of processes that torchrun started, and this process's device; one process if torchrun did not start it.

    timeout: seconds after which a process that waits for another one raises, so that one that hangs ends all.
    The group is destroyed at the end of the block, but not if the block raises: the other processes may hang then.

    >>> with process_group("cpu") as (world, device):
    ...     print(world.size, device)
    1 cpu
    """
    device = torch.device(device)
    world = World.of_this_process()
    if world.size == 1:
        yield world, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout))
    yield world, device
    distributed.barrier()  # a process that left earlier would close its connections before the others' last message arrives
    distributed.destroy_process_group()
