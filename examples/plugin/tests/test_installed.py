"""The parts of an installed distribution in the command, by name."""

import csv
import json
import shutil

import numpy as np
import pytest
from diffkit_samplers import METHODS
from diffkit_samplers.testing import check_sampler
from diffkit_trainer import read_metadata
from example_plugin.midpoint import midpoint
from example_plugin.quadratic import quadratic
from PIL import Image

PARTS = ("--preset", "example-convolutions", "--schedule", "example_quadratic", "--set", "log_to=example-csv")


@pytest.fixture(scope="module")
def run(run_folder, diffkit):
    shutil.rmtree(run_folder, ignore_errors=True)
    settings = ("--set", "log_every=10", "--set", "batch_size=16")
    trained = diffkit("train", *PARTS, *settings, "--steps", "20", "--seed", "0", "--out", run_folder)
    assert trained.returncode == 0, trained.stderr
    return run_folder


def test_sampler_conforms():
    check_sampler(midpoint)


def test_schedule_rates():
    rates = quadratic()(np.linspace(0, 1, 5))
    np.testing.assert_allclose(rates.alpha**2 + rates.sigma**2, 1)
    assert (np.diff(rates.alpha) < 0).all()


def test_config_has_the_names_and_the_distribution(run):
    config = (run / "config.json").read_text()
    assert json.loads(config)["schedule"] == {"name": "example_quadratic", "max_signal": 0.999, "min_signal": 0.02}
    assert "example-convolutions" in config
    assert "diffkit-example-plugin" in config
    assert "1.2.3" in config


def test_logger_has_the_losses_of_the_log(run):
    with (run / "example.csv").open(newline="") as file:
        rows = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert rows == [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
    assert [step for step, _ in rows] == [10, 20]


def test_training_resumes(run, diffkit, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    resumed = diffkit("train", "--resume", "--steps", "30", "--out", copy)
    assert resumed.returncode == 0, resumed.stderr
    assert [line.partition(",")[0] for line in (copy / "example.csv").read_text().splitlines()] == ["step", "10", "20", "30"]


def test_sampling_by_the_sampler(run, diffkit, tmp_path):
    for sampler in ("example_midpoint", "ddim"):
        out = tmp_path / f"{sampler}.png"
        sampled = diffkit("sample", run, "-n", "4", "--steps", "4", "--seed", "0", "--sampler", sampler, "--out", out)
        assert sampled.returncode == 0, sampled.stderr
        distribution = ("diffkit-example-plugin", "1.2.3") if sampler == "example_midpoint" else METHODS.origin("ddim")
        assert read_metadata(out)["versions"] == dict([distribution])
    ours, theirs = (np.asarray(Image.open(tmp_path / f"{sampler}.png")) for sampler in ("ddim", "example_midpoint"))
    assert ours.shape == theirs.shape
    assert (ours != theirs).any()


def test_similar_names_are_suggested(run, diffkit, tmp_path):
    refused = diffkit("sample", run, "--sampler", "example_midpint", "--out", tmp_path / "grid.png")
    assert refused.returncode == 2
    assert "'example_midpoint'" in refused.stderr


def test_error_of_a_part_names_its_distribution(diffkit, tmp_path):
    metadata = tmp_path / "broken_parts-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-parts\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("[diffkit.schedules]\nbroken = no_such_module:schedule\n")
    refused = diffkit("train", "--schedule", "broken", "--out", tmp_path / "run", path=tmp_path)
    assert refused.returncode == 2
    assert "broken-parts 0.1" in refused.stderr
    assert "Traceback" not in refused.stderr
