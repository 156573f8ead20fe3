"""For packages/cli/tests, which take the fixtures `start_python` and `run_python` next."""

import subprocess

from packages.conftest import PythonProcess as Fork  # the conftest.py that pytest has loaded

__all__ = ["Fork", "python"]


def python(*words, timeout=240, **options):
    with Fork(*words, **options) as process:
        output = process.communicate(timeout)
        return subprocess.CompletedProcess(words, process.wait(), *output)
