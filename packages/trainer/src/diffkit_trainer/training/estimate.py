"""What a training will take, from a few of its steps."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffkit_trainer.training.trainer import Trainer

__all__ = ["CostEstimate", "estimate_cost"]

STATUS = Path("/proc/self/status")


class CostEstimate(NamedTuple):
    """The mean time of an update, in seconds, over so many of them; and memory, in bytes.

    weights, average: with their buffers, batch norm's statistics. gradients; moments: AdamW's two. peak: the most that was taken
    so far, on a CUDA device of its memory, on a CPU by the whole process, libraries included; None where the system does not say.
    """

    seconds: float
    updates: int
    weights: int
    gradients: int
    moments: int
    average: int
    peak: int | None


def estimate_cost(trainer: Trainer, *, updates: int = 8, most_seconds: float = 15.0) -> CostEstimate:
    """Make up to `updates` updates more, fewer where they take longer than most_seconds together, and say what they took.

    One update before them is not counted: it makes the optimiser's moments, and compiles. The trainer is another afterwards: take
    one for this alone. All processes must call it.
    """
    run = trainer.run(trainer.step + 1 + updates)
    next(run)
    _wait(trainer.device)
    begun, made = time.perf_counter(), 0
    for _ in run:
        made += 1
        _wait(trainer.device)
        if trainer.world.any(time.perf_counter() - begun > most_seconds):
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
    # not getrusage's figure: Linux hands that on from the process that started this one
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
