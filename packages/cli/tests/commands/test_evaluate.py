"""diffkit evaluate: scores of samples and of the data itself, and the nearest images."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from diffkit_cli.reports.data_conditions import conditioning_of
from diffkit_trainer import ExportedNetwork, Images, load, open_images, read_metadata, save_images, split_dataset, write_export
from diffkit_trainer.evaluation import features
from PIL import Image

from ..helpers import keys, one_line


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Features are learned in 100 steps, which know nine digits of ten."""
    monkeypatch.setattr(features, "MIN_STEPS", 100)
    monkeypatch.setattr(features, "MAX_STEPS", 100)


@pytest.fixture(scope="module")
def digit_classes(with_classes, tmp_path_factory):
    """The network with classes, which are named as those of the data."""
    path = tmp_path_factory.mktemp("module") / "digits.safetensors"
    _, config, weights, _ = load(with_classes)
    data = config["data"] | {"classes": list("0123456789")}
    write_export(path, ExportedNetwork(weights, config | {"data": data}, 0, raw=False))
    return path


def test_an_untrained_network_is_far_from_the_data(with_classes, tmp_path, diffkit):
    options = ["-n", 60, "--steps", 2, "--out", tmp_path / "near.png"]
    code, out, _ = diffkit("evaluate", with_classes, "--json", *options)
    found = json.loads(out)
    assert code == 0
    assert (found["data"], found["images"], found["options"]["steps"]) == ({"name": "digits", "images": 1797}, 60, 2)
    assert found["features"]["kind"] == "classifier"
    assert found["features"]["quality"] > 0.9
    assert found["samples"]["fd"] > 2 * found["real"]["fd"]
    assert found["samples"]["kid"] > 5 * abs(found["real"]["kid"])
    assert found["samples"]["nearest_smallest"] > found["real"]["nearest_smallest"] > 0
    with Image.open(tmp_path / "near.png") as picture:
        assert picture.height == 6 * (66 + 16) + 2, "each image has its class as caption"
    assert read_metadata(tmp_path / "near.png")["command"] == "evaluate"


def test_the_samples_of_a_class_are_compared_with_the_data_of_it(digit_classes, diffkit):
    options = ["--class", "3", "--class", "5", "--guidance", 2, "-n", 200, "--steps", 1]
    code, out, said = diffkit("evaluate", digit_classes, "--json", *options)
    found = json.loads(out)
    assert code == 0
    assert (found["options"]["classes"], found["options"]["guidance"]) == (["3", "5"], 2.0)
    images = open_images("digits")
    compared = split_dataset(images).of_classes(images, [3, 5])
    assert found["images"] == len(compared.real) < 150
    assert f"-n 200 is more than the {found['images']} real images that are scored beside the samples" in said


def test_a_class_that_the_data_does_not_have_is_refused(with_classes, diffkit):
    code, _, said = diffkit("evaluate", with_classes, "--class", "digit3", "-n", 20, "--steps", 1)
    assert (code, one_line(said)[:52]) == (2, "diffkit: --class: digits has no class 'digit3': the ")
    assert diffkit("evaluate", with_classes, "--class", "none", "-n", 20, "--steps", 1)[0] == 0


def test_data_without_the_classes_of_the_run_is_told(digit_classes, tmp_path, diffkit):
    images = open_images("digits")
    save_images(images.pixels[images.labels == 3][:60], tmp_path / "threes")
    _, _, said = diffkit("evaluate", digit_classes, tmp_path / "threes", "--class", "3", "-n", 10, "--steps", 1)
    way_out = "it has no class folders; give the folder above it, or leave --class out to compare with all of it"
    assert one_line(said).endswith(f"{way_out}\n")
    _, _, said = diffkit("evaluate", digit_classes, tmp_path / "threes", "-n", 10, "--steps", 1)
    assert "warning: the samples are of all classes of the run, threes is not: give --class, or data with all of them" in said


def test_samples_nearest_to_held_out_images_are_called_that(blank, tmp_path, diffkit):
    images = open_images("digits")
    held = tmp_path / "held"
    save_images(images.pixels[:80], held)
    code, out, said = diffkit("evaluate", blank, held, "-n", 20, "--steps", 1, "--out", tmp_path / "near.png")
    assert (code, out.splitlines()[0]) == (0, f"{blank}@0, 1 step of ddim, eta 0")
    assert f"the samples nearest to an image of {held}, each above that image: {tmp_path / 'near.png'}" in said
    assert "training image" not in out + said
    assert "are copies" not in out
    assert "are copies" in diffkit("evaluate", blank, "-n", 20, "--steps", 1)[1]


