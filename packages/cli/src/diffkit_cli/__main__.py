"""The `diffkit` command: reads what is asked for, does it, and ends with an exit code."""

import os
import sys
from itertools import pairwise

from diffkit_cli.terminal import signals as stops
from diffkit_cli.terminal.streams import complain, streams

__all__ = ["main"]


def main() -> None:
    """Run `diffkit` on sys.argv; the process exits with 0, or with the code of what went wrong.

    1 a fault of diffkit's own, and any error under --debug; 2 options or config; 3 data; 4 a run, a checkpoint, the disk or the
    memory; 5 diverged; 6 the run is in use; 129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM; 141 nobody reads on, as for
    `diffkit info RUN | head -1`.
    """
    stops.leave_at_once()
    with streams():
        code = _ran() or stops.code()
    stops.ignore()
    sys.exit(code)


def _ran() -> int:
    """The exit code of the command; what went wrong is said."""
    try:
        from diffkit_cli.app import app  # here: signals mean what they should while it is read, and torch with it

        _no_empty_words(sys.argv)
        work = app(prog_name="diffkit", standalone_mode=False)
        if callable(work):  # and not the code of a help that was shown
            from diffkit_cli.terminal.console import warnings_as_lines

            stops.unwind()
            with warnings_as_lines():
                work = work()
        sys.stdout.flush()
        return int(work or 0)
    except BaseException as error:
        if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):  # typer makes it an exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain of it when it ends
            return 141
        from diffkit_cli.terminal.failures import explained

        said, code = explained(error, debug="--debug" in sys.argv[1:2])
        if said:
            complain(said)
        return code


def _no_empty_words(words: list[str]) -> None:
    """Refuse an empty word, which a path would take for the working directory."""
    from diffkit_cli.errors import UsageError

    for before, word in pairwise(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            where = word.removesuffix("=") if word else before if before.startswith("-") else "a word"
            raise UsageError(f"{where} is empty: give it a value; is a variable of the shell not set?")


if __name__ == "__main__":
    main()
