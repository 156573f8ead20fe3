"""Where things are said: results on stdout, all else on stderr."""

import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

__all__ = ["command", "console", "plural", "results", "show", "table", "warn", "warnings_as_lines"]


WIDE = 10_000


class Screen(Console):
    """A console that leaves a broken pipe to whoever runs the command, where rich would end the process itself."""

    def on_broken_pipe(self) -> None:
        """Called while BrokenPipeError is handled: it goes on."""
        raise


console = Screen(stderr=True, highlight=False, soft_wrap=True, markup=False)


def results() -> Console:
    """What is printed on stdout, as wide as the terminal; elsewhere a line is as long as it is, for the next program to read."""
    return Screen(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)


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
    """Show Python's own warnings, such as the trainer's, as `warn` does."""
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
    """A command of diffkit as it can be pasted into a shell.

    >>> command("sample", "my run")
    "diffkit sample 'my run'"
    """
    return shlex.join(["diffkit", *map(str, words)])
