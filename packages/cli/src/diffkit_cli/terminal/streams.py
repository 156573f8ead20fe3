"""stdout and stderr without rich: control characters are escaped, closed streams are replaced."""

import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress

__all__ = ["show_cursor", "streams", "visible", "write_error"]

SHOW_CURSOR = b"\x1b[?25h"


def visible(text: str) -> str:
    r"""The text in one line, with escapes for all that a terminal would act on or hide.

    These are control characters, which start escape sequences; marks of direction; zero-width characters; line ends; and bytes
    that are not UTF-8.

    >>> print(visible("a\x1b[2J\n\u202eb\udce9 c"))
    a\x1b[2J\n\u202eb\xe9 c
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_escaped, text))


def write_error(text: str) -> None:
    """Write lines of text to stderr, unbuffered; errors of writing are ignored."""
    lines = "".join(f"{visible(line)}\n" for line in text.split("\n"))
    with suppress(OSError):
        os.write(2, lines.encode(errors="backslashreplace"))


def show_cursor() -> None:
    """Show the cursor, which a progress bar hides."""
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)


@contextmanager
def streams() -> Iterator[None]:
    """In the block stdout and stderr exist and take any text, and an error of writing to stderr does not end the work."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by the parent process: the next opened file would take its number
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    encoding = getattr(sys.stderr, "encoding", None)
    errors = io.TextIOWrapper(_Errors(), encoding, "backslashreplace", write_through=True)  # type: ignore[type-var]
    with redirect_stderr(errors):
        yield


class _Errors(io.RawIOBase):
    """stderr without errors, but for a closed pipe."""

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


def _escaped(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte that is not UTF-8, as Python holds it in file names
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()
