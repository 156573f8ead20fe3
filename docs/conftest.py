"""Runs every code block of the pages: Python, and `sh` commands, those of one page in order in one folder.

Trainings are cut to two steps of small images. The folder has links to the repository's folders, and data of the names that the
pages use.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from testing.fixtures import PythonProcess

REPOSITORY = Path(__file__).parents[1]
SMALL = ("--steps", "2", "--batch-size", "4", "--size", "16")
LONG = {"--steps", "--time", "--batch-size", "--size"}


def prepare(namespace: dict[str, Any]) -> None:
    """A working directory for a page."""
    folder = Path(tempfile.mkdtemp())
    for path in ("docs", "examples", "packages", "benchmarks", "constraints.txt"):
        (folder / path).symlink_to(REPOSITORY / path)
    pixels = np.random.default_rng(0)
    for name in ("rose", "tulip"):
        (folder / "flowers" / name).mkdir(parents=True)
        for k in range(24):
            Image.fromarray(pixels.integers(0, 255, (64, 64, 3), "u1")).save(folder / "flowers" / name / f"{k}.png")
    namespace["before"] = Path.cwd()
    os.chdir(folder)


def leave(namespace: dict[str, Any]) -> None:
    """Return from the page's folder. It stays, as tests' folders do."""
    os.chdir(namespace["before"])


def run_commands(example: Example) -> str | None:
    """Run the lines of a shell block; each must succeed, or fail after `!`. Returns what is wrong.

    An image that a page shows must have the size of what was made.
    """
    for line in example.parsed.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0] == "pip" or any(word.startswith("examples/") for word in words):
            continue  # the sessions install and examples run those
        fails = words[0] == "!"
        output, code = run(shortened(words[fails:]))
        if bool(code) != fails:
            return f"{line}\n{output}"
    for made in Path().glob("*.png"):
        shown = REPOSITORY / "docs" / "images" / made.name
        if shown.exists() and size_of(shown) != size_of(made):
            return f"docs/images/{made.name} is another figure than {example.parsed} makes: make it again"
    return None


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file."""
    with Image.open(path) as image:
        return image.size


def run(words: list[str]) -> tuple[str, int]:
    """What a command writes, and its exit code; a Python program starts in a process that has imported torch."""
    match words:
        case ["diffkit", *options]:
            program = ["-m", "diffkit_cli", *options]
        case ["python", *program]:
            pass
        case _:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            return done.stdout + done.stderr, done.returncode
    with PythonProcess(*program, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        return "".join(process.communicate()), process.wait()


def shortened(words: list[str]) -> list[str]:
    """The command with a training of two steps of small images."""
    if "train" not in words or "--config" in words:
        return words
    kept = [word for word, before in zip(words, ["", *words], strict=False) if not {word, before} & LONG]
    return [*kept, *SMALL]


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("sh", run_commands)],
    path=str(REPOSITORY / "docs"),
    pattern="*.md",
    setup=prepare,
    teardown=leave,
).pytest()


def pytest_itemcollected(item: pytest.Item) -> None:
    """The pages say that `from_diffusers` warns."""
    item.add_marker(pytest.mark.filterwarnings("ignore:from_diffusers"))
