"""A fresh process where torch is imported already: forked from one that has imported it and done nothing else."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from threading import Timer

os.environ.setdefault("OMP_NUM_THREADS", "1")
FORKS = multiprocessing.get_context("forkserver")
WARM = """
pytest torch._dynamo torch.distributed.fsdp diffkit_trainer diffkit_unet diffkit_samplers array_api_compat.torch numpy.random
rich.progress rich.table typer.main PIL.GifImagePlugin
"""
FORKS.set_forkserver_preload(WARM.split())  # what of it is not installed is left out


def python(*words, timeout=240, **options):
    """What subprocess.run says of `python -c SCRIPT ...` or `python -m MODULE ...`."""
    with Fork(*words, **options) as process:
        said = process.communicate(timeout)
        return subprocess.CompletedProcess(words, process.wait(), *said)


class Fork:
    """What subprocess.Popen gives, as far as it is used: the leader of a group, its streams piped or all of them a terminal."""

    def __init__(self, *words, cwd=None, env=None, terminal=None):
        if terminal is None:
            (out, first), (err, second) = (FORKS.Pipe(duplex=False) for _ in range(2))
            self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), errors="replace") for end in (out, err))
            ends = {1: first, 2: second}
        else:
            self.stdout = self.stderr = None
            ends = dict.fromkeys(range(3), Connection(os.dup(terminal)))
        place = (str(cwd or os.getcwd()), dict(os.environ if env is None else env))
        self._process = FORKS.Process(
            target=runpy.run_path,  # which the server can import, whatever this module is called
            args=(__file__, {"command": ([str(word) for word in words], *place, ends)}, "forked"),
            daemon=True,
        )
        self._process.start()
        self.pid = self._process.pid
        for end in ends.values():
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
        """What it still says; it is killed where that takes longer."""
        late = Timer(timeout, self.kill)
        late.start()
        with ThreadPoolExecutor() as pool:
            said = tuple(pool.map(lambda stream: stream.read(), (self.stdout, self.stderr)))
        self._close()
        self.wait()
        late.cancel()
        return said

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


def _main(words, cwd, env, ends):
    os.setsid()
    for number, end in ends.items():
        os.dup2(end.fileno(), number)
    for end in ends.values():
        end.close()
    # the server's were opened on something else: whether a file can seek is asked once
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", errors=kind, closefd=False) for number, kind in ((1, None), (2, "backslashreplace"))
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    kind, what, *others = words
    sys.argv = [kind, *others]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, {"__name__": "__main__"})


if __name__ == "forked":
    _main(*command)  # noqa: F821
