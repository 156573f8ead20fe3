"""The `diffkit` command: parse, run, exit with a code."""

import os
import sys
from itertools import pairwise

from diffkit_cli.terminal import signals
from diffkit_cli.terminal.streams import streams, write_error

__all__ = ["main"]


def main() -> None:
    """Run `diffkit` on sys.argv and exit with 0 or the code of the error.

    1 a bug in diffkit, and any error under --debug; 2 options or config; 3 data; 4 a run, a checkpoint, the disk or the memory;
    5 diverged; 6 the run is locked; 129, 130, 143, 149 stopped by SIGHUP, SIGINT, SIGTERM, SIGBREAK; 141 the output is a
    closed pipe, as of `diffkit info RUN | head -1`.
    """
    signals.leave_at_once()
    with streams():
        code = _run() or signals.code()
    signals.ignore()
    sys.exit(code)


def _run() -> int:
    """The exit code of the command; prints its error."""
    try:
        from diffkit_cli.app import app  # here: signals are handled while it is imported

        _refuse_empty_words(sys.argv)
        work = app(prog_name="diffkit", standalone_mode=False)
        if callable(work):  # not the exit code of --help
            from diffkit_cli.terminal.console import warnings_as_lines

            signals.unwind()
            with warnings_as_lines():
                work = work()
        sys.stdout.flush()
        return int(work or 0)
    except BaseException as error:
        if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):  # typer turns it into an exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would report it again when it exits
            return 141
        from diffkit_cli.terminal.failures import explain

        message, code = explain(error, debug="--debug" in sys.argv[1:2])
        if message:
            write_error(message)
        return code


def _refuse_empty_words(words: list[str]) -> None:
    """Refuse an empty word, which a path would read as the working directory."""
    from diffkit_cli.errors import UsageError

    for before, word in pairwise(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            where = word.removesuffix("=") if word else before if before.startswith("-") else "an argument"
            raise UsageError(f"{where} is empty: give it a value (is a shell variable not set?)")


if __name__ == "__main__":
    main()
