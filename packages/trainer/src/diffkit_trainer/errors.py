"""The trainer's errors. Each message is one line: what was found, what was expected, and the way out."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["DataError", "DivergedError", "LockedError", "RefusedError", "RunError", "first_line"]


def first_line(error: Exception) -> str:
    r"""The first line of an error's message, or the error's type where it has none.

    >>> first_line(ValueError("one\ntwo")), first_line(ValueError())
    ('one', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class DataError(ValueError):
    """Images that cannot be trained on. `bad` holds every file that cannot be read, with the reason.

    The message lists at most 20 of them. The command line exits with code 3.

    >>> DataError("1 of 2 files cannot be read", [(Path("a.png"), "truncated")]).bad[0][1]
    'truncated'
    """

    def __init__(self, message: str, bad: Sequence[tuple[Path, str]] = ()) -> None:
        super().__init__(message)
        self.bad = list(bad)


class RunError(RuntimeError):
    """A run folder or checkpoint that is missing, damaged or cannot be written. The command line exits with code 4."""


class DivergedError(RuntimeError):
    """A loss or weights that are not finite, from update `step` on. The command line exits with code 5."""

    def __init__(self, message: str, step: int = 0) -> None:
        super().__init__(message)
        self.step = step


class LockedError(RunError):
    """A run folder that another process uses; the message has its process id. The command line exits with code 6."""


class RefusedError(ValueError):
    """A file that is refused before it is decoded. The message is the reason alone, without the file's name."""
