"""Every command that loads a model, as an installed process: files, output and exit code, with and without a terminal."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .helpers import DIFFKIT, on_a_terminal, refusal, size_of


@pytest.fixture
def place(mapped, tmp_path, monkeypatch):
    """A working directory with a run whose network diffusers has, an image and a mask."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(mapped)
    Image.new("L", (8, 8), 200).save("picture.png")
    mask = Image.new("L", (8, 8), 255)
    mask.paste(0, (0, 0, 8, 4))
    mask.save("mask.png")
    return tmp_path


COMMANDS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "sample": (
        ["sample", "digits", "-n", 4],
        {"samples.png": (134, 134)},
        "4 images from the bundled digits network, 20 steps of ddim, eta 0",
    ),
    "steps": (
        ["steps", "digits", "-n", 2, "--steps", "1,3"],
        {"steps.png": None},
        "2 rows of 2 images from the bundled digits network, of the same noise, ddim",
    ),
    "interpolate": (
        ["interpolate", "digits", "--rows", 1],
        {"interpolation.png": (728, 68)},
        "1 row of 11 images from the bundled digits network, between two",
    ),
    "inpaint": (["inpaint", "run", "picture.png", "--mask", "mask.png", "-n", 1], {"inpainted.png": (68, 68)}, "50% generated"),
    "export": (["export", "run", "--out", "net.safetensors"], {"net.safetensors": None}, "Sample with: diffkit sample net.saf"),
    "to diffusers": (
        ["export", "run", "--out", "d", "--format", "diffusers"],
        {"d/model_index.json": None},
        "from_pretrained('d')",
    ),
}
"""Commands that write: the arguments, the files with the sizes of images, and stderr."""


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "on a terminal"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_writes_its_files(name, terminal, place):
    arguments, files, said = COMMANDS[name]
    out, errors = ran(arguments, terminal)
    assert out == ""
    assert said in errors
    assert terminal or errors.count("\n") == (3 if name == "steps" else 1)
    for file, size in files.items():
        assert size is None or size_of(place / file) == size
        assert (place / file).stat().st_size > 100
    there = {path.name for path in place.iterdir()} - {"run", "picture.png", "mask.png"}
    assert there == {Path(file).parts[0] for file in files}, "and nothing else"


ANSWERS = {
    "info": (["info", "digits"], "tiny, 411,585 parameters"),
    "info of a picture": (["info", "drawn.png"], "euler_ancestral"),
    "evaluate": (["evaluate", "-n", 200, "--steps", 2], "against the data"),
    "schedules": (["schedules", "cosine"], "log-SNR"),
    "doctor": (["doctor", "digits"], "1797"),
}
"""What answers on stdout: its arguments, and a part of the answer."""


@pytest.mark.parametrize("name", ANSWERS)
def test_a_command_prints_its_result(name, place):
    arguments, part = ANSWERS[name]
    if "drawn.png" in arguments:
        ran(["sample", "digits", "--sampler", "euler_ancestral", "--steps", 1, "--out", "drawn.png"], terminal=False)
    shown, _ = ran(arguments, terminal=True)
    assert part in shown
    found, errors = ran([*arguments, "--json"], terminal=False)
    assert json.loads(found)
    assert (found.count("\n"), errors) == (1, "")


def test_an_exported_network_is_imported_again(place):
    ran(["export", "run", "--out", "theirs", "--format", "diffusers"], terminal=False)
    out, errors = ran(["import", "theirs", "--out", "ours"], terminal=False)
    assert (out, errors.count("\n")) == ("", 1)
    assert "DDIMPipeline, DDIMScheduler of diffusers: " in errors
    usage = "Sample with: diffkit sample ours --spacing trailing. Fine-tune with: diffkit train DATA --from ours\n"
    assert errors.endswith(usage)
    out, _ = ran(["info", "ours"], terminal=False)
    assert "8x8, 1 channel; training data unknown" in out
    shutil.rmtree("ours")
    shown, _ = ran(["import", "theirs", "--out", "ours"], terminal=True)
    assert "DDIMPipeline, DDIMScheduler of diffusers: " in shown


ERRORS = {
    "sample nowhere": 4,
    "sample --sampler odd": 2,
    "inpaint run picture.png --mask nowhere.png": 3,
    "info picture.png": 3,
    "export --format diffusers --out new": 2,
    "import run --out new": 4,
}


@pytest.mark.parametrize("command", ERRORS)
def test_an_error_is_one_line_and_leaves_nothing(command, place):
    before = sorted(os.listdir())
    done = subprocess.run([DIFFKIT, *command.split()], capture_output=True, text=True, check=False)
    assert re.fullmatch(r"diffkit: [^\n]+\n", refusal(done, ERRORS[command])), done.stderr
    assert sorted(os.listdir()) == before


def ran(arguments, terminal):
    """stdout and stderr of a command that ends well; on a terminal both are one, the first, and stdout comes empty."""
    if terminal:
        shown, code = on_a_terminal(*arguments, NO_COLOR="1", COLUMNS="200")
        assert code == 0, shown
        return (shown, "") if arguments[0] in ("info", "evaluate", "schedules", "doctor", "import") else ("", shown)
    done = subprocess.run([DIFFKIT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
