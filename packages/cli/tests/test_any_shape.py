"""Sequences and volumes, conditions, and networks of one's own, from the command: train, resume, sample, export."""

import json
import sys

import numpy as np
import pytest
import torch
from diffkit_cli import open_run
from diffkit_cli.recipes import PRESETS
from diffkit_trainer import as_pixels, checkpoints, grid, read_metadata
from PIL import Image
from safetensors.torch import load_file

from .helpers import keys, one_line, process, refusal, size_of

FEW = ["--steps", 3, "--batch-size", 8, *keys("sample_every=3", "save_every=2")]

OWN = """
import torch
from torch import nn


class Own(nn.Module):
    condition = "time"

    def __init__(self, channels, kernel):
        super().__init__()
        self.layer = nn.Conv1d(3 * channels, channels, kernel, padding=kernel // 2)

    def forward(self, x, condition, class_labels=None, *, pitch, low):
        pitch = (pitch.nan_to_num().reshape(-1, 1, 1) + condition.reshape(-1, 1, 1)).expand_as(x)
        low = nn.functional.interpolate(low.nan_to_num(), x.shape[2:])
        return self.layer(torch.cat([x, pitch, low], 1))


def build(in_channels, num_classes, space, conditions):
    assert (space, conditions) == ([16], {"pitch": [], "low": [1, 8]})
    return Own(in_channels, 5)


def images_alone(in_channels, num_classes):
    return nn.Conv2d(in_channels, in_channels, 1)


def needy(in_channels, num_classes, space, conditions):
    return type("Needy", (Own,), {"forward": lambda self, x, level, mask, **more: x})(in_channels, 5)


number = 3


def shorter(in_channels, num_classes, space, conditions):
    return type("Shorter", (Own,), {"forward": lambda self, *x, **more: Own.forward(self, *x, **more)[..., 1:]})(in_channels, 5)


def nothing(in_channels, num_classes, space, conditions):
    return None
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sequences with a number and a map each, volumes, and a module of networks."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    pitch, time = random.uniform(1, 4, 40).astype("f4"), np.linspace(0, 1, 16)
    samples = np.sin(2 * np.pi * pitch[:, None] * time)[:, None].astype("f4")
    np.savez(folder / "tones.npz", samples=samples, pitch=pitch, low=samples[:, :, ::2])
    np.save(folder / "low.npy", samples[0, :, ::2])
    np.save(folder / "wrong.npy", samples[0])
    np.save(folder / "volumes.npy", random.standard_normal((20, 1, 4, 6, 5)).astype("f4"))
    (folder / "own_networks.py").write_text(OWN)
    return folder


@pytest.fixture(scope="module")
def tones(folder):
    """A run of three steps; nobody changes it."""
    done = process("train", folder / "tones.npz", "--columns", "pitch,low", "--out", folder / "run", *FEW)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_run_of_sequences_holds_their_shape_and_conditions(tones):
    config = json.loads((tones / "config.json").read_text())
    assert config["samples"] == {"channels": 1, "space": [16], "type": "float32"}
    assert {name: each["shape"] for name, each in config["conditions"].items()} == {"pitch": [], "low": [1, 8]}
    network = config["network"]
    assert (network["dims"], network["vectors"], network["maps"]) == (1, {"pitch": 1}, {"low": 1})
    assert (config["training"]["class_dropout"], config["training"]["linear"]) == (0.1, False)
    assert size_of(tones / "samples" / "00000003.png")[0] > 64


def test_samples_are_shown_in_a_png_and_are_arrays_in_a_folder_whatever_the_batch(tones, folder, tmp_path, diffkit):
    given = ["--condition", "pitch=1", "--condition", "pitch=3", "--condition", f"low={folder / 'low.npy'}", "--steps", 3]
    assert diffkit("sample", tones, "-n", 4, *given, "--out", tmp_path / "all.png")[0] == 0
    metadata = read_metadata(tmp_path / "all.png")
    assert metadata["conditions"] == ["pitch=1", "pitch=3", "low=low.npy"]
    assert list(metadata["condition_files"]) == ["low=low.npy"]
    for name, options in {"four": ["-n", 4], "three": ["-n", 4, "--batch-size", 3], "guided": ["-n", 4, "--guidance", 3]}.items():
        assert diffkit("sample", tones, *given, *options, "--out", tmp_path / name)[0] == 0
    four, three, guided = (
        np.stack([np.load(tmp_path / name / f"{i:05d}.npy") for i in range(4)]) for name in ("four", "three", "guided")
    )
    assert (four.shape, four.dtype) == ((4, 1, 16), np.float32)
    np.testing.assert_allclose(three, four, atol=1e-5)
    assert np.abs(guided - four).max() > 1e-4
    again = ["--seed", 1, "-n", 1, "--condition", "pitch=3", *given[4:]]
    assert diffkit("sample", tones, *again, "--out", tmp_path / "one")[0] == 0
    np.testing.assert_allclose(np.load(tmp_path / "one" / "00000.npy"), four[1], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "this run is conditioned on pitch, low: give --condition pitch=VALUE --condition low=VALUE"),
        (["pitch=2"], 2, "this run is conditioned on low: give --condition low=VALUE"),
        (["pitch=2", "hue=1", "h=1"], 2, "--condition: this run has no conditions 'hue', 'h': the conditions are pitch, low"),
        (["pitch=2", "given=low.npy"], 2, "--given: this run has no condition 'given': the conditions are pitch, low"),
        (["pitch=high", "low=low.npy"], 2, "--condition pitch must be a number, or none; got 'high'"),
        (["pitch=1,2", "low=low.npy"], 2, "--condition pitch must be a number, or none; got '1,2'"),
        (
            ["pitch=2", "low=wrong.npy", "low=a"],
            3,
            "wrong.npy: is 1 x 16, low is 1 x 8; --condition low: expected a file of 1 x 8,",
        ),
        (["pitch=nan", "low=wrong.npy"], 2, "--condition pitch must be a number, or none; got 'nan'; wrong.npy: is 1 x 16, low"),
        (["pitch"], 2, "--condition takes NAME=VALUE, got 'pitch'"),
    ],
)
def test_conditions_that_are_missing_or_do_not_fit_are_one_line(tones, folder, options, code, message, diffkit, monkeypatch):
    monkeypatch.chdir(folder)
    found, _, said = diffkit("sample", tones, *(word for option in options for word in ("--condition", option)))
    assert (found, message in one_line(said)) == (code, True), said


def test_a_missing_condition_is_none(tones, tmp_path, diffkit):
    none = ["--condition", "pitch=none", "--condition", "low=none"]
    assert diffkit("sample", tones, "-n", 1, *none, "--steps", 2, "--out", tmp_path / "a.png")[0] == 0


def test_a_preview_shows_the_conditions_of_its_samples(tones, folder):
    data, rows = np.load(folder / "tones.npz"), np.arange(16) * 40 // 16
    captions = [f"pitch={pitch:.3g}" for pitch in data["pitch"][rows]]
    low = grid(as_pixels(torch.from_numpy(data["low"][rows])), captions=captions)
    with Image.open(tones / "samples" / "00000003.png") as preview:
        assert preview.size == (3 * low.width + 2 * 8, 28 + low.height)
        assert preview.crop((0, 28, low.width, preview.height)).tobytes() == low.tobytes()


def test_python_gives_the_samples_of_the_command(tones, folder, tmp_path, diffkit):
    low = folder / "low.npy"
    words = ["--condition", "pitch=1", "--condition", "pitch=none", "--condition", f"low={low}", "-n", 2, "--steps", 2]
    assert diffkit("sample", tones, *words, "--out", tmp_path / "a")[0] == 0
    found = open_run(tones, device="cpu").sample(2, steps=2, conditions={"pitch": [1, None], "low": low})
    assert (found.pixels.shape, found[0].size) == ((2, 1, 16), (64, 64))
    assert np.array_equal(found.pixels, np.stack([np.load(tmp_path / "a" / f"0000{i}.npy") for i in range(2)]))
    assert found.grid() == grid(as_pixels(found.pixels), captions=["pitch=1", "pitch=none"])
    assert "<2 samples from " in repr(found)
    assert "length 16, 1 channel, conditions pitch, low, " in repr(open_run(tones, device="cpu"))


def test_columns_may_have_any_name_but_those_of_the_arguments_of_a_network(folder, tmp_path, diffkit):
    tones = dict(np.load(folder / "tones.npz"))
    np.savez(tmp_path / "tones.npz", x=tones["samples"], **dict.fromkeys(("prediction", "network", "condition"), tones["pitch"]))
    words = [tmp_path / "tones.npz", *FEW, "--columns"]
    assert diffkit("train", *words, "prediction,network", "--out", tmp_path / "run")[0] == 0
    given = ["--condition", "prediction=1", "--condition", "network=2", "--guidance", 2, "--steps", 2]
    assert diffkit("sample", tmp_path / "run", "-n", 1, *given, "--out", tmp_path / "a.png")[0] == 0
    code, _, said = diffkit("train", *words, "condition", "--out", tmp_path / "other")
    assert (code, "a condition cannot be called 'condition', as another argument" in said.splitlines()[-1]) == (2, True), said


def test_a_resumed_run_is_the_one_that_never_stopped(folder, tones, tmp_path, diffkit):
    words = ["--columns", "pitch,low", "--batch-size", 8, *keys("sample_every=99", "decay_steps=3", "warmup=0")]
    for name, steps in (("whole", [3]), ("half", [2, 3])):
        first, *more = steps
        assert diffkit("train", folder / "tones.npz", "--out", tmp_path / name, *words, "--steps", first)[0] == 0
        for step in more:
            assert diffkit("train", "--resume", "--out", tmp_path / name, "--steps", step)[0] == 0
    weights = [(tmp_path / name / "checkpoints" / "3" / "model.safetensors").read_bytes() for name in ("whole", "half")]
    assert weights[0] == weights[1]


def test_an_export_of_a_run_with_conditions_is_a_run(tones, folder, tmp_path, diffkit):
    assert diffkit("export", tones, "--out", tmp_path / "net.safetensors")[0] == 0
    given = ["-n", 1, "--condition", "pitch=2", "--condition", f"low={folder / 'low.npy'}", "--steps", 2]
    for name, run in (("a", tones), ("b", tmp_path / "net.safetensors")):
        assert diffkit("sample", run, *given, "--out", tmp_path / name)[0] == 0
    assert np.array_equal(*(np.load(tmp_path / name / "00000.npy") for name in "ab"))


def test_longer_sequences_fine_tune_a_run_with_its_conditions(folder, tones, tmp_path, diffkit):
    longer = {name: each if name == "pitch" else each.repeat(2, 2) for name, each in np.load(folder / "tones.npz").items()}
    np.savez(tmp_path / "longer.npz", **longer)
    words = ["--from", tones, "--out", tmp_path / "run", "--lr", 1e-30, "--steps", 1, *keys("warmup=0")]
    assert diffkit("train", tmp_path / "longer.npz", "--columns", "pitch,low", *words)[0] == 0
    before, after = (load_file(next(checkpoints(run))[1] / "ema.safetensors") for run in (tones, tmp_path / "run"))
    assert all(torch.allclose(after[name], value, rtol=0, atol=1e-20) for name, value in before.items())
    few = f"the network of {tones} is conditioned on pitch, low, the data has pitch: give the same by --columns and --given"
    other = f"{tones} takes samples 1 x 16, got 1 x 4 x 6 x 5: the axes differ"
    for data, more, message in (("tones.npz", ["--columns", "pitch"], few), ("volumes.npy", [], other)):
        code, _, said = diffkit("train", folder / data, *more, "--from", tones, "--out", tmp_path / "other")
        assert (code, message in said.splitlines()[-1]) == (2, True), said


def test_volumes_are_shown_as_slices(folder, tmp_path, diffkit):
    assert diffkit("train", folder / "volumes.npy", "--out", tmp_path / "run", *FEW)[0] == 0
    assert diffkit("sample", tmp_path / "run", "-n", 1, "--steps", 2, "--out", tmp_path / "a.png")[0] == 0
    assert size_of(tmp_path / "a.png") == (2 * 2 + 6 * 10, 2 * 2 + 6 * 12)  # four slices of 6 x 5 in a square, enlarged 6 times
    assert diffkit("sample", tmp_path / "run", "-n", 1, "--steps", 2, "--size", "2x6x7", "--out", tmp_path / "b")[0] == 0
    assert np.load(tmp_path / "b" / "00000.npy").shape == (1, 2, 6, 7)
    code, _, said = diffkit("sample", tmp_path / "run", "--init", tmp_path / "a.png")
    assert (code, "this run's samples are 1 x 4 x 6 x 5 numbers, not 8-bit images" in one_line(said)) == (2, True)


def test_a_network_of_ones_own_is_imported_only_where_it_is_given(folder, tmp_path):
    words = ["--columns", "pitch,low", "--network", "own_networks:build"]
    inside, run = {"cwd": folder}, tmp_path / "run"
    assert process("train", "tones.npz", "--out", run, *words, *FEW, **inside).returncode == 0
    given = ["-n", 1, "--condition", "pitch=2", "--condition", "low=low.npy", "--steps", 2, "--out", tmp_path / "a.png"]
    message = "network 'own_networks:build' is not installed: give it by --network own_networks:build"
    assert message in refusal(process("sample", run, *given, **inside), 4)
    assert process("sample", run, *given, "--network", "own_networks:build", **inside).returncode == 0
    assert "give it by --network own_networks:build" in refusal(process("train", "--resume", "--out", run, **inside), 4)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("images_alone", "takes no conditions, the data has pitch, low: its builder is called build(in_channels, num_classes, "),
        ("shorter", "the network's output must have the shape of x, (2, 1, 16), and be floating-point; got (2, 1, 15) of"),
        ("needy", "the network must be callable as network(x, condition, pitch=, low=): missing a required argument: 'mask'"),
        ("number", "network 'own_networks:number' must be a function of (in_channels, num_classes), got int"),
        ("nothing", "must be a torch.nn.Module, got NoneType"),
        ("missing", "cannot be imported from 'own_networks:missing': AttributeError: module 'own_networks' has no attribute"),
    ],
)
def test_a_network_that_does_not_fit_is_one_line_before_the_first_step(folder, tmp_path, network, message, diffkit, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setitem(PRESETS.__dict__, "_entries", dict(PRESETS._entries))  # not for the other tests of this process
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["--columns", "pitch,low", "--network", f"own_networks:{network}", "--out", tmp_path / "run"]
    code, _, said = diffkit("train", "tones.npz", *words, *FEW)
    assert (code, message in said.splitlines()[-1]) == (2, True), said
    assert not (tmp_path / "run" / "checkpoints").exists()
