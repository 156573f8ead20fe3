"""The command as a separate process, and the run that one session's tests train and another's refuse."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """Trained by test_installed.py and read by test_not_installed.py, in another environment."""
    return Path(__file__).parents[3] / "dist" / "plugin" / "run"


@pytest.fixture(scope="session")
def diffkit() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The installed command as a function of its arguments; path: a folder for PYTHONPATH."""

    def run(*arguments: object, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | ({"PYTHONPATH": str(path)} if path else {}) | {"COLUMNS": "400"}
        command = [str(Path(sys.executable).with_name("diffkit")), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run
