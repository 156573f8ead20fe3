"""Loggers: what a run writes besides log.jsonl. A new one is a file and one line here, or another distribution's entry point."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from diffkit_schedules.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOGGERS", "Logger", "open_loggers", "scalars"]


class Logger(Protocol):
    """What `factory(run, step)` makes. run: the folder. step: where the run starts or resumes."""

    def log(self, entry: Mapping[str, Any]) -> None:
        """Log an entry of log.jsonl: "step", "loss", "lr" and others, each a number, a list of numbers or None."""

    def images(self, pixels: "Tensor", step: int) -> None:
        """Log samples, uint8 (N, 1 or 3, H, W)."""

    def close(self) -> None:
        """Write everything to the disk."""


def scalars(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an entry but its step, by name; those of a list as name/0, name/1, ...

    >>> scalars({"step": 7, "loss": 0.5, "lr": None, "loss_by_t": [0.25, None]})
    {'loss': 0.5, 'loss_by_t/0': 0.25}
    """
    found = {name: value for name, value in entry.items() if name != "step" and not isinstance(value, list)}
    lists = {name: value for name, value in entry.items() if isinstance(value, list)}
    found |= {f"{name}/{i}": each for name, values in lists.items() for i, each in enumerate(values)}
    return {name: value for name, value in found.items() if value is not None}


LOGGERS: Registry = Registry(
    "diffkit.loggers",
    {
        "tensorboard": "diffkit_trainer.run.tensorboard:TensorBoardLogger",
        "wandb": "diffkit_trainer.run.wandb:WandbLogger",
    },
)
"""The loggers by name: factory(run, step) -> `Logger`."""


class _Named:
    """A logger whose errors name the distribution that registers it."""

    def __init__(self, name: str, run: Path, step: int) -> None:
        self._name = name
        with LOGGERS.naming(name):
            self._logger: Logger = LOGGERS[name](run, step)

    def log(self, entry: Mapping[str, Any]) -> None:
        with LOGGERS.naming(self._name):
            self._logger.log(entry)

    def images(self, pixels: "Tensor", step: int) -> None:
        with LOGGERS.naming(self._name):
            self._logger.images(pixels, step)

    def close(self) -> None:
        with LOGGERS.naming(self._name):
            self._logger.close()


@contextmanager
def open_loggers(names: Iterable[str], run: Path, step: int) -> Iterator[list[Logger]]:
    """The loggers of those names, closed after the block.

    Raises ValueError for an unknown name, and for a logger whose package is not installed.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(closing(_Named(name, run, step))) for name in names]
