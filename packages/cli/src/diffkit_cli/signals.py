"""SIGINT and SIGTERM as a number to be asked for between two steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["caught_signals"]


@contextmanager
def caught_signals() -> Iterator[Callable[[], int]]:
    """A function that gives the signal that came, or 0; a second signal interrupts at once."""
    seen: list[int] = []

    def handle(signum: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(signum)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen[0] if seen else 0
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
