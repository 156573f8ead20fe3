"""Options that need more memory or disk than there is: refused in one line before the work, in bounded memory."""

import os
import signal

import pytest
from PIL import Image

from ..helpers import one_line, pixels, python, start, until

MEGABYTE = 2**20
LIMITED = f"""
import resource, sys
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 700 * {MEGABYTE},) * 2)
from diffkit_cli.__main__ import main
main()
"""
"""The command, with this much memory in addition to torch's."""

GRID, AT_A_TIME = (
    "pixels, more than the 89478485 that can be read back: use fewer images, a smaller --size",
    "at a time take at least",
)

HOSTILE = {
    "sample RUN -n 1000000000 --out a.png": (2, "-n must be an integer from 1 to 1000000, got 1000000000"),
    "sample RUN -n 99999999999999999999 --out a.png": (2, "-n must be an integer from 1 to 1000000"),
    "sample RUN -n 1000000 --out a.png": (2, f"{GRID} or --out FOLDER"),
    "sample RUN -n 1000000 --size 4096 --out a.png": (2, GRID),
    "sample RUN -n 1000000 --size 4096 --batch-size 1000000 --out f": (2, f"1000000 images of 4096x4096 {AT_A_TIME}"),
    "sample RUN -n 1000000 --batch-size 1000000 --size 64 --out f": (2, "use fewer images at a time or a smaller --size"),
    "sample RUN -n 1000000 --steps 1000000 --out f --gif a.gif": (2, "a.gif: 1000000 images of 8x8 in one grid make"),
    "sample RUN -n 10000 --size 96 --out f --webp a.webp": (2, "10000 images of 96x96 in one grid make 9802x9802 pixels"),
    "sample RUN -n 1 --size 1000000": (2, "each from 1 to 4096, got '1000000'"),
    "interpolate RUN --columns 1000000 --out a.png": (2, GRID),
    "interpolate RUN --rows 1000000 --out a.png": (2, GRID),
    "interpolate RUN --rows 1000000 --columns 1000000 --out f --gif a.gif": (
        2,
        "1000000 images of 8x8 in one grid make 12x10000002",
    ),
    "interpolate RUN --rows 1 --columns 1000000 --size 512 --out f --webp a.webp": (2, "1999998 frames of a.webp take at least"),
    "steps RUN -n 1000000 --out a.png": (2, "use fewer images, a smaller --size\n"),
    "steps RUN -n 300 --steps 1 --size 512 --out a.png": (2, f"300 images of 512x512 {AT_A_TIME}"),
    "inpaint RUN image.png --mask image.png -n 1000000 --out a.png": (2, GRID),
    "evaluate RUN -n 1000001": (2, "-n must be an integer from 2 to 1000000, got 1000001"),
    "train --batch-size 65536 --size 128 --out new": (2, "65536 images of 128x128 at a time, of a batch of 65536, take at least"),
    "train --batch-size 65536 --size 128 --dry-run": (2, "take a smaller --batch-size or --size, or more parts"),
    "train --steps 1000000000000 --out new": (2, "--steps must be an integer from 1 to 1000000000"),
}


@pytest.fixture
def place(tmp_path):
    Image.linear_gradient("L").resize((8, 8)).save(tmp_path / "image.png")
    return tmp_path


@pytest.mark.parametrize("command", HOSTILE)
def test_output_that_does_not_fit_in_memory_is_refused_at_once(blank, place, command):
    code, message = HOSTILE[command]
    done = python("-c", LIMITED, *command.replace("RUN", str(blank)).split(), cwd=place)
    *before, last = done.stderr.splitlines(keepends=True)
    assert message in one_line(last)
    assert (done.returncode, done.stdout) == (code, "")
    assert before == [] or command.startswith("train"), "which says first what images there are"
    assert [path.name for path in place.iterdir()] == ["image.png"]


def test_images_are_written_as_they_are_generated_and_stay(blank, tmp_path):
    """Ctrl-C after the first hundred of a million."""
    folder = tmp_path / "new" / "folder"
    process = start("sample", blank, "-n", 10**6, "--steps", 1, "--out", folder)
    until((folder / "00100.png").exists, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    kept = len(list(folder.glob("*.png")))
    last = f"diffkit: interrupted; {kept} of 1000000 images are in {folder}: the same command generates the others"
    assert (process.returncode, said.splitlines()[-1]) == (130, last)
    assert len(pixels(folder)) > 100, "every file is a whole picture"
    assert sorted(os.listdir(folder)) == [f"{i:05d}.png" for i in range(len(os.listdir(folder)))]


def test_an_output_that_cannot_be_written_is_refused_before_sampling(blank, tmp_path):
    """Each of these would take hours."""
    (tmp_path / "taken").touch()
    for words in (["sample", blank, "-n", 10**6, "--out", "taken/f"], ["steps", blank, "--steps", 10**6, "--out", "taken/a.png"]):
        done = python("-m", "diffkit_cli", *words, cwd=tmp_path, timeout=60)
        assert (done.returncode, done.stderr) == (4, "diffkit: taken: a file is where a folder is needed; use another path\n")
    long = ["interpolate", blank, "--steps", 10**6, "--out", "f", "--gif", "taken/a.gif"]
    assert python("-m", "diffkit_cli", *long, cwd=tmp_path, timeout=60).returncode == 4
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_batch_is_no_larger_than_the_number_of_images(blank, tmp_path, diffkit):
    assert diffkit("sample", blank, "-n", 2, "--steps", 1, "--size", 64, "--batch-size", 10**6, "--out", tmp_path / "f")[0] == 0
    assert len(pixels(tmp_path / "f")) == 2
