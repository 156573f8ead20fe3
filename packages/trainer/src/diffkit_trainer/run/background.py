"""Saving in the background."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from diffkit_trainer.run.checkpoint import write
from diffkit_trainer.run.state import snapshot
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Saver"]


class Saver:
    """Writes checkpoints as `save` does, in a thread: a call copies the state to memory and returns.

    There is at most one copy: a call waits until the previous one is written. An error in the thread is raised by the next call,
    after it has started to write its own checkpoint, or at the end of the `with` block, which waits for the thread. Where the
    block ends with another error, that error gets a note.
    """

    def __init__(self, run: Path | str, *, keep: int = 2, keep_every: int | None = None) -> None:
        self.run, self.keep, self.keep_every = run, keep, keep_every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def save(self, trainer: Trainer, config: dict[str, Any]) -> None:
        """Copy the trainer's state and start to write it. All processes must call this; the first one writes.

        Raises DivergedError as `Trainer.check` does, and the error of the previous call's writing.
        """
        failure = self._failure()  # raised at the end: the disk may have room by now
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
        """Wait until the last checkpoint is on the disk; raises the error of its writing."""
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
        """The error of the last writing, once it has ended; None for none."""
        pending, self._pending = self._pending, None
        return None if pending is None else pending.exception()


def _note(error: BaseException, failure: BaseException | None) -> None:
    if failure is not None:
        error.add_note(f"a checkpoint could not be written either: {failure}")
