"""Data with classes: the network learns them, unless it must not or cannot; samples are of each class in turn."""

import json

import pytest
from diffkit_cli.training.start.classes import with_classes
from diffkit_cli.training.start.resolve import resolve
from diffkit_trainer import Images, open_images, read_metadata

from ...helpers import TINY, images, keys, one_line, process, refusal

FEW = [*TINY[1:], "--size", 8]
"""Without --no-classes."""


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Three classes of two images; nobody changes it."""
    folder = tmp_path_factory.mktemp("module") / "flowers"
    for name in ("rose", "daisy", "tulip"):
        images(folder / name, [(8, 8)] * 2)
    return folder


@pytest.fixture(scope="module")
def run(flowers, tmp_path_factory):
    """A run of six steps on them, and its stderr; nobody changes it."""
    folder = tmp_path_factory.mktemp("module") / "run"
    done = process("train", flowers, "--out", folder, *FEW)
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


def training(run):
    return json.loads((run / "config.json").read_text())["training"]


def test_classes_are_learned_and_sampled_in_turn(run, tmp_path):
    folder, said = run
    assert "3 classes found: daisy, rose, tulip\n" in said
    assert training(folder)["class_dropout"] == 0.1
    assert process("sample", folder, "-n", 4, "--steps", 1, "--guidance", 2, "--out", tmp_path / "images").returncode == 0
    named = [read_metadata(tmp_path / "images" / f"0000{i}.png")["classes"] for i in range(4)]
    assert named == [["daisy"], ["rose"], ["tulip"], ["daisy"]]
    assert process("train", "--resume", "--classes", "--out", folder, "--steps", 6, "--dry-run").returncode == 0
    assert "class_dropout is 0.1 in the run to be resumed, got none: leave it out" in one_line(
        process("train", "--resume", "--no-classes", "--out", folder).stderr
    )


def test_classes_can_be_left_out(flowers, tmp_path):
    done = process("train", flowers, "--no-classes", "--out", tmp_path / "run", *FEW)
    assert (done.returncode, "3 classes found, not used: daisy, rose, tulip\n" in done.stderr) == (0, True)
    assert training(tmp_path / "run")["class_dropout"] is None
    again = process("train", "--resume", "--out", tmp_path / "run", "--steps", 7)
    assert again.returncode == 0, again.stderr
    assert training(tmp_path / "run")["class_dropout"] is None


@pytest.mark.parametrize(
    ("words", "unused", "dropout", "classes"),
    [
        ([], ", not used (--given conditions the network, --classes trains with them too)", 0.1, None),
        (["--classes"], "", 0.1, 3),
        (["--no-classes", "--preset", "tutorial"], ", not used", None, None),
    ],
)
def test_pairs_condition_the_network_without_classes_unless_these_are_given(flowers, tmp_path, words, unused, dropout, classes):
    run, pairs = tmp_path / "run", [flowers, "--given", flowers]
    done = process("train", *pairs, *FEW, *words, "--out", run)
    assert (done.returncode, f"3 classes found{unused}: " in done.stderr) == (0, True), done.stderr
    network = json.loads((run / "config.json").read_text())["network"]
    assert (training(run)["class_dropout"], network["num_classes"]) == (dropout, classes)
    assert process("train", "--resume", "--out", run, "--steps", 7).returncode == 0
    if not words:
        done = process("train", *pairs, "--from", run, "--out", tmp_path / "tuned", "--steps", 2)
        assert (done.returncode, training(tmp_path / "tuned")["class_dropout"]) == (0, 0.1), done.stderr


def test_classes_without_a_null_class_are_sampled_but_not_guided(flowers, tmp_path):
    run, sampling = tmp_path / "run", ["sample", tmp_path / "run", "-n", 3, "--steps", 1, "--out", tmp_path / "a.png"]
    assert process("train", flowers, "--classes", "--out", run, *FEW, *keys("class_dropout=0")).returncode == 0
    assert process(*sampling).returncode == 0
    assert "which this run has not learned (class_dropout 0): leave it out" in refusal(process(*sampling, "--guidance", 2), 2)
    assert "which this run has not learned (class_dropout 0): give a class" in refusal(process(*sampling, "--class", "none"), 2)


@pytest.mark.parametrize(
    ("flag", "dropout"),
    [("--no-classes", "0.2"), ("--no-classes", "0.0"), ("--classes", "none")],
    ids=lambda word: word.strip("-"),
)
def test_contradictions_are_refused(diffkit, tmp_path, flag, dropout):
    code, _, said = diffkit("train", flag, *keys(f"class_dropout={dropout}"), "--out", tmp_path / "run")
    assert (code, f"{flag} and --set class_dropout={dropout} contradict each other: leave one of them out" in one_line(said)) == (
        2,
        True,
    )


def test_a_flag_overrides_the_file_and_keeps_its_fraction(diffkit, tmp_path, flowers):
    file = tmp_path / "a.toml"
    file.write_text("class_dropout = 0.3\n")
    for flags, expected in ((["--classes"], 0.3), (["--no-classes"], None), ([], 0.3), (keys("class_dropout=0.2"), 0.2)):
        answer = diffkit("train", flowers, "--config", file, *flags, *FEW, "--dry-run", "--json", "--out", tmp_path / "run")[1]
        assert json.loads(answer)["config"]["class_dropout"] == expected


def chosen(images, **given):
    options, reason = with_classes(resolve(given, side=8, size=None), given, images)
    return options.class_dropout, reason


def test_classes_follow_from_the_recipe_and_the_data():
    digits = open_images("digits")
    one = Images(digits.pixels, digits.labels * 0, ("0",))
    assert chosen(digits) == (0.1, "")
    assert chosen(digits, class_dropout=None) == chosen(one) == chosen(Images(digits.pixels)) == (None, "")
    assert chosen(one, class_dropout=0.2) == (0.2, "")
    for preset in ("ddpm-64", "ddpm-cifar10", "tutorial"):
        assert chosen(digits, preset=preset) == (None, f"preset {preset} is unconditional, --classes trains with them")
    assert chosen(digits, preset="ddpm-64", class_dropout=0.1) == (0.1, "")


NETWORKS = """
from torch import nn


