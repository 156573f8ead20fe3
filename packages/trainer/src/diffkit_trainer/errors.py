"""What the trainer raises on purpose; every message is one line that names what was found, what was expected and the way out."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["DataError", "DivergedError", "LockedError", "RefusedError", "RunError"]


class DataError(ValueError):
    """Images that cannot be trained on; `bad` holds every file at fault with its reason, where files are at fault.

    The message lists at most 20 of them. The command line ends with exit code 3.

    >>> DataError("1 of 2 files cannot be read", [(Path("a.png"), "truncated")]).bad[0][1]
    'truncated'
    """

    def __init__(self, message: str, bad: Sequence[tuple[Path, str]] = ()) -> None:
        super().__init__(message)
        self.bad = list(bad)


class RunError(RuntimeError):
    """A run folder or checkpoint that is missing, damaged or cannot be written. The command line ends with exit code 4."""


class DivergedError(RuntimeError):
    """A loss or weights that are no finite numbers any more; `step` is where. The command line ends with exit code 5."""

    def __init__(self, message: str, step: int = 0) -> None:
        super().__init__(message)
        self.step = step


class LockedError(RunError):
    """A run folder that another process uses, with its process id. The command line ends with exit code 6."""


class RefusedError(ValueError):
    """A readable image that is not taken; the text is the whole reason."""
