"""The memory and the disk that a training run needs, compared with what is free before it begins."""

import math
from pathlib import Path
from typing import Any

import torch
from diffkit_trainer import activations
from diffkit_trainer.files import require_free_space
from torch import nn

from diffkit_cli.networks import Inputs
from diffkit_cli.sampling.limits import require_memory
from diffkit_cli.terminal.console import noun, plural
from diffkit_cli.training.options import TrainOptions

__all__ = ["require_checkpoint_space", "require_training_memory"]

STATES = {"adamw": 5, "muon": 4}
"""Numbers for each weight: itself, its average, its gradient, and AdamW's two moments or Muon's momentum."""


def require_training_memory(network: nn.Module, options: TrainOptions, inputs: Inputs, processes: int, device: Any) -> None:
    """Raises UsageError where training takes more memory than is free, by a lower bound for each process.

    network: its outline. Counted are the weights, the average, the gradients and the optimiser's moments, and the activations
    that the layers keep for their gradients, at half the bytes in half precision. Nothing is known of a network that fails here.
    """
    images = math.ceil(options.batch_size / options.accumulate / processes)
    like = next(network.parameters())
    labels = [torch.zeros(1, dtype=torch.int64, device="meta")] if inputs.num_classes else []
    conditions = {name: like.new_zeros((1, *shape)) for name, shape in inputs.conditions.items()}
    try:
        kept = activations(network, like.new_zeros((1, *inputs.shape)), like.new_ones((1,)), *labels, **conditions).kept
    except Exception:  # of a network of one's own, which `check_network` refuses in one line
        return
    weights = sum(parameter.nbytes for parameter in network.parameters())
    states = STATES[options.optimiser] * weights // (processes if options.shard else 1)
    needed = states + images * kept // (2 if options.precision in ("bf16", "fp16") else 1)
    size = "x".join(map(str, inputs.shape[:0:-1]))
    what = f"{plural(images, noun(inputs.shape))} of {size} at a time, of a batch of {options.batch_size},"
    require_memory(what, needed, "take a smaller --batch-size or --size, or more parts by --set accumulate=N", device)


def require_checkpoint_space(run: Path, network: nn.Module, options: TrainOptions) -> None:
    """Raises RunError where the disk of a run folder has no room for one checkpoint. network: its outline."""
    averages = len(options.ema) if isinstance(options.ema, tuple) else 1
    kept = STATES[options.optimiser] - 2 + averages  # without the gradient
    require_free_space(run, kept * sum(parameter.nbytes for parameter in network.parameters()))
