"""A run's own options of sampling: stored by its recipe, used unless others are given, and recorded in each image."""

import json
import shutil

import pytest
from diffkit_trainer import read_metadata
from diffkit_trainer.figures.metadata import png_info
from PIL import Image

from ..helpers import TINY, keys, near, pixels, process

OWN = {"sampler": "dpmpp_2m", "spacing": "karras_160", "start": "gaussian", "guidance": 1.5}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run by the recipe for photographs, with classes, saved at 4 and 6; nobody changes it."""
    run = tmp_path_factory.mktemp("own") / "run"
    done = process("train", "--out", run, *TINY, "--classes", "--preset", "images-64")
    assert done.returncode == 0, done.stderr
    return run


def config_of(run):
    return json.loads((run / "config.json").read_text())


def changed(run, folder, **changes):
    """A copy of the run with another config.json."""
    shutil.copytree(run, folder)
    document = {key: value for key, value in (config_of(run) | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def sampled(diffkit, run, out, *options):
    code, _, said = diffkit("sample", run, "-n", 3, "--steps", 4, "--out", out, *options)
    assert code == 0, said
    return pixels(out)


def test_the_recipes_options_are_stored(run, trained):
    assert config_of(run)["sampling"] == OWN
    assert "sampling" not in config_of(trained)
    network = config_of(run)["network"]
    assert (network["num_classes"], network["network"]["patch"], network["network"]["in_channels"]) == (10, 2, 2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["linear=false", "class_dropout=0.1"], OWN | {"start": "noise"}),
        (["class_dropout=0"], OWN | {"guidance": 1.0}),
        (["class_dropout=none"], OWN | {"guidance": 1.0}),
    ],
)
def test_what_the_training_does_not_have_is_not_stored(options, expected, tmp_path):
    words = ["--preset", "images-64", "--steps", 1, "--batch-size", 2, *keys("sample_every=9", *options)]
    done = process("train", "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    assert config_of(tmp_path / "run")["sampling"] == expected


def test_they_are_used_unless_others_are_given(run, tmp_path, diffkit):
    one = sampled(diffkit, run, tmp_path / "own", "--class", 3)
    note = read_metadata(tmp_path / "own" / "00000.png")
    assert {name: note[name] for name in OWN} == OWN
    words = ["--sampler", "dpmpp_2m", "--spacing", "karras_160", "--guidance", 1.5]
    assert sampled(diffkit, run, tmp_path / "said", "--class", 3, *words) == one
    assert sampled(diffkit, run, tmp_path / "other", "--class", 3, "--spacing", "uniform") != one
    code, _, said = diffkit(
        "sample", run, "--steps", 3, "--sampler", "ddim", "--guidance", 1, "--class", 3, "--out", tmp_path / "x.png"
    )
    assert (code, "3 steps of ddim, eta 0, karras_160 spacing, seed 0" in " ".join(said.split())) == (0, True)
    for classes, guidance in ((["--class", "none"], 1.0), ([], 1.5)):
        sampled(diffkit, run, tmp_path / str(guidance), *classes)
        assert read_metadata(tmp_path / str(guidance) / "00000.png")["guidance"] == guidance


def test_an_image_depends_on_its_seed_alone(run, tmp_path, diffkit):
    together = sampled(diffkit, run, tmp_path / "together", "--class", 1)
    assert near(sampled(diffkit, run, tmp_path / "alone", "--class", 1, "--batch-size", 1), together)
    assert near(sampled(diffkit, run, tmp_path / "last", "--class", 1, "--seed", 2)[:1], together[2:])


def test_like_reproduces_images_from_before_and_after(run, tmp_path, diffkit):
    """An image that names no start was generated from noise."""
    one = sampled(diffkit, run, tmp_path / "one", "--class", 1)
    path = tmp_path / "one" / "00000.png"
    assert diffkit("sample", run, "--like", path, "--out", tmp_path / "again.png")[0] == 0
    assert near(pixels(tmp_path / "again.png"), one[:1])
    note = read_metadata(path)
    del note["start"]
    with Image.open(path) as image:
        image.save(tmp_path / "old.png", pnginfo=png_info(note))
    assert diffkit("sample", run, "--like", tmp_path / "old.png", "--out", tmp_path / "noise.png")[0] == 0
    assert read_metadata(tmp_path / "noise.png")["start"] == "noise"
    without = changed(run, tmp_path / "run", sampling=None)
    words = ["--sampler", "dpmpp_2m", "--spacing", "karras_160", "--guidance", 1.5, "--class", 1]
    assert near(sampled(diffkit, without, tmp_path / "plain", *words)[:1], pixels(tmp_path / "noise.png"))
    assert pixels(tmp_path / "noise.png") != one[:1], "by a level or two: at 8x8 the Gaussian is almost noise"


@pytest.mark.parametrize("sampling", [None, OWN | {"sampler": "heun"}])
def test_a_resumed_run_keeps_its_own(run, sampling, tmp_path):
    other = changed(run, tmp_path / "run", sampling=sampling)
    shutil.rmtree(other / "checkpoints" / "6")
    done = process("train", "--resume", "--out", other, *keys("sample_every=1000"))
    assert done.returncode == 0, done.stderr
    assert config_of(other).get("sampling") == sampling


def test_other_commands_use_them(run, tmp_path, diffkit):
    for command, option in (("steps", "--steps"), ("interpolate", "--columns")):
        out = tmp_path / f"{command}.png"
        assert diffkit(command, run, option, 2, "--out", out)[0] == 0
        assert read_metadata(out)["spacing"] == "karras_160"
    code, out, _ = diffkit("evaluate", run, "-n", 8, "--steps", 2, "--json")
    found = json.loads(out)["options"]
    assert (code, {name: found[name] for name in OWN}) == (0, OWN)


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"sampler": "zzz"}, "sampler: expected one of ddim, ddpm"),
        ({"spacing": "zzz"}, "spacing: expected one of uniform"),
        ({"start": "zzz"}, "'zzz'"),
        ({"guidance": "x"}, "guidance"),
    ],
)
def test_invalid_ones_are_refused(run, sampling, message, tmp_path, diffkit):
    other = changed(run, tmp_path / "run", sampling=sampling)
    code, _, said = diffkit("info", other)
    assert (code, message in " ".join(said.split()), said.count("\n")) == (4, True, 1)


def test_a_gaussian_start_needs_the_linear_part(run, trained, tmp_path, diffkit):
    code, _, said = diffkit("info", changed(trained, tmp_path / "run", sampling=OWN))
    assert (code, "'gaussian' is for a network with a linear part" in " ".join(said.split())) == (4, True)
    sampled(diffkit, run, tmp_path / "one", "--class", 1)
    code, _, said = diffkit("sample", trained, "--like", tmp_path / "one" / "00000.png", "--out", tmp_path / "a.png")
    assert code == 2
    assert "Traceback" not in said
