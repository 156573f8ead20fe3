"""The state of a trainer at one moment: what a checkpoint holds."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import torch
from msgspec import Meta, Struct
from torch import Tensor

from diffkit_trainer.distributed.shard import full_tensor, shard_state_dict
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.typed_json import NonNegativeInt, Text, as_type
from diffkit_trainer.training.experiment import changes
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Snapshot", "average_names", "restore", "rounding_warning", "snapshot", "validate_numbers"]

MAX_SUM = 1e100
"""A sum is 0, or from 1 / MAX_SUM to MAX_SUM."""


class StateNumbers(Struct):
    """The content of state.json.

    sums: of the metrics since the last log entry. environment: what changes the result by rounding. experiment: what changes it
    otherwise.
    """

    step: NonNegativeInt
    updates: NonNegativeInt
    skipped: NonNegativeInt
    streak: NonNegativeInt
    ema_updates: NonNegativeInt
    sums: Annotated[list[Annotated[float, Meta(ge=0, le=MAX_SUM)]], Meta(max_length=4096)]
    environment: dict[Text, Text | int | float | bool | None]
    scale: Annotated[float, Meta(gt=0, le=2.0**127)] | None = None
    experiment: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if any(0 < each < 1 / MAX_SUM for each in self.sums):  # its mean would not be a float
            raise ValueError(f"sums: expected each to be 0 or at least {1 / MAX_SUM}, found {min(filter(None, self.sums))}")


class Snapshot(NamedTuple):
    """A trainer's state.

    numbers: for state.json. tensors: by file ("model", "ema", ..., "optimizer") and name; a further file of a checkpoint is a
    further entry. infinite: the names of the buffers that may have infinities, see `EMA`.
    """

    step: int
    numbers: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]
    infinite: frozenset[str]

    @property
    def nbytes(self) -> int:
        """The size of all tensors in bytes."""
        return sum(value.nbytes for values in self.tensors.values() for value in values.values())


def snapshot(trainer: Trainer, *, copied: bool = False) -> Snapshot:
    """The trainer's state; with `copied` a copy on the CPU, so that training can continue while it is written.

    All processes must call it. Raises DivergedError as `Trainer.check` does.
    """
    numbers, moments = trainer.state()
    networks = (trainer.model, *trainer.ema.models)
    tensors = {name: network.state_dict() for name, network in zip(("model", *average_names(trainer)), networks, strict=True)} | {
        "optimizer": moments
    }
    first = trainer.world.first  # the other processes only contribute their shards
    return Snapshot(
        trainer.step,
        numbers,
        {
            file: {name: value for name, each in values.items() if (value := _to_host(each, copied, first)) is not None}
            for file, values in tensors.items()
        },
        trainer.ema.infinite,
    )


def restore(
    trainer: Trainer,
    numbers: dict[str, Any],
    moments: dict[str, Tensor],
    model: dict[str, Tensor],
    averages: Sequence[dict[str, Tensor]],
) -> None:
    """Restore a snapshot into the trainer: numbers, moments, weights and averages."""
    for network, weights in zip((trainer.model, *trainer.ema.models), (model, *averages), strict=True):
        network.load_state_dict(shard_state_dict(weights, network))
    trainer.optimiser.restore(numbers, moments)
    trainer.ema.updates.fill_(numbers["ema_updates"])
    trainer.step = numbers["step"]
    sums = torch.tensor(numbers["sums"], dtype=trainer.running_metrics.sums.dtype)
    trainer.running_metrics.sums.copy_(sums if trainer.world.first else torch.zeros_like(sums))
    trainer.record_anew()


def average_names(trainer: Trainer) -> list[str]:
    """The file names of the averages, in the order of `trainer.ema.models`: "ema", then "ema-0.9999" for a further decay."""
    return ["ema", *(f"ema-{decay}" for decay in trainer.ema.decays[1:])]


def validate_numbers(numbers: dict[str, Any], path: object, sums: int) -> None:
    """Raises RunError, which names the number, for invalid numbers, and for another number of sums than `sums`."""
    found = as_type(numbers, StateNumbers, path)
    if len(found.sums) != sums:
        raise RunError(f"{path}: sums: expected {sums} numbers, found {len(found.sums)}")


def rounding_warning(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """One line for the changes since the checkpoint that change the result by rounding; None for none.

    >>> rounding_warning({"torch": "2.13.0", "threads": 2}, {"torch": "2.13.0", "threads": 1})
    'threads is 1 here and was 2: the same training up to rounding, not bit for bit'
    """
    changed = changes(before, now)
    return f"{', '.join(changed)}: the same training up to rounding, not bit for bit" if changed else None


def _to_host(value: Tensor, copied: bool, wanted: bool) -> Tensor | None:
    """On the CPU in row-major order, as in the file, by one copy; None where the tensor is not wanted."""
    full = full_tensor(value.detach())
    if not wanted:
        return None
    return full.to("cpu", copy=copied, memory_format=torch.contiguous_format).contiguous()