def test_evaluate_prints_a_table(blank, diffkit):
    code, out, said = diffkit("evaluate", blank, "digits", "-n", 50, "--steps", 1)
    assert code == 0
    assert "warning: scores of 50 images scatter widely, use 200 or more" in said
    rows = [line.split() for line in out.splitlines()]
    samples, data = (next(row for row in rows if row[: len(name)] == name) for name in (["samples"], ["the", "data"]))
    assert samples[1:4] == data[2:5] == ["50", ":", "50"]
    assert "a small classifier trained on a part of the 1797 images" in " ".join(out.split())


def test_at_most_a_quarter_of_the_data_is_sampled_with_a_warning(blank, diffkit):
    code, out, said = diffkit("evaluate", blank, "digits", "-n", 450, "--steps", 1, "--json")
    assert (code, json.loads(out)["images"]) == (0, 449)
    assert (
        said == "warning: -n 450 is more than the 449 real images that are scored beside the samples: 449 samples are compared\n"
    )
    code, out, said = diffkit("evaluate", blank, "digits", "--steps", 1, "--json")
    assert (code, json.loads(out)["images"], said) == (0, 449, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-n", 1], 2, "-n must be an integer from 2 to 1000000, got 1"),
        (["--out", "near.jpg"], 2, "--out must end in .png, got near.jpg"),
        (["--features", "inception"], 2, "--features: inception must be a .pt file (TorchScript) or .onnx"),
        (["--features", "nowhere.pt"], 2, "--features: nowhere.pt: no such file"),
        (["--features", "text.pt"], 2, "--features: text.pt: cannot be read as TorchScript ("),
        (["--features", "net.onnx"], 2, "--features: net.onnx needs the package onnxruntime: pip install onnxruntime"),
        (["--class", "3"], 2, "--class needs a class-conditional network"),
        (["--sampler", "x"], 2, "--sampler must be one of"),
        (["nowhere"], 3, "nowhere: no such folder"),
        (["colour"], 3, "colour: its images are 8 x 8 with 3 channels, the samples are 8 x 8 with 1 channel:"),
        (["grey"], 3, "grey: too few images to compare with, expected at least 40, found 3"),
    ],
)
def test_an_invalid_command_is_refused_in_one_line(blank, tmp_path, monkeypatch, diffkit, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where it is not installed
    (tmp_path / "text.pt").write_text("no network")
    (tmp_path / "net.onnx").touch()
    for name, mode in (("colour", "RGB"), ("grey", "L")):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new(mode, (8, 8), i).save(tmp_path / name / f"{i}.png")
    ended, _, said = diffkit("evaluate", blank, *arguments)
    assert message in one_line(said)
    assert ended == code


def test_samples_of_a_run_with_conditions_are_given_those_of_the_data(tmp_path, diffkit):
    digits = open_images("digits")
    save_images(digits.pixels[:400], tmp_path / "images")
    words = ["--size", 8, "--steps", 2, "--batch-size", 8, "--preset", "tiny", *keys("held_out=0")]
    run = tmp_path / "run"
    assert diffkit("train", tmp_path / "images", "--given", tmp_path / "images", "--out", run, *words)[0] == 0
    code, out, said = diffkit("evaluate", run, "-n", 40, "--steps", 1, "--json")
    assert (code, json.loads(out)["images"]) == (0, 40), said
    code, _, said = diffkit("evaluate", run, "digits", "-n", 40)
    message = f"{run} is conditioned on given, which digits does not give: leave DATA out, for its training data"
    assert (code, message in said.splitlines()[-1]) == (2, True), said
    (tmp_path / "images" / "00000.png").unlink()
    code, _, said = diffkit("evaluate", run, "-n", 40)
    assert (code, "not the images and the given that" in said.splitlines()[-1]) == (2, True), said


def test_the_conditions_of_an_evaluation_are_those_of_the_rows_in_turn():
    images = Images(torch.zeros(5, 1, 2, 2), conditions={"age": torch.arange(5.0)})
    config = SimpleNamespace(num_classes=None, conditions={"age": SimpleNamespace(mean=[1.0], std=[2.0])})
    found = conditioning_of(images, config, torch.tensor([4, 1]), 3)
    assert (found.labels, found.conditions["age"].tolist()) == (None, [1.5, 0.0, 1.5])
