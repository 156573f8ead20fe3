"""All that a checkpoint holds, taken from a trainer at one moment."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import torch
from msgspec import Meta, Struct
from torch import Tensor

from diffkit_trainer.distributed.shard import full_tensor as whole
from diffkit_trainer.distributed.shard import shard_state_dict as parts_of
from diffkit_trainer.errors import RunError
from diffkit_trainer.files.typed_json import Count, Text, as_type
from diffkit_trainer.training.experiment import changes
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Snapshot", "average_names", "differences", "put_back", "require_numbers", "snapshot"]

LARGEST = 1e100
"""Of a sum; one that is smaller than its inverse, and not 0, is none."""


class Numbers(Struct):
    """What state.json says: counts, the sums since the last line of the log, the loss scale, what may round differently, and what
    would change the result."""

    step: Count
    updates: Count
    skipped: Count
    streak: Count
    ema_updates: Count
    sums: Annotated[list[Annotated[float, Meta(ge=0, le=LARGEST)]], Meta(max_length=4096)]
    environment: dict[Text, Text | int | float | bool | None]
    scale: Annotated[float, Meta(gt=0, le=2.0**127)] | None = None
    experiment: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if any(0 < each < 1 / LARGEST for each in self.sums):  # a mean that no float holds could not be logged
            raise ValueError(f"sums: expected each to be 0 or at least {1 / LARGEST}, found {min(filter(None, self.sums))}")


class Snapshot(NamedTuple):
    """A trainer's step, its plain numbers, its tensors by file ("model", "ema", ..., "optimizer") and name, and the names of the
    buffers that may hold infinities, see `EMA`."""

    step: int
    numbers: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]
    infinite: frozenset[str]

    @property
    def nbytes(self) -> int:
        """What the tensors take."""
        return sum(value.nbytes for values in self.tensors.values() for value in values.values())


def snapshot(trainer: Trainer, *, copied: bool = False) -> Snapshot:
    """The trainer's state; `copied` to the CPU, where training may go on while it is written.

    All processes must call it. Raises DivergedError as `Trainer.check` does.
    """
    numbers, moments = trainer.state()
    networks = (trainer.model, *trainer.ema.models)
    tensors = {name: network.state_dict() for name, network in zip(("model", *average_names(trainer)), networks, strict=True)} | {
        "optimizer": moments
    }
    first = trainer.world.first  # the others only give what they have of it
    return Snapshot(
        trainer.step,
        numbers,
        {
            file: {name: value for name, each in values.items() if (value := _on_the_host(each, copied, first)) is not None}
            for file, values in tensors.items()
        },
        trainer.ema.infinite,
    )


def put_back(
    trainer: Trainer,
    numbers: dict[str, Any],
    moments: dict[str, Tensor],
    model: dict[str, Tensor],
    averages: Sequence[dict[str, Tensor]],
) -> None:
    """Give the trainer what `snapshot` took: its numbers, moments, weights, and those of each average."""
    for network, weights in zip((trainer.model, *trainer.ema.models), (model, *averages), strict=True):
        network.load_state_dict(parts_of(weights, network))
    trainer.optimiser.restore(numbers, moments)
    trainer.ema.updates.fill_(numbers["ema_updates"])
    trainer.step = numbers["step"]
    sums = torch.tensor(numbers["sums"], dtype=trainer.tally.sums.dtype)
    trainer.tally.sums.copy_(sums if trainer.world.first else torch.zeros_like(sums))


def average_names(trainer: Trainer) -> list[str]:
    """The files of the averages: "ema" for the first decay, "ema-0.9999" for another one.

    Their order is that of `trainer.ema.models`.
    """
    return ["ema", *(f"ema-{decay}" for decay in trainer.ema.decays[1:])]


def require_numbers(numbers: dict[str, Any], path: object, sums: int) -> None:
    """Raises RunError, naming the number, unless they are of the kind that `snapshot` takes, with that many sums."""
    found = as_type(numbers, Numbers, path)
    if len(found.sums) != sums:
        raise RunError(f"{path}: sums: expected {sums} numbers, found {len(found.sums)}")


def differences(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """One line for what has changed since the checkpoint was written and may round differently; None where nothing has.

    >>> differences({"torch": "2.13.0", "threads": 2}, {"torch": "2.13.0", "threads": 1})
    'threads is 1 here and was 2: the same training up to rounding, not bit for bit'
    """
    changed = changes(before, now)
    return f"{', '.join(changed)}: the same training up to rounding, not bit for bit" if changed else None


def _on_the_host(value: Tensor, copied: bool, wanted: bool) -> Tensor | None:
    """In row-major order, as the files have it: asked for with the copy, or another one would follow in channels_last."""
    one = whole(value.detach())
    if not wanted:
        return None
    return one.to("cpu", copy=copied, memory_format=torch.contiguous_format).contiguous()
