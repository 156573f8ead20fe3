"""A training with the linear part: resumed bit for bit, and its statistics in checkpoints and exports."""

import json
import shutil

import pytest
import torch
from diffkit_cli.networks import network_of
from diffkit_trainer import Normalisation, load, open_images
from diffkit_unet import LinearPreconditioner, gaussian_statistics

from ..helpers import TINY, keys, pixels, process

LINEAR = [*TINY, "--preset", "tiny", "--schedule", "cosine", *keys("linear=true", "loss=mse", "flip=true")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of six steps, saved at 4 and 6; nobody changes it."""
    run = tmp_path_factory.mktemp("linear") / "run"
    done = process("train", "--out", run, *LINEAR)
    assert done.returncode == 0, done.stderr
    return run


def test_resumed_run_is_the_same_bit_for_bit(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "6")
    done = process("train", "--resume", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    for name in ("model", "ema"):
        one, other = load(run, name).weights, load(tmp_path / "run", name).weights
        assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_config_names_the_linear_part_and_the_checkpoint_holds_its_statistics(run):
    config = json.loads((run / "config.json").read_text())
    assert config["training"]["linear"] is True
    assert {key: config["network"][key] for key in ("condition", "prediction", "path", "size")} == {
        "condition": "log_snr",
        "prediction": "v",
        "path": "vp",
        "size": [8, 8],
    }
    network, images = network_of(config["network"]), open_images("digits")
    assert isinstance(network, LinearPreconditioner)
    expected = gaussian_statistics([Normalisation.of(images).to_network(images.pixels)], flip=True)
    for name in ("model", "ema"):
        weights = load(run, name).weights
        torch.testing.assert_close(weights["mean"], expected.mean)
        torch.testing.assert_close(weights["log_spectrum"].exp(), expected.spectrum, rtol=1e-4, atol=1e-6)


def test_a_run_with_a_linear_part_is_described_sampled_and_exported(run, tmp_path, diffkit):
    code, out, _ = diffkit("info", run)
    assert (code, "prediction v, conditioned on the log_snr" in " ".join(out.split())) == (0, True)
    assert diffkit("export", run, "--out", tmp_path / "net.safetensors")[0] == 0
    for source, name in ((run, "run.png"), (tmp_path / "net.safetensors", "file.png")):
        assert diffkit("sample", source, "-n", 2, "--steps", 3, "--out", tmp_path / name)[0] == 0
    assert pixels(tmp_path / "run.png") == pixels(tmp_path / "file.png")
    assert diffkit("sample", run, "-n", 1, "--steps", 2, "--size", "6x11", "--out", tmp_path / "other.png")[0] == 0
    code, _, said = diffkit("export", run, "--format", "diffusers", "--out", tmp_path / "folder")
    assert (code, "has no equivalent in diffusers" in " ".join(said.split())) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--preset", "ddpm-cifar10", *keys("linear=true")], 2, "linear: the linear part needs a network whose condition is"),
        (["--resume", *keys("linear=false")], 2, "linear is true in the run to be resumed, got false"),
    ],
)
def test_options_that_do_not_fit_are_refused(run, tmp_path, diffkit, words, code, message):
    out = run if "--resume" in words else tmp_path / "new"
    found, _, said = diffkit("train", "--out", out, *words)
    assert (found, message in " ".join(said.split())) == (code, True)


def test_config_of_another_prediction_is_refused(run, tmp_path, diffkit):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"prediction": "x0"}))
    code, _, said = diffkit("info", tmp_path / "run")
    assert (code, "prediction: expected that of the network, 'v', found 'x0'" in " ".join(said.split())) == (4, True)
