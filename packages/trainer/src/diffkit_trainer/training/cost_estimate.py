"""The cost of a training run, estimated from a few steps."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffkit_trainer.training.trainer import Trainer

__all__ = ["CostEstimate", "estimate_cost"]

STATUS = Path("/proc/self/status")


class CostEstimate(NamedTuple):
    """The time of an update and the memory of a training run.

    seconds: the mean over `updates` updates. Bytes: weights and average with their buffers, gradients, and the optimiser's
    moments. peak: the largest memory so far, of a CUDA device, or of the process on a CPU with its libraries; None where the
    system does not report it.
    """

    seconds: float
    updates: int
    weights: int
    gradients: int
    moments: int
    average: int
    peak: int | None


def estimate_cost(trainer: Trainer, *, updates: int = 8, max_seconds: float = 15.0) -> CostEstimate:
    """Measure up to `updates` updates, fewer where they take longer than max_seconds together.

    The first update is not counted: it allocates the moments and compiles the network. The trainer's state changes: make a
    trainer for the estimate alone. All processes must call it.
    """
    run = trainer.run(trainer.step + 1 + updates)
    next(run)
    _wait(trainer.device)
    begun, made = time.perf_counter(), 0
    for _ in run:
        made += 1
        _wait(trainer.device)
        if trainer.world.any(time.perf_counter() - begun > max_seconds):
            break
    seconds = (time.perf_counter() - begun) / made
    moments = trainer.optimiser.state()[1].values()
    weights = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    return CostEstimate(
        seconds,
        made,
        _bytes(trainer.model),
        sum(weight.nbytes for weight in weights),
        sum(moment.nbytes for moment in moments),
        sum(map(_bytes, trainer.ema.models)),
        _peak(trainer.device),
    )


def _bytes(network: nn.Module) -> int:
    tensors: list[Tensor] = [*network.parameters(), *network.buffers()]
    return sum(tensor.nbytes for tensor in tensors)


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    lines = STATUS.read_text().splitlines() if device.type == "cpu" and STATUS.exists() else []
    # getrusage's peak on Linux includes that of the process that started this one
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
