"""What the tests of the trainer and of the command share: processes that start at once, and files with invalid content."""

import copy
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest

# --- processes


os.environ.setdefault("OMP_NUM_THREADS", "1")
FORKED_PYTHON = Path(__file__).with_name("forked_python.py")
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
SERVER: Any = multiprocessing.get_context("forkserver" if FORKS else None)
PRELOADED = """
pytest torch._dynamo torch.distributed.fsdp diffkit_trainer diffkit_unet diffkit_samplers array_api_compat.torch numpy.random
rich.progress rich.table typer.main PIL.GifImagePlugin
"""
if FORKS:
    SERVER.set_forkserver_preload(PRELOADED.split())  # a module that is not installed is skipped


class PythonProcess:
    """A Python process that has imported torch already: it is forked from a process that did nothing else.

    words: "-c" CODE ..., "-m" MODULE ... or SCRIPT ..., as for the interpreter. It has the methods of subprocess.Popen that the
    tests use. It leads its own process group; its streams are pipes, or all of them the terminal.
    """

    def __init__(self, *words: object, cwd: Any = None, env: Any = None, terminal: int | None = None) -> None:
        self.stdout: Any = None
        self.stderr: Any = None
        if terminal is None:
            (out, first), (err, second) = (SERVER.Pipe(duplex=False) for _ in range(2))
            self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), errors="replace") for end in (out, err))
            streams = {1: first, 2: second}
        else:
            streams = dict.fromkeys(range(3), Connection(os.dup(terminal)))
        given = {
            "words": [str(word) for word in words],
            "folder": str(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "streams": streams,
        }
        self._process = SERVER.Process(target=runpy.run_path, args=(str(FORKED_PYTHON), given), daemon=True)
        self._process.start()
        self.pid: Any = self._process.pid
        for end in streams.values():
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if any(error):
            self.kill()
        self._close()
        self.wait()

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        self._process.join(timeout)
        return self.returncode

    def communicate(self, timeout=240):
        """The rest of stdout and stderr; the process is killed after the timeout."""
        late = Timer(timeout, self.kill)
        late.start()
        with ThreadPoolExecutor() as pool:
            output = tuple(pool.map(lambda stream: stream.read(), (self.stdout, self.stderr)))
        self._close()
        self.wait()
        late.cancel()
        return output

    def send_signal(self, signum):
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _close(self):
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="session")
def start_python() -> type[PythonProcess]:
    """The class `PythonProcess`; a call starts a process."""
    return PythonProcess


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess]:
    """Like subprocess.run of a `PythonProcess`, or on Windows of a new one: a call has words, timeout=, cwd= and env=."""

    def run(*words: Any, timeout: float = 240, **options: Any) -> subprocess.CompletedProcess:
        if not FORKS:
            command = [sys.executable, *map(str, words)]
            return subprocess.run(command, timeout=timeout, capture_output=True, text=True, check=False, **options)
        with PythonProcess(*words, **options) as process:
            output = process.communicate(timeout)
            return subprocess.CompletedProcess(words, process.wait(), *output)

    return run


# --- files with invalid content


DEPTH = 10**5
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 1e308, 1e-320, 10**30, 10**400, "", "x", "a\nb", "\ud800", [], [None], {}, {"x": 1}),
    json.loads("[" * 40 + "]" * 40),
)
TEXTS = {
    **{"empty": "", "cut off": '{"a": ', "list": "[1]", "string": '"a"', "null": "null", "number": "1"},
    **{"empty object": "{}", "no JSON": "\x00\xff", "duplicate key": '{"a": 1, "a": 2}', "not a number": '{"a": NaN}'},
    **{"infinite": '{"a": 1e999}', "lists too deep": "[" * DEPTH, "objects too deep": '{"a":' * DEPTH},
    **{"cut off and deep": '{"a":' + "[" * 99, "complete and deep": '{"a":' + "[" * 900 + "]" * 900 + "}"},
    **{"newer format": '{"format": 2}', "older format": '{"format": 0}'},
}


def invalid_fields(document):
    """(name, document) with each field missing, and with each invalid value of it."""
    for path in _paths(document):
        for value in (*VALUES, ...):
            other = copy.deepcopy(document)
            inside = other
            for key in path[:-1]:
                inside = inside[key]
            if value is ...:
                del inside[path[-1]]
            else:
                inside[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {'missing' if value is ... else repr(value)[:40]}", other


def _paths(value, path=()):
    """The keys of each field; the first entry of a list stands for all of them."""
    inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value[:1])) if isinstance(value, list) else []
    for key, child in inside:
        yield (*path, key)
        yield from _paths(child, (*path, key))


def special_files(path):
    """Replace a file by a FIFO, a folder, links and others; yield the name of each; restore the file."""
    data = path.read_bytes()
    for name, make in (
        ("FIFO", lambda: os.mkfifo(path)),
        ("folder", path.mkdir),
        ("dangling link", lambda: path.symlink_to(path.with_name("nowhere"))),
        ("endless device", lambda: path.symlink_to("/dev/zero")),
        ("loop", lambda: path.symlink_to(path)),
    ):
        path.unlink()
        make()
        yield name
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(data)


@contextmanager
def limited_memory(max_bytes=300 * 2**20):
    """A context that fails where the peak memory of the process grows by more."""
    import resource  # not on Windows

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < max_bytes, f"{grown / 2**20:.0f} MiB"


class Outcomes:
    """Counts what a reader accepts and refuses; any error but a refusal of one line that names the file is a failure."""

    def __init__(self, *refusals: type[Exception]) -> None:
        self.refusals, self.accepted, self.refused = refusals, 0, 0

    def add(self, name, file, read, *arguments):
        """Call read(*arguments) on the content called `name`; a refusal must name the file."""
        try:
            read(*arguments)
        except self.refusals as error:
            message = str(error)
            assert "\n" not in message, (name, message)
            assert file in message, (name, message)
            assert len(message) < 2000, (name, message[:200])
            self.refused += 1
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        else:
            self.accepted += 1


@pytest.fixture(scope="session")
def invalid() -> SimpleNamespace:
    """What a reader is tested with: texts by name, fields(document), special_files(path), limited_memory() and Outcomes(...)."""
    return SimpleNamespace(
        texts=TEXTS, fields=invalid_fields, special_files=special_files, limited_memory=limited_memory, Outcomes=Outcomes
    )
