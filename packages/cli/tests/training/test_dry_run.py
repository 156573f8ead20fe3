"""diffkit train --dry-run: its numbers are right, and nothing is written."""

import json

import pytest
from diffkit_cli.training.build import build_trainer, config_of, network_config_of
from diffkit_cli.training.parse import read_toml
from diffkit_cli.training.start.resolve import resolve
from diffkit_trainer import World, open_images
from diffkit_unet import preset

from ..helpers import TINY, images, keys, on_a_terminal, one_line, process


def test_dry_run_prints_options_time_and_memory(tmp_path):
    done = process("train", *TINY, "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    found = json.loads(done.stdout)
    network = preset("small", in_channels=1)
    weights, buffers = (sum(tensor.nbytes for tensor in tensors) for tensors in (network.parameters(), network.buffers()))
    assert found["parameters"] * 4 == weights
    memory = found["memory"]
    assert (memory["weights"], memory["gradients"], memory["average"]) == (weights + buffers, weights, weights + buffers)
    steps = 4 * len(list(network.parameters()))  # AdamW counts them for every tensor
    assert memory["moments"] == 2 * weights + steps
    assert memory["peak"] > memory["weights"] + memory["gradients"] + memory["average"] + memory["moments"]
    assert found["steps_per_epoch"] == 1797 / 8
    assert found["measured_steps"] == 8
    assert found["seconds"] == pytest.approx(6 * found["seconds_per_step"])
    assert found["config"]["steps"] == 6


def test_dry_run_prints_a_file_for_config(tmp_path):
    done = process("train", *TINY, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "# 1797 images of 8x8; a step is 8 of them, an epoch 224.6 steps, 6 steps are 0.0 epochs" in done.stdout
    assert "# network: 517,153 parameters" in done.stdout
    (tmp_path / "a.toml").write_text(done.stdout)
    again = process("train", "--config", "a.toml", "--dry-run", "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["config"] == {
        k: list(v) if isinstance(v, tuple) else v for k, v in read_toml(tmp_path / "a.toml").items()
    }
    assert json.loads(again.stdout)["config"]["save_every"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


def test_dry_run_packs_the_images_and_writes_no_run(tmp_path):
    images(tmp_path / "data", [(8, 8)] * 3)
    shown, code = on_a_terminal("train", tmp_path / "data", "--size", 8, "--out", tmp_path / "run", *TINY, "--dry-run")
    assert code == 0, shown
    assert "3 images of 8x8, 3 channels" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["0.png", "1.png", "2.png"]


def test_dry_run_of_a_run_counts_the_remaining_steps(trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    done = process("train", "--resume", "--out", trained, "--steps", 10, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["start"], found["config"]["steps"], found["config"]["log_every"]) == (6, 10, 2)
    assert found["seconds"] == pytest.approx(4 * found["seconds_per_step"])
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_beside_a_run_it_warns_and_changes_nothing(trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    done = process("train", "--out", trained, *TINY, "--dry-run", "--json")
    assert (done.returncode, json.loads(done.stdout)["start"]) == (0, 0)
    assert done.stderr.startswith(f"warning: {trained} already holds a run: resume it with --resume, or give another --out\n")
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dry-run", "nowhere"], 3, "nowhere"),
        (["--dry-run", "--device", "gpu"], 2, "got 'gpu'"),
        (["--dry-run", "--resume", "--out", "RUN", "--seed", "5"], 2, "seed is 0 in the run to be resumed, got 5"),
        (["--dry-run", *keys("class_dropout=2")], 2, "class_dropout must be a number in [0, 1] or none, got 2.0"),
        (["--json"], 2, "--json needs --dry-run"),
    ],
)
def test_dry_run_refuses_what_training_refuses(trained, tmp_path, arguments, code, message):
    done = process("train", *(trained if word == "RUN" else word for word in arguments), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["medium", "tutorial"])
def test_every_recipe_makes_steps(tmp_path, name):
    """On two images of 16x16; those of the papers take too much for every run of the tests."""
    images(tmp_path / "data", [(16, 16)] * 2)
    small = ["--size", 16, "--batch-size", 2]
    done = process("train", tmp_path / "data", "--preset", name, *small, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] == sum(parameter.numel() for parameter in preset(name).parameters())


@pytest.mark.parametrize(("name", "condition"), [("small", "variance"), ("ddpm-cifar10", "index")])
def test_a_trainer_has_the_condition_of_its_network(name, condition):
    options = resolve({"preset": name}, side=8, size=None)
    images = open_images("digits")
    network = network_config_of(options, images, None)
    trainer = build_trainer(network, images, None, None, World(), "cpu", options)
    assert trainer.options.condition == config_of(options, trainer, network).condition == condition
