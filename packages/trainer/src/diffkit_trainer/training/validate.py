"""What a trainer refuses before it begins."""

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from diffkit_schedules import Schedule, condition_value, prediction_name, target, to_x0, weight

from diffkit_trainer.data.images import Images
from diffkit_trainer.training.losses import LOSSES
from diffkit_trainer.training.timesteps import TIMES

__all__ = ["PRECISIONS", "refuse_impossible", "refuse_unknown"]

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The number formats of the network's activations; weights are float32 in all of them."""


def refuse_impossible(
    schedule: Schedule,
    loss_options: dict[str, Any],
    times: str,
    batch_size: int,
    accumulate: int,
    processes: int,
    precision: str,
    class_dropout: float | None,
    images: Images,
) -> None:
    """Raises ValueError for an option out of its range, and for a network that could not be sampled from once it was trained."""
    kind, weighting = loss_options.get("kind", "mae"), loss_options.get("weighting", "uniform")
    for name, value, known in (
        ("loss", kind, LOSSES),
        ("times", times, TIMES),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if batch_size < processes:
        raise ValueError(f"batch_size must be at least the number of processes, {processes}; got {batch_size}")
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1, got {accumulate}")
    if class_dropout is not None and not 0 <= class_dropout <= 1:
        raise ValueError(f"class_dropout must be in [0, 1], got {class_dropout}")
    if class_dropout is not None and images.labels is None:
        raise ValueError("class_dropout needs images with classes: a subfolder for each, or labels in an IDX file")
    # the first step of sampling, at pure noise, would have no x0
    x, prediction = torch.zeros(1), loss_options["prediction"]
    target(x, x, schedule(1.0), prediction_name(prediction))
    to_x0(x, x, schedule(1.0), prediction)
    condition_value(schedule, 1.0, loss_options["condition"])
    weight(schedule(0.5), weighting, prediction, loss_options.get("gamma", 5.0))


def refuse_unknown(names: Iterable[str], signature: inspect.Signature) -> None:
    """Raises TypeError for the first of the names, which are no options of the signature, with the nearest that is one."""
    known = [name for name, each in signature.parameters.items() if each.kind is each.KEYWORD_ONLY]
    for name in names:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"a trainer has no option {name!r}{hint} (it has: {', '.join(known)})")
