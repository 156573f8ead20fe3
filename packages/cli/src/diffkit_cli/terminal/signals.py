"""The signals that end a command, from its first line to its last: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.

A command that one of them reached ends with 128 + its number. What it does about it depends on how far it is: while it and
torch are read it leaves at once, for nothing is to be undone, and libraries that are half read lose exceptions; at work it
unwinds, so that no file is left half written; a training goes on to the end of its update and is saved.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diffkit_cli.terminal.streams import complain, show_cursor

__all__ = ["Stopped", "caught_signals", "code", "ignore", "leave_at_once", "left_to_the_system", "unwind"]

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
SIGNALS = [signal.Signals[name] for name in WORDS if hasattr(signal, name)]

Handler = Callable[[int, object], object] | signal.Handlers

_came: list[int] = []


class Stopped(SystemExit):
    """A signal came, and the work unwinds.

    No KeyboardInterrupt: CPython remembers one that came inside exec(str), as of a dataclass, and would end by SIGINT itself,
    even where it was handled.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signum = signum
        self.word = WORDS[signal.Signals(signum).name]


def leave_at_once() -> None:
    """From here on a signal ends the process where it is. One that was ignored, as by nohup, stays so, here and below."""
    _came.clear()
    _handle(_leave)


def unwind() -> None:
    """From here on a signal raises Stopped; a second one ends the process where it is."""
    _handle(_unwind)


def ignore() -> None:
    """From here on nothing is left to be stopped."""
    _handle(signal.SIG_IGN)


def code() -> int:
    """128 + the number of the last signal that came; 0 where none did."""
    return 128 + _came[-1] if _came else 0


@contextmanager
def left_to_the_system() -> Iterator[None]:
    """In the block a signal ends the process by itself: whoever waits inside the system for others does not hear of it."""
    with _handled(signal.SIG_DFL):
        yield


@contextmanager
def caught_signals(*, silent: bool = False) -> Iterator[Callable[[], int]]:
    """A function that gives the signal that came, or 0, to be asked between two steps. A second signal raises Stopped."""

    def handle(signum: int, frame: object) -> None:
        _came.append(signum)
        name = signal.Signals(signum).name
        if len(_came) == 1:
            said = f"{name}: saving after this update; once more stops at once"
        else:
            said = f"{name} again: stopped at once, without saving"
        if not silent:  # on a line of its own: on a terminal the bar's has not ended
            complain(f"\n{said}" if os.isatty(2) else said)
        if len(_came) > 2:
            _leave(signum, frame)
        if len(_came) == 2:
            raise Stopped(signum)

    with _handled(handle):
        yield lambda: _came[0] if _came else 0


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


def _leave(signum: int, frame: object) -> None:
    show_cursor()
    complain(f"diffkit: {Stopped(signum).word}")
    os._exit(128 + signum)


def _unwind(signum: int, frame: object) -> None:
    _came.append(signum)
    if len(_came) > 1:
        _leave(signum, frame)
    raise Stopped(signum)
