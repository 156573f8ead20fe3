"""Saving while training goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from diffkit_trainer.run.checkpoint import write
from diffkit_trainer.run.state import snapshot
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Saver"]


class Saver:
    """Writes checkpoints as `save` does, in a thread of its own: a call takes one copy in memory and returns.

    There is one copy at most: a call that comes while the last one is written waits for it. What went wrong in the thread is
    raised by the next call, after that has begun to write its own, or at the end of the `with` block, which waits for what is
    under way; where the block ends with an error of its own, that error gets a note of it.
    """

    def __init__(self, run: Path | str, *, keep: int = 2, keep_every: int | None = None) -> None:
        self.run, self.keep, self.keep_every = run, keep, keep_every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def save(self, trainer: Trainer, config: dict[str, Any]) -> None:
        """Take a copy of the trainer's state and begin to write it. All processes must call it; the first one writes.

        Raises DivergedError as `Trainer.check` does, and whatever the last writing met.
        """
        failure = self._failure()  # raised at the end: the disk may have room again, and the updates since then are worth a try
        try:
            state = snapshot(trainer, copied=trainer.world.first)
        except Exception as error:
            _note(error, failure)
            raise
        if trainer.world.first:
            self._pending = self._thread.submit(write, self.run, state, config, keep=self.keep, keep_every=self.keep_every)
        if failure is not None:
            raise failure

    def wait(self) -> None:
        """Until what was begun is on the disk; raises what went wrong with it."""
        failure = self._failure()
        if failure is not None:
            raise failure

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if error is None:
                self.wait()
            else:
                _note(error, self._failure())
        finally:
            self._thread.shutdown(wait=True)

    def _failure(self) -> BaseException | None:
        """What went wrong with the writing that was begun, once it has ended."""
        pending, self._pending = self._pending, None
        return None if pending is None else pending.exception()


def _note(error: BaseException, failure: BaseException | None) -> None:
    if failure is not None:
        error.add_note(f"a checkpoint could not be written either: {failure}")
