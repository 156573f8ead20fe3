"""Output: results on stdout, everything else on stderr. Other modules print by these functions only."""

import json
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffkit_trainer.options import at_most
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from diffkit_cli.terminal.streams import visible

__all__ = [
    "Table",
    "answer",
    "command",
    "console",
    "dimensions",
    "extent",
    "listed",
    "noun",
    "plural",
    "results",
    "show",
    "table",
    "warn",
    "warnings_as_lines",
    "write",
]


WIDE = 10_000
MAX_LISTED = 8


class Screen(Console):
    """A rich console without markup and emoji names, which escapes control characters, see `visible`.

    It raises a BrokenPipeError, where rich would end the process.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as rich prints it; rich calls this for each text, also in tables."""
        return super().render_str(visible(text), **options)

    def status(self, status: Any, **options: Any) -> Status:
        """A spinner with a text, for the duration of a with block; in ASCII where the terminal has no Unicode."""
        spinner = "dots" if self.encoding.startswith("utf") else "line"
        return super().status(self.render_str(status), **{"spinner": spinner, **options})

    def on_broken_pipe(self) -> None:
        """Called by rich in its handler of BrokenPipeError: raise it again."""
        raise  # noqa: PLE0704


console = Screen(stderr=True, soft_wrap=True)


def results() -> Console:
    """The console of stdout: as wide as a terminal, without a limit in files and pipes."""
    return Screen(width=None if sys.stdout.isatty() else WIDE)


def answer(document: Any) -> None:
    """Print the JSON of --json on stdout, in one line of ASCII."""
    write(json.dumps(document))


def write(text: str) -> None:
    """Print lines of text on stdout, without wrapping."""
    sys.stdout.write("".join(f"{visible(line)}\n" for line in text.split("\n")))


def show(title: str, rows: Table) -> None:
    """Print a table with a title."""
    screen = results()
    screen.print(title, style="bold", soft_wrap=True)
    screen.print(rows)


def table(*columns: str) -> Table:
    """An empty table: the first column is aligned to the left, the others to the right; long text wraps."""
    empty = Table(box=None, show_header=any(columns))
    for i, column in enumerate(columns):
        empty.add_column(column, justify="right" if i and column else "left", overflow="fold")
    return empty


def warn(message: str) -> None:
    """Print a warning to stderr, in one line."""
    console.print(f"warning: {message}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print Python's warnings, such as torch's, by `warn`."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: warn(" ".join(str(message).split()))
        yield


def plural(count: int, thing: str) -> str:
    """A number with its noun, in the singular or the plural.

    >>> plural(1, "image"), plural(0, "image"), plural(2, "class")
    ('1 image', '0 images', '2 classes')
    """
    return f"{count} {thing}{'' if count == 1 else 'es' if thing.endswith('s') else 's'}"


def noun(shape: Sequence[int]) -> str:
    """The word for samples (C, *space): images where the space has two axes.

    >>> plural(1, noun((3, 8, 8))), plural(4, noun((1, 100)))
    ('1 image', '4 samples')
    """
    return "image" if len(shape) == 3 else "sample"


def listed(values: Sequence[str]) -> str:
    """The first values with commas, and how many more there are.

    >>> listed("abc"), listed("abcdefghij"), listed([])
    ('a, b, c', 'a, b, c, d, e, f, g, h and 2 more', 'none')
    """
    return at_most(MAX_LISTED, values) or "none"


def dimensions(height: int, width: int) -> str:
    """The size of an image: height first, as in --size, and said where the order matters.

    >>> dimensions(8, 8), dimensions(48, 64)
    ('8x8', '48x64 (height x width)')
    """
    return f"{height}x{width}{'' if width == height else ' (height x width)'}"


def extent(space: Sequence[int]) -> str:
    """The size of the space of a sample, (L), (H, W) or (D, H, W).

    >>> extent([100]), extent([8, 8]), extent([4, 8, 9])
    ('length 100', '8x8', '4x8x9 (depth x height x width)')
    """
    if len(space) == 2:
        return dimensions(*space)
    return f"length {space[0]}" if len(space) == 1 else f"{'x'.join(map(str, space))} (depth x height x width)"


def command(*words: object) -> str:
    r"""A command of diffkit, quoted for a shell.

    >>> command("sample", "my run"), command("sample", Path("-run"))
    ("diffkit sample 'my run'", 'diffkit sample ./-run')
    >>> print(command("sample", "it's\x1b[2J"))
    diffkit sample $'it\'s\033[2J'
    """
    return " ".join(["diffkit", *map(_quoted, words)])


def _quoted(word: object) -> str:
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):  # not an option
        text = f"./{text}"
    if visible(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_shell_escape, text)) + "'"


def _shell_escape(letter: str) -> str:
    """A letter in $'...' quotes, which bash, zsh, ksh and POSIX 2024 read: bytes as three octal digits."""
    if letter in "\\'":
        return f"\\{letter}"
    if visible(letter) == letter:
        return letter
    try:
        raw = os.fsencode(letter)
    except UnicodeEncodeError:  # half of a surrogate pair, which no file name holds
        raw = letter.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in raw)
