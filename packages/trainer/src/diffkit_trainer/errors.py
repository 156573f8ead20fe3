"""What the trainer raises on purpose; every message is one line that names what was found, what was expected and the way out."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["DataError"]


class DataError(ValueError):
    """Images that cannot be trained on; `bad` holds every file at fault with its reason, where files are at fault.

    The message lists at most 20 of them. The command line ends with exit code 3.

    >>> DataError("1 of 2 files cannot be read", [(Path("a.png"), "truncated")]).bad[0][1]
    'truncated'
    """

    def __init__(self, message: str, bad: Sequence[tuple[Path, str]] = ()) -> None:
        super().__init__(message)
        self.bad = list(bad)
