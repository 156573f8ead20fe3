"""SIGINT and SIGTERM as a number to be asked for between two steps."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffkit_cli.console import console

__all__ = ["caught_signals"]


@contextmanager
def caught_signals() -> Iterator[Callable[[], int]]:
    """A function that gives the signal that came, or 0. A second signal ends the process at once, with 128 + its number."""
    seen: list[int] = []

    def handle(signum: int, frame: Any) -> None:
        name = signal.Signals(signum).name
        if seen:
            _say(f"{name} again: stopped at once, without saving")
            raise SystemExit(128 + signum)  # typer would make a KeyboardInterrupt 130, whichever signal it was
        seen.append(signum)
        _say(f"{name}: saving after this update; once more stops at once")

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen[0] if seen else 0
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _say(text: str) -> None:
    if not console.quiet:  # past Python's own buffer, which may be in the midst of a line
        os.write(2, f"{chr(10) * console.is_terminal}{text}\n".encode())
