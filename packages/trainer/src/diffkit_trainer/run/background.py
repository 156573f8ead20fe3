"""Checkpoints that a thread writes while the training continues."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from diffkit_trainer.run.checkpoint_contents import snapshot
from diffkit_trainer.run.save import write
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Saver"]


class Saver:
    """Writes checkpoints as `save` does, in a thread: a call copies the state to memory and returns.

    There is at most one copy: a call waits until the previous checkpoint is written. The next call raises an error of the
    thread, after it has started to write its own checkpoint. The end of the `with` block waits for the thread and raises its
    error; where the block ends with another error, that error gets a note.
    """

    def __init__(self, run: Path | str, *, keep: int = 2, keep_every: int | None = None) -> None:
        self.run, self.keep, self.keep_every = run, keep, keep_every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def save(self, trainer: Trainer, config: dict[str, Any]) -> None:
        """Copy the trainer's state and start to write it; all processes must call this, and the first one writes.

        Raises DivergedError as `Trainer.check` does, and the error of the previous checkpoint.
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
        """Wait until the last checkpoint is on the disk; raises its error."""
        failure = self._failure()
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
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
        """Wait for the last checkpoint; its error, or None."""
        pending, self._pending = self._pending, None
        return None if pending is None else pending.exception()


def _note(error: BaseException, failure: BaseException | None) -> None:
    if failure is not None:
        error.add_note(f"a checkpoint could not be written either: {failure}")
