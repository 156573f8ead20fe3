"""The same names without the distribution: each is refused by name, and nothing is imported because a run names it."""

import importlib.metadata
import importlib.util

import pytest


def test_this_environment_is_without_the_distribution():
    assert importlib.util.find_spec("example_plugin") is None
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("diffkit-example-plugin")


@pytest.mark.parametrize(
    "options",
    [("--preset", "example-convolutions"), ("--schedule", "example_quadratic"), ("--set", "log_to=example-csv")],
    ids=["preset", "schedule", "logger"],
)
def test_training_refuses_the_name(options, diffkit, tmp_path):
    refused = diffkit("train", *options, "--steps", "1", "--out", tmp_path / "run")
    assert refused.returncode == 2
    assert options[1].rpartition("=")[2] in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "run").exists()


def test_sampling_refuses_the_name(diffkit, tmp_path):
    refused = diffkit("sample", "--sampler", "example_midpoint", "--out", tmp_path / "grid.png")
    assert refused.returncode == 2
    assert "example_midpoint" in refused.stderr
    assert not (tmp_path / "grid.png").exists()


def test_a_run_with_the_names_is_refused_by_name(run_folder, diffkit, tmp_path):
    assert run_folder.is_dir(), "test_installed.py trains it first"
    refused = diffkit("sample", run_folder, "--out", tmp_path / "grid.png")
    assert refused.returncode == 4
    assert "example-convolutions" in refused.stderr or "example_quadratic" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_info_says_what_the_run_needs(run_folder, diffkit):
    shown = diffkit("info", run_folder)
    assert shown.returncode == 0
    assert "diffkit-example-plugin 1." in shown.stdout
