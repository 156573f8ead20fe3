"""Signals that end a command: SIGINT (Ctrl-C), SIGTERM, and SIGHUP of a closed terminal, which is SIGBREAK on Windows.

The exit code is 128 + the signal's number. While modules are imported the process exits at once: there is nothing to clean up,
and half imported libraries lose exceptions. During the work the signal raises Stopped, so that no file stays half written. A
training finishes its update and is saved.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diffkit_cli.terminal.streams import show_cursor, write_error

__all__ = ["Stopped", "caught_signals", "code", "ignore", "leave_at_once", "left_to_the_system", "unwind"]

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up", "SIGBREAK": "hung up"}
SIGNALS = [signal.Signals[name] for name in WORDS if hasattr(signal, name)]

Handler = Callable[[int, object], object] | signal.Handlers

_received: list[int] = []


class Stopped(SystemExit):
    """A signal was received.

    It is no KeyboardInterrupt: CPython remembers one that is raised inside exec(str), as dataclasses use it, and would end by
    SIGINT even where it was handled.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signum = signum
        self.word = WORDS[signal.Signals(signum).name]


def leave_at_once() -> None:
    """From here on a signal exits at once. Signals that are ignored, as by nohup, stay ignored, here and below."""
    _received.clear()
    _handle(_leave)


def unwind() -> None:
    """From here on a signal raises Stopped; a second one exits at once."""
    _handle(_unwind)


def ignore() -> None:
    """From here on signals are ignored: the work is done."""
    _handle(signal.SIG_IGN)


def code() -> int:
    """128 + the number of the last signal received; 0 for none."""
    return 128 + _received[-1] if _received else 0


@contextmanager
def left_to_the_system() -> Iterator[None]:
    """In the block signals have the system's default effect: Python cannot handle them while it waits for other processes."""
    with _handled(signal.SIG_DFL):
        yield


@contextmanager
def caught_signals(*, silent: bool = False) -> Iterator[Callable[[], int]]:
    """A function that returns the signal received in the block, or 0, to call between two steps. A second one raises Stopped."""
    former = len(_received)  # of an earlier block of this process

    def handle(signum: int, frame: object) -> None:
        _received.append(signum)
        name, count = signal.Signals(signum).name, len(_received) - former
        if count == 1:
            message = f"{name}: saving after this update; a second signal stops at once"
        else:
            message = f"{name} again: stopped at once, without saving"
        if not silent:  # on a new line: on a terminal the line of the bar has not ended
            write_error(f"\n{message}" if os.isatty(2) else message)
        if count > 2:
            _leave(signum, frame)
        if count == 2:
            raise Stopped(signum)

    with _handled(handle):
        yield lambda: _received[former] if len(_received) > former else 0


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    _handle(handler)
    try:
        yield
    finally:
        for signum, former in before.items():
            signal.signal(signum, former)


def _handle(handler: Handler) -> None:
    for signum in SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, handler)


def _leave(signum: int, _frame: object) -> None:
    show_cursor()
    write_error(f"diffkit: {Stopped(signum).word}")
    os._exit(128 + signum)


def _unwind(signum: int, frame: object) -> None:
    _received.append(signum)
    if len(_received) > 1:
        _leave(signum, frame)
    raise Stopped(signum)
