"""Saving while training goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from diffkit_trainer.checkpoint import write
from diffkit_trainer.snapshot import snapshot
from diffkit_trainer.trainer import Trainer

__all__ = ["Saver"]


class Saver:
    """Writes checkpoints as `save` does, in a thread of its own: a call takes one copy in memory and returns.

    There is one copy at most: a call that comes while the last one is written waits for it. What went wrong in the thread is
    raised by the next call, or at the end of the `with` block, which waits for what is under way.
    """

    def __init__(self, run: Path | str, *, keep: int = 2, keep_every: int | None = None) -> None:
        self.run, self.keep, self.keep_every = run, keep, keep_every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def save(self, trainer: Trainer, config: dict[str, Any]) -> None:
        """Take a copy of the trainer's state and begin to write it. All processes must call it; the first one writes.

        Raises DivergedError as `Trainer.check` does, and whatever the last writing met.
        """
        self.wait()
        state = snapshot(trainer, copied=trainer.world.first)
        if trainer.world.first:
            self._pending = self._thread.submit(write, self.run, state, config, keep=self.keep, keep_every=self.keep_every)

    def wait(self) -> None:
        """Until what was begun is on the disk; raises what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown(wait=True)
