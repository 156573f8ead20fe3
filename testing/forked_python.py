"""The body of a process that fixtures.py forks: its streams, folder and environment, then code, a module or a script."""

import os
import runpy
import sys
from multiprocessing.connection import Connection
from pathlib import Path

words: list[str]
folder: str
environment: dict[str, str]
streams: dict[int, Connection]
words, folder, environment, streams = (globals()[name] for name in ("words", "folder", "environment", "streams"))

os.setsid()
for number, end in streams.items():
    os.dup2(end.fileno(), number)
for end in streams.values():
    end.close()
# those of the fork server cannot be used: a stream asks once whether its file can seek
sys.stdout, sys.stderr = (
    os.fdopen(number, "w", errors=errors, closefd=False) for number, errors in ((1, None), (2, "backslashreplace"))
)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
kind, *arguments = words
if kind == "-m":
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
elif kind == "-c":
    sys.argv = ["-c", *arguments[1:]]
    exec(arguments[0], {"__name__": "__main__"})
else:
    sys.argv = words
    sys.path.insert(0, str(Path(kind).parent))
    runpy.run_path(kind, run_name="__main__")
