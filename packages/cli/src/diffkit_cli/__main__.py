"""The `diffkit` command: runs the app and turns what went wrong into one line and an exit code."""

import os
import sys
from itertools import pairwise
from typing import Any, TextIO

__all__ = ["main"]


def main() -> None:
    """Run `diffkit` on sys.argv; the process exits with 0, or with the code of what went wrong.

    2 options or config; 3 data; 4 a run, a checkpoint or the disk; 5 diverged; 6 the run is in use; 130 interrupted;
    141 nobody reads on, as for `diffkit info RUN | head -1`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # whoever started the process closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        from diffkit_cli.app import app  # here, so that Ctrl-C is clean while it is read, too

        _no_empty_words(sys.argv)
        code = app(prog_name="diffkit", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):  # typer makes it an exit
            _let_go(sys.stdout)
            sys.exit(141)
        if "--debug" in sys.argv[1:2] or isinstance(error, SystemExit):
            raise
        message, code = _explained(error)
        if message:
            print(message if message.startswith("Usage: ") else f"diffkit: {message}", file=sys.stderr)  # noqa: T201
    if code == 130:  # CPython remembers a Ctrl-C that came inside exec(str), as of a dataclass, and would end by SIGINT itself
        exec("pass")  # forgets it
    sys.exit(code or 0)


def _no_empty_words(words: list[str]) -> None:
    """Refuse an empty word, which a path would take for the working directory."""
    from diffkit_cli.config import UsageError

    for before, word in pairwise(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            where = word.removesuffix("=") if word else before if before.startswith("-") else "a word"
            raise UsageError(f"{where} is empty: give it a value; is a variable of the shell not set?")


def _let_go(stream: TextIO) -> None:
    """Point a stream that nobody reads nowhere, or Python would complain of it when it ends."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _explained(error: BaseException) -> tuple[str, int]:
    """The line and the exit code of an error; an error that is nobody's fault but ours is raised again."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a wrong command line, in any version of typer
        return _with_help(error, str(error.format_message())), int(error.exit_code)
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return "interrupted", 130
    from diffkit_trainer import DataError, DivergedError, LockedError, RunError

    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file is where a folder is needed; give another place", 4
    if isinstance(error, OSError) and error.strerror:
        wrong_place = isinstance(error, IsADirectoryError | FileNotFoundError | PermissionError)
        return f"{error.filename or 'the disk'}: {error.strerror}{'; give another place' if wrong_place else ''}", 4
    codes = {DataError: 3, DivergedError: 5, LockedError: 6, RunError: 4, ValueError: 2}
    for kind, code in codes.items():
        if isinstance(error, kind):
            return "; ".join([str(error), *getattr(error, "__notes__", [])]), code
    if isinstance(error, OSError) and error.filename is not None:  # what was to be written
        return f"{error.filename}: {str(error).lower()}; give another place", 4
    raise error


def _with_help(error: Any, message: str) -> str:
    """The message of a wrong command line and where to read more, unless it is the help itself, or says enough."""
    command = getattr(getattr(error, "ctx", None), "command_path", None)
    if command is None or message.startswith("Usage: ") or "Possible options" in message:
        return message
    return f"{message.rstrip('.')}; see {command} --help"


if __name__ == "__main__":
    main()
