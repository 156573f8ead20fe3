"""Training on images that are not square: --size HxW from the folder to the samples."""

import json

import pytest
from diffkit_cli.reports.evaluation import real_images
from diffkit_cli.training.parse import parse_flags, read_toml, to_toml
from diffkit_cli.training.start.resolve import resolve
from diffkit_trainer import open_images
from PIL import Image

from ..helpers import images, process, refusal, size_of

FEW = ["--steps", 2, "--batch-size", 2, "--preset", "small"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A folder of images, and a run on them at 6 x 9."""
    folder = tmp_path_factory.mktemp("wide")
    images(folder / "data", [(30, 20), (20, 30), (9, 6), (64, 48)])
    done = process("train", "data", "--size", "6x9", "--out", "run", *FEW, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("4 images of 6x9 (height x width), 3 channels, from data\n")
    return folder


def test_the_run_has_the_size_and_samples_have_it(wide):
    config = json.loads((wide / "run" / "config.json").read_text())
    assert (config["image"], config["training"]["size"]) == ({"channels": 3, "height": 6, "width": 9}, [6, 9])
    assert config["data"]["fingerprint"] == open_images(wide / "data", (6, 9)).fingerprint
    assert process("sample", wide / "run", "-n", 2, "--steps", 2, "--out", wide / "samples").returncode == 0
    assert size_of(wide / "samples" / "00001.png") == (9, 6)
    assert "4 of 6x9 (height x width), 3 channels" in process("info", wide / "run").stdout
    assert real_images(str(wide / "data"), (3, 6, 9)).shape == (3, 6, 9)


def test_it_is_resumed_and_fine_tuned_at_its_size(wide):
    assert process("train", "--resume", "--out", wide / "run", "--steps", 3).returncode == 0
    said = refusal(process("train", "--resume", "--out", wide / "run", "--steps", 4, "--size", "9x6"), 2)
    assert "size is 6x9 in the run to be resumed, got 9x6" in said
    done = process("train", wide / "data", "--from", wide / "run", "--out", wide / "tuned", "--steps", 1)
    assert done.returncode == 0, done.stderr
    assert json.loads((wide / "tuned" / "config.json").read_text())["image"] == {"channels": 3, "height": 6, "width": 9}


def test_a_size_is_written_in_three_ways(tmp_path):
    for text, value in {"48x64": (48, 64), "48X64": (48, 64), "64x64": 64, "64": 64, "none": None}.items():
        assert parse_flags({"size": text}) == {"size": value}
    for text, value in {'"48x64"': (48, 64), "[48, 64]": (48, 64), "[64, 64]": 64, "64": 64}.items():
        (tmp_path / "a.toml").write_text(f"size = {text}\n")
        assert read_toml(tmp_path / "a.toml") == {"size": value}
    options = resolve({}, side=48, size=(48, 64))
    (tmp_path / "a.toml").write_text(to_toml(options))
    assert read_toml(tmp_path / "a.toml")["size"] == (48, 64)


@pytest.mark.parametrize("text", ["48x", "x48", "0x8", "8x5000", "48x64x3", "4.5x8", "-4x8"])
def test_another_text_is_no_size(tmp_path, text):
    said = refusal(process("train", "--size", text, cwd=tmp_path), 2)
    assert said.startswith("diffkit: --size must be an integer from 1 to 4096 or HEIGHTxWIDTH or none, got ")


def test_doctor_judges_images_by_the_size(tmp_path):
    for name, size in {"square": (60, 60), "wide": (64, 48), "tall": (48, 64), "small": (32, 24), "flat": (300, 48)}.items():
        Image.effect_noise(size, 50).save(tmp_path / f"{name}.png")
    found = json.loads(process("doctor", tmp_path, "--size", "48x64", "--json").stdout)
    assert found["small"] == ["small.png", "square.png", "tall.png"]
    said = found["suggestions"]
    assert "3 of 5 images would be enlarged to 48x64: try --size 24x32" in said
    assert "half or more of 1 image is cropped: crop them first, or give --size HEIGHTxWIDTH" in said
    assert "smaller than 48x64" in process("doctor", tmp_path, "--size", "48x64").stdout
