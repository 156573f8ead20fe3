"""The examples of inverse problems: the samples fit their measurement, and the digits better than any sample does without it."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from diffkit_cli import open_run
from PIL import Image

HERE = Path(__file__).parent


def distance(a, b):
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize(("name", "measurement"), [("pigdm", "averages"), ("dps", "exposed")])
def test_samples_fit_the_measurement_and_the_digits(name, measurement):
    example = runpy.run_path(str(HERE / f"{name}.py"))
    x0, y, *samples = example["restore"](count=32, steps=20)
    run = open_run("digits", device="cpu")
    unconditional = run.normalisation.to_network(run.sample(32, steps=20).pixels)
    for sample in samples:
        assert distance(example[measurement](sample), y) < 2.5 * example["SIGMA_Y"], "it fits the measurement"
        assert distance(sample, x0) < 0.6 * distance(unconditional, x0)
    assert distance(*samples) > 0.05, "the samples of a digit differ"


def test_an_example_writes_an_image(tmp_path):
    subprocess.run([sys.executable, HERE / "pigdm.py", tmp_path / "restored.png"], check=True)
    with Image.open(tmp_path / "restored.png") as image:
        assert image.size == (10 * 64 + 11 * 2, 4 * 64 + 5 * 2)
