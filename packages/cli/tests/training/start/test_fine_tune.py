"""A new run from a trained network: what it takes over, and what it refuses."""

import json
import re
import shutil

import pytest
import torch
from diffkit_trainer import load, read_config
from PIL import Image

from ...helpers import TINY, keys, process, refusal, what_it_is


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A folder of grey images."""
    folder = tmp_path_factory.mktemp("grey")
    for i in range(5):
        Image.new("L", (9, 12), 50 * i).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def sources(mapped, tmp_path_factory):
    """The same network in a run, an exported file, and an imported pipeline."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "run").symlink_to(mapped)
    assert process("export", "run", "--out", "file.safetensors", cwd=folder).returncode == 0
    assert process("export", "run", "--out", "pipeline", "--format", "diffusers", cwd=folder).returncode == 0
    done = process("import", "pipeline", "--out", "imported", cwd=folder)
    assert "Fine-tune with: diffkit train DATA --from imported\n" in done.stderr
    return folder


@pytest.mark.parametrize("name", ["run", "file.safetensors", "imported"])
def test_a_network_is_taken_over_with_what_belongs_to_it(sources, grey, tmp_path, name):
    """At a learning rate of almost 0 the weights stay those of the source."""
    run, source = tmp_path / "run", sources / name
    still = ["--lr", 1e-30, "--no-classes", "--batch-size", 8, "--steps", 1, *keys("warmup=0")]
    done = process("train", grey, "--from", source, "--out", run, *still)
    assert done.returncode == 0, done.stderr
    line = f"fine-tuning {source}, step 0: its network, schedule, prediction and normalisation; a new optimiser\n"
    assert line in done.stderr
    assert "5 images of 8x8, 1 channel" in done.stderr, "the size of the network's images"
    now, before = load(run), load(sources / "run")
    for found in (now, load(run, "model")):
        assert all(torch.allclose(value, found.weights[key], rtol=0, atol=1e-20) for key, value in before.weights.items())
    config = read_config(source if source.is_dir() else sources / "run")
    for key in ("network", "schedule", "prediction", "condition", "normalisation"):
        assert now.config[key] == config[key]
    assert now.config["data"]["source"] == str(grey)
    origin = now.config["fine_tuned_from"]
    assert (origin["run"], origin["step"], len(origin["weights"])) == (str(source.resolve()), 0, 16)
    assert ("imported" in now.config) == (name == "imported")
    assert process("sample", run, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png").returncode == 0


def test_a_fine_tuned_run_has_the_options_of_its_source_and_is_resumed_exactly(trained, tmp_path):
    straight, parts = tmp_path / "straight", tmp_path / "parts"
    few = keys("save_every=3", "log_every=1")
    for run, steps in ((straight, 5), (parts, 3)):
        done = process("train", "digits", "--from", trained, "--out", run, "--lr", 1e-4, "--steps", steps, *few)
        assert done.returncode == 0, done.stderr
    assert process("train", "--resume", "--out", parts, "--steps", 5).returncode == 0
    assert what_it_is(parts) == what_it_is(straight)
    before, now = (json.loads((run / "config.json").read_text())["training"] for run in (trained, parts))
    assert now == before | {"lr": 1e-4, "steps": 5, "save_every": 3, "log_every": 1, "sample_every": 1000, "size": 8}


def test_frozen_parameters_stay_those_of_the_source_and_the_run_is_resumed_exactly(trained, tmp_path):
    for run, steps in (("straight", [3]), ("parts", [1, 3])):
        words = ["digits", "--from", trained, "--out", tmp_path / run, *keys("freeze=down.*,*.bias", "held_out=0")]
        done = process("train", *words, "--steps", steps[0])
        assert done.returncode == 0, done.stderr
        assert re.search(r"^frozen: [\d,]+ of [\d,]+ parameters$", done.stderr, re.MULTILINE)
        for step in steps[1:]:
            assert process("train", "--resume", "--out", tmp_path / run, "--steps", step).returncode == 0
    assert what_it_is(tmp_path / "parts")[1] == what_it_is(tmp_path / "straight")[1]
    before = load(trained).weights
    for file in ("model", "ema"):
        now = load(tmp_path / "parts", file).weights
        same = {name for name, value in now.items() if torch.equal(value, before[name])}
        parameters = {name for name in before if name.endswith((".weight", ".bias"))}
        assert same & parameters == {name for name in parameters if name.startswith("down.") or name.endswith(".bias")}


def test_a_fine_tuned_run_without_a_checkpoint_is_started_again(trained, tmp_path):
    run = tmp_path / "run"
    command = ["train", "digits", "--from", trained, "--out", run, *TINY]
    assert process(*command).returncode == 0
    shutil.rmtree(run / "checkpoints")
    (run / "log.jsonl").unlink()
    line = refusal(process("train", "--resume", "--out", run), 4)
    assert f"has no checkpoint: start it again: diffkit train digits --from {trained} --out {run}" in line
    assert process(*command).returncode == 0


REFUSED = {
    "train GREY --from run --resume": (2, "--from starts a new run, --resume continues one"),
    "train --from run": (2, "--from needs DATA: the images to fine-tune the network on"),
    "train GREY --from nowhere": (4, "nowhere: no such run folder"),
    "train COLOUR --from run": (2, "the images have 3 channels, the network of run 1: convert the images"),
    "train GREY --from run --classes": (2, "the network of run takes no classes: leave --classes and class_dropout out"),
    "train GREY --from classes": (2, "the images have 0 classes, the network of classes 10: give images in as many subfolders"),
    "train digits --from classes --no-classes": (2, "the network of classes takes classes: leave --no-classes out"),
    "train digits --from run --prediction v": (2, "prediction is 'eps' in run, got 'v': leave it out, for --from takes over"),
    "train digits --from run --set normalise=data": (2, "normalise is 'range' in run, got 'data'"),
    "train digits --from trained --set freeze=dwon.*,up.*": (2, "freeze: no parameter has a name like 'dwon.*': "),
    "train digits --from trained --set freeze=*": (2, "freeze: '*' leaves no parameter to train"),
    "train --resume --out trained --set freeze=up.*": (2, "freeze is none in the run to be resumed, got up.*"),
    "train --resume --out imported": (4, "cannot be resumed; fine-tune it: diffkit train DATA --from imported --out NEW"),
    "train GREY --resume --out trained": (2, "fine-tune it: diffkit train GREY --from trained --out NEW"),
    "train --resume --out trained --batch-size 5": (
        2,
        "batch_size is 8 in the run to be resumed, got 5: leave it out, or fine-tune it: diffkit train digits --from trained",
    ),
}
"""The words of a command, its exit code, and a part of its last line."""


@pytest.fixture(scope="module")
def place(sources, trained, with_classes, grey, tmp_path_factory):
    """A folder with all of them."""
    folder = tmp_path_factory.mktemp("place")
    places = {"run": sources / "run", "imported": sources / "imported", "trained": trained, "classes": with_classes, "GREY": grey}
    for name, path in places.items():
        (folder / name).symlink_to(path)
    (folder / "COLOUR").mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "COLOUR" / "red.png")
    return folder


@pytest.mark.parametrize("command", REFUSED)
def test_what_does_not_fit_is_refused_with_the_way_out(place, monkeypatch, diffkit, command):
    code, message = REFUSED[command]
    monkeypatch.chdir(place)
    ended, _, said = diffkit(*command.split())
    assert message in said.splitlines()[-1]
    assert ended == code
    assert not (place / "runs").exists()
