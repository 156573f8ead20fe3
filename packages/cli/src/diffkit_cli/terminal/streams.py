"""The one door to the terminal, where the console of rich is too much: what comes from outside is shown, never obeyed."""

import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress

__all__ = ["complain", "show_cursor", "streams", "visible"]

SHOW_CURSOR = b"\x1b[?25h"


def visible(text: str) -> str:
    r"""The text on one line, and nothing in it that a terminal would act on or hide: what is neither a letter, a mark, a digit,
    a sign nor a space (control characters, which begin escape sequences; marks that turn the direction; no-width characters;
    line ends; bytes that are no UTF-8) as its escape.

    >>> print(visible("a\x1b[2J\n\u202eb\udce9 c"))
    a\x1b[2J\n\u202eb\xe9 c
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_seen, text))


def complain(text: str) -> None:
    """The lines of the text to stderr at once, past any buffer; lost where nobody can read them."""
    lines = "".join(f"{visible(line)}\n" for line in text.split("\n"))
    with suppress(OSError):
        os.write(2, lines.encode(errors="backslashreplace"))


def show_cursor() -> None:
    """Bring back the cursor that a progress bar hides."""
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)


@contextmanager
def streams() -> Iterator[None]:
    """stdout and stderr that are there, take any letter, and of which stderr, a closed terminal or a full disk, ends no work."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # whoever started the process closed it; the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    encoding = getattr(sys.stderr, "encoding", None)
    errors = io.TextIOWrapper(_Errors(), encoding, "backslashreplace", write_through=True)  # type: ignore[type-var]
    with redirect_stderr(errors):
        yield


class _Errors(io.RawIOBase):
    """stderr, without what goes wrong with it, save that nobody reads on."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return os.write(2, data)
        except BrokenPipeError:
            raise
        except OSError:
            return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)


def _seen(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte of a file's name that is no UTF-8, as Python holds it
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()
