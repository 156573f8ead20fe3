"""Errors as one line with the way out, and their exit codes."""

import traceback
from typing import Any

from diffkit_cli.terminal.out_of_memory import out_of_memory
from diffkit_cli.terminal.signals import Stopped
from diffkit_cli.terminal.streams import visible

__all__ = ["explain"]

CODES = {"DataError": 3, "DivergedError": 5, "LockedError": 6, "PartError": 2, "RunError": 4, "ValueError": 2}
"""By class name, so that nothing is imported where the trainer itself cannot be imported."""


def explain(error: BaseException, *, debug: bool = False) -> tuple[str, int]:
    """The message of an error, "" for none, and the exit code.

    An unexpected error, or any error with debug, is shown by its traceback, with exit code 1.

    >>> explain(IsADirectoryError(21, "Is a directory", "a.png"))
    ('diffkit: a.png: Is a directory; use another path', 4)
    """
    if isinstance(error, SystemExit) and not isinstance(error, Stopped):
        return "", error.code if isinstance(error.code, int) else 0
    message, code = ("", 1) if debug else _line(error)
    if not message:
        return "".join(traceback.format_exception(error)).rstrip("\n"), 1
    message = "; ".join([message, *getattr(error, "__notes__", [])])
    return message if message.startswith("Usage: ") else f"diffkit: {visible(message)}", code


def _line(error: Any) -> tuple[str, int]:
    if isinstance(error, Stopped):
        return error.word, 128 + error.signum
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a wrong command line, in any version of typer
        return _with_help(error, str(error.format_message())), int(error.exit_code)
    code = next((CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODES), None)
    if code is not None:
        return str(error), code
    if message := out_of_memory(error):
        return message, 4
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file is where a folder is needed; use another path", 4
    if isinstance(error, OSError) and error.strerror:
        wrong_path = isinstance(error, IsADirectoryError | FileNotFoundError | PermissionError)
        return f"{error.filename or 'the disk'}: {error.strerror}{'; use another path' if wrong_path else ''}", 4
    if isinstance(error, OSError) and error.filename is not None:  # what was to be written
        return f"{error.filename}: {str(error).lower()}; use another path", 4
    return "", 1


def _with_help(error: Any, message: str) -> str:
    """The message of a wrong command line, and how to show the help, unless it is the help or names the options."""
    command = getattr(getattr(error, "ctx", None), "command_path", None)
    if command is None or message.startswith("Usage: ") or "Possible options" in message:
        return message
    return f"{message.rstrip('.')}; see {command} --help"
