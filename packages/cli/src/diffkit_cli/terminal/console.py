"""Where things are said, results on stdout, all else on stderr; other modules say nothing by any other way."""

import json
import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from diffkit_cli.terminal.streams import visible

__all__ = ["Table", "answer", "command", "console", "plural", "results", "show", "table", "warn", "warnings_as_lines", "write"]


WIDE = 10_000


class Screen(Console):
    """A console that shows each text as it is, see `visible`: no markup, no names of emoji; and that leaves a broken pipe to
    whoever runs the command, where rich would end the process itself.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich asks for each text that it is given to print, also in a table."""
        return super().render_str(visible(text), **options)

    def status(self, status: Any, **options: Any) -> Status:
        """A spinner beside a text while something lasts."""
        return super().status(self.render_str(status), **options)

    def on_broken_pipe(self) -> None:
        """Called while BrokenPipeError is handled: it goes on."""
        raise


console = Screen(stderr=True, soft_wrap=True)


def results() -> Console:
    """What is printed on stdout, as wide as the terminal; elsewhere a line is as long as it is, for the next program to read."""
    return Screen(width=None if sys.stdout.isatty() else WIDE)


def answer(document: Any) -> None:
    """The JSON of --json on stdout, in one line of ASCII: whatever is in it, JSON has an escape for."""
    write(json.dumps(document))


def write(text: str) -> None:
    """Lines of text on stdout, however long they are."""
    sys.stdout.write("".join(f"{visible(line)}\n" for line in text.split("\n")))


def show(title: str, rows: Table) -> None:
    """A table with its title above it."""
    screen = results()
    screen.print(title, style="bold", soft_wrap=True)
    screen.print(rows)


def table(*columns: str) -> Table:
    """An empty table of those columns, the first one left, the others right; what is too long for the screen goes on below."""
    empty = Table(box=None, show_header=any(columns))
    for place, column in enumerate(columns):
        empty.add_column(column, justify="right" if place and column else "left", overflow="fold")
    return empty


def warn(message: str) -> None:
    """One line to stderr."""
    console.print(f"warning: {message}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show Python's own warnings, such as the trainer's or torch's, as `warn` does."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: warn(" ".join(str(message).split()))
        yield


def plural(count: int, thing: str) -> str:
    """The number of things, and their name as that number has it.

    >>> plural(1, "image"), plural(0, "image"), plural(2, "channel")
    ('1 image', '0 images', '2 channels')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def command(*words: object) -> str:
    r"""A command of diffkit as it can be pasted into a shell, whatever its words are.

    >>> command("sample", "my run"), command("sample", Path("-run"))
    ("diffkit sample 'my run'", 'diffkit sample ./-run')
    >>> print(command("sample", "it's\x1b[2J"))
    diffkit sample $'it\'s\033[2J'
    """
    return " ".join(["diffkit", *map(_quoted, words)])


def _quoted(word: object) -> str:
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):  # which would be taken for an option
        text = f"./{text}"
    if visible(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_in_a_shell, text)) + "'"


def _in_a_shell(letter: str) -> str:
    """A letter between $' and ', which bash, zsh, ksh and POSIX since 2024 read: bytes as three octal digits."""
    if letter in "\\'":
        return f"\\{letter}"
    return letter if visible(letter) == letter else "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))