class Plain(nn.Module):
    condition, num_classes = "time", None

    def __init__(self, in_channels, num_classes=None):
        super().__init__()
        self.layer = nn.Conv2d(in_channels, in_channels, 1)

    def forward(self, x, level):
        return self.layer(x)


class Labelled(Plain):
    null_class = False

    def __init__(self, in_channels, num_classes=None):
        super().__init__(in_channels)
        self.num_classes = num_classes
        self.classes = nn.Embedding(num_classes or 1, in_channels)

    def forward(self, x, level, class_labels):
        return self.layer(x) + self.classes(class_labels)[:, :, None, None]
"""


@pytest.mark.parametrize(
    ("preset", "options", "code", "said"),
    [
        ("plain", [], 0, "3 classes found, not used (the network of preset plain takes none): daisy, rose, tulip"),
        ("plain", ["--classes"], 2, "diffkit: the network of preset plain takes none: leave --classes and class_dropout out"),
        ("labelled", [], 0, "3 classes found: daisy, rose, tulip"),
    ],
)
def test_a_network_of_another_distribution_gets_the_classes_it_takes(flowers, tmp_path, monkeypatch, preset, options, code, said):
    metadata = tmp_path / "parts" / "networks-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: networks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[diffkit.networks]\nplain = networks:Plain\nlabelled = networks:Labelled\n")
    (metadata.parent / "networks.py").write_text(NETWORKS)
    monkeypatch.setenv("PYTHONPATH", str(metadata.parent), prepend=":")
    done = process("train", flowers, *FEW, "--preset", preset, *options, "--out", tmp_path / "run", *keys("sample_every=6"))
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "warning" not in done.stderr
