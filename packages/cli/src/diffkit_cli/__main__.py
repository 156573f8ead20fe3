"""The `diffkit` command: runs the app and turns what went wrong into one line and an exit code."""

import os
import sys
from typing import TextIO

__all__ = ["main"]


def main() -> None:
    """Run `diffkit` on sys.argv; the process exits with 0, or with the code of what went wrong.

    2 options or config; 3 data; 4 a run, a checkpoint or the disk; 5 diverged; 6 the run is in use; 130 interrupted;
    141 nobody reads on, as for `diffkit info RUN | head -1`.
    """
    try:
        from diffkit_cli.app import app  # here, so that Ctrl-C is clean while it is read, too

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
            print(f"diffkit: {message}", file=sys.stderr)  # noqa: T201
    if code == 130:  # CPython remembers a Ctrl-C that came inside exec(str), as of a dataclass, and would end by SIGINT itself
        exec("pass")  # forgets it
    sys.exit(code or 0)


def _let_go(stream: TextIO) -> None:
    """Point a stream that nobody reads nowhere, or Python would complain of it when it ends."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _explained(error: BaseException) -> tuple[str, int]:
    """The line and the exit code of an error; an error that is nobody's fault but ours is raised again."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a wrong command line, in any version of typer
        return str(error.format_message()), int(error.exit_code)
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return "interrupted", 130
    from diffkit_trainer import DataError, DivergedError, LockedError, RunError

    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file is where a folder is needed; give another place", 4
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the disk'}: {error.strerror}", 4
    codes = {DataError: 3, DivergedError: 5, LockedError: 6, RunError: 4, ValueError: 2}
    for kind, code in codes.items():
        if isinstance(error, kind):
            return "; ".join([str(error), *getattr(error, "__notes__", [])]), code
    if isinstance(error, OSError) and error.filename is not None:  # what was to be written
        return f"{error.filename}: {str(error).lower()}; give another place", 4
    raise error


if __name__ == "__main__":
    main()
