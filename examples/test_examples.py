"""The examples that run alone: what they print and write. Trainings are cut to a few steps."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

HERE = Path(__file__).parent


def run(name, *options):
    """What the example prints."""
    command = [sys.executable, HERE / f"{name}.py", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_sampler_is_of_second_order():
    ours, ddim = map(float, re.findall(r"(?:accuracy:|DDIM) ([\d.]+)", run("own_sampler")))
    assert 1.75 < ours < 2.25
    assert 0.75 < ddim < 1.25


def test_samples_of_the_schedule_have_the_moments_of_the_data():
    *_, straight, shifted = run("own_schedule").splitlines()
    for line in (straight, shifted):
        mean, deviation = map(float, re.findall(r"(?:mean|deviation) ([\d.]+)", line))
        assert mean == pytest.approx(3, abs=0.03)
        assert deviation == pytest.approx(0.5, abs=0.03)


def test_inpainting_keeps_the_given_halves(tmp_path):
    run("inpainting", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        rows = [image.crop((0, 66 * k + 2, image.width, 66 * k + 34)).tobytes() for k in range(5)]  # upper halves
        lower = [image.crop((0, 66 * k + 34, image.width, 66 * k + 66)).tobytes() for k in range(5)]
    assert set(rows) == {rows[0]}
    assert len(set(lower)) == 5


def test_guided_samples_are_a_row_for_each_scale(tmp_path):
    run("class_guidance", tmp_path / "out.png", "--steps", "3")
    with Image.open(tmp_path / "out.png") as image:
        width, height = image.size
        rows = [image.crop((width - 660, 66 * k, width, 66 * (k + 1))).tobytes() for k in range(3)]
    assert height == 3 * 66 + 2
    assert len(set(rows)) == 3
