"""Images that are there already, by the command as a process: what diffkit did not make stays, and so does another image."""

import pytest
from diffkit_trainer import read_metadata
from PIL import Image

from .helpers import process, refusal


@pytest.fixture
def place(mapped, tmp_path):
    """A folder with a run, a mask and photographs, of which one has the name of an image in a folder."""
    (tmp_path / "run").symlink_to(mapped)
    (tmp_path / "folder").mkdir()
    for name in ("photo.png", "folder/00001.png", "photo.gif", "photo.webp"):
        Image.new("L", (8, 8), 200).save(tmp_path / name)
    mask = Image.new("L", (8, 8), 255)
    mask.paste(0, (0, 0, 8, 4))
    mask.save(tmp_path / "mask.png")
    return tmp_path


SAMPLE = "sample run -n 2 --steps 1"
REPLACING = {
    f"{SAMPLE} --out photo.png": "photo.png",
    f"{SAMPLE} --out folder": "folder/00001.png",
    f"{SAMPLE} --gif photo.gif": "photo.gif",
    f"{SAMPLE} --webp photo.webp": "photo.webp",
    "steps run -n 1 --steps 1 --out photo.png": "photo.png",
    "interpolate run --rows 1 --columns 2 --steps 1 --out photo.png": "photo.png",
    "evaluate run digits -n 2 --steps 1 --out photo.png": "photo.png",
    "schedules cosine --out photo.png": "photo.png",
    "info run --plot photo.png": "photo.png",
}
"""Commands, and the photograph that each would replace."""


@pytest.mark.parametrize("command", REPLACING)
def test_a_photograph_is_not_replaced(place, command):
    photo = place / REPLACING[command]
    before, files = photo.read_bytes(), sorted(place.rglob("*"))
    line = refusal(process(*command.split(), cwd=place), 2)
    assert f"{REPLACING[command]} was not made by diffkit: give another path, or --force to replace it" in line
    assert photo.read_bytes() == before
    assert sorted(place.rglob("*")) == files


@pytest.mark.parametrize("command", [command for command in REPLACING if command.startswith(SAMPLE)])
def test_force_replaces_it(place, command):
    assert process(*command.split(), "--force", cwd=place).returncode == 0
    assert read_metadata(place / REPLACING[command])["command"] == "sample"


def test_an_image_that_is_read_is_not_replaced(place):
    for command in ("inpaint run photo.png --mask mask.png --out photo.png", "sample run -n 1 --init photo.png --out photo.png"):
        assert "photo.png would replace an image that this command reads" in refusal(process(*command.split(), cwd=place), 2)


def test_the_default_image_is_numbered_unless_it_is_the_same(place):
    for more, name in (([], "samples.png"), ([], "samples.png"), (["--seed", 5], "samples-2.png"), ([], "samples.png")):
        done = process(*SAMPLE.split(), *more, cwd=place)
        assert (done.returncode, done.stderr.rstrip().rpartition(": ")[2]) == (0, name)
    assert [read_metadata(place / name)["seed"] for name in ("samples.png", "samples-2.png")] == [0, 5]
    assert process(*SAMPLE.split(), "--seed", 7, "--force", cwd=place).returncode == 0
    assert process(*SAMPLE.split(), "--seed", 8, "--out", "samples-2.png", cwd=place).returncode == 0
    assert [read_metadata(place / name)["seed"] for name in ("samples.png", "samples-2.png")] == [7, 8]
    assert len(list(place.glob("samples*"))) == 2
