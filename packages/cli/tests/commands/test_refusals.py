"""Refusals of every command that its own tests do not have: the exit code, one line, and no new files."""

import shutil
import struct

import pytest
from diffkit_trainer import ExportedNetwork, load, write_export
from diffkit_unet import UNet
from PIL import Image

from ..helpers import one_line, process, refusal

HEAD = struct.pack(">IIII", 0x803, 4, 10, 12)


@pytest.fixture(scope="module")
def place(blank, tmp_path_factory):
    """A folder of what commands are given by mistake; nothing is added to it."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "run").symlink_to(blank)
    (folder / "text.txt").write_text("neither image nor network")
    (folder / "taken").touch()
    (folder / "net.onnx").write_bytes(b"\x08\x0a")
    Image.new("L", (8, 8), 200).save(folder / "picture.png")
    for name in ("empty", "texts", "no-config", "damaged", "unsaved", "cut", "gzipped", "two", "folder.png"):
        (folder / name).mkdir()
    (folder / "texts" / "a.txt").write_text("no image")
    (folder / "no-config" / "log.jsonl").touch()
    (folder / "damaged" / "config.json").write_text("{}")
    shutil.copy(blank / "config.json", folder / "unsaved")
    (folder / "cut" / "train-images-idx3-ubyte").write_bytes(HEAD + bytes(100))
    (folder / "gzipped" / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b and no more")
    for name in ("a", "b"):
        (folder / "two" / f"{name}-images-idx3-ubyte").write_bytes(HEAD + bytes(480))
    _, config, weights, _ = load(blank)
    large = weights | {"image.bias": weights["image.bias"] + 1e5}
    unknown = config["data"] | {"source": ""}
    always = UNet(1, widths=(8, 16), block_depth=1, num_classes=2, null_class=False)
    both = UNet(1, widths=(8, 16), block_depth=1, num_classes=2)
    learned = {"network": both.to_config()}
    for name, written, changes in (
        ("clip", weights, {"clip_x0": -1}),
        ("large", large, {}),
        ("unknown", weights, {"data": unknown}),
        ("always", always.state_dict(), {"network": always.to_config()}),
        ("zero", both.state_dict(), learned | {"training": config["training"] | {"class_dropout": 0.0}}),
        ("one", both.state_dict(), learned | {"training": config["training"] | {"class_dropout": 1.0}}),
    ):
        write_export(folder / f"{name}.safetensors", ExportedNetwork(written, config | changes, 0, raw=False))
    return folder


DEVICE = "device must be auto, cpu, cuda, cuda:1, mps ...; got 'gpu'"
SEEDS = "--seed must be an integer from 0 to 9223372036854775807, got"

REFUSED = {
    # options
    "sample run --device gpu": (2, DEVICE),
    "sample run --eta nan": (2, "--eta must be a number in [0, 1], got nan"),
    "sample run --seed 9223372036854775807": (2, "--seed must be at most 9223372036854775792 for 16 images, got"),
    "sample run -n 1000001": (2, "-n must be an integer from 1 to 1000000, got 1000001"),
    "sample run --raw=yes": (2, "--raw"),
    "generate run": (2, "no command 'generate': use sample"),
    "sample run@3 --step 0": (2, "--step 0: run@3 has another step: leave one of them out"),
    "sample run run": (2, "Got unexpected extra argument"),
    "sample always.safetensors --class none": (2, "a null class, which this run does not have: give a class by --class"),
    "sample always.safetensors --class 0 --guidance 2": (2, "--guidance needs a null class, which this run does not have"),
    "sample zero.safetensors --class none": (2, "a null class, which this run has not learned (class_dropout 0): give a class"),
    "sample zero.safetensors --class 0 --class none": (2, "a null class, which this run has not learned (class_dropout 0)"),
    "sample zero.safetensors --guidance 2": (
        2,
        "--guidance needs a null class, which this run has not learned (class_dropout 0)",
    ),
    "sample one.safetensors --class 0": (2, "--class: this run has learned no class (class_dropout 1): use --class none"),
    "sample one.safetensors --guidance 2": (2, "--guidance 2 needs a class: give one by --class"),
    "steps run --device gpu": (2, DEVICE),
    "sample run --steps x": (2, "--steps must be an integer from 1 to 1000000, got 'x'"),
    "sample run --steps 3.5": (2, "--steps must be an integer from 1 to 1000000, got '3.5'"),
    "sample run --eta high": (2, "--eta must be a number in [0, 1], got 'high'"),
    "sample run --out=": (2, "--out is empty: give it a value (is a shell variable not set?)"),
    "sample run --nothing": (2, "no option --nothing; see diffkit sample --help"),
    "steps run -n 0": (2, "-n must be an integer from 1 to 1000000, got 0"),
    "steps run --seed -1": (2, f"{SEEDS} -1"),
    "steps run --eta 2": (2, "--eta must be a number in [0, 1]"),
    "steps run --size 0x8": (2, "--size must be N or HEIGHTxWIDTH, each from 1 to 4096, got '0x8'"),
    "steps run --spacing even": (2, "--spacing must be one of uniform, leading"),
    f"steps run --steps {'1,' * 50}1": (2, "--steps must be at most 50 numbers such as 1,2,5,20, got '1,1,"),
    "interpolate run --device gpu": (2, DEVICE),
    "interpolate run --rows 0": (2, "--rows must be an integer from 1 to 1000000, got 0"),
    "interpolate run --seed -1": (2, f"{SEEDS} -1"),
    "interpolate run --size 0": (2, "got '0'"),
    "interpolate run --spacing even": (2, "--spacing must be one of uniform, leading"),
    "interpolate run --to picture.png": (2, "--from and --to are given together, got picture.png only"),
    "interpolate run --from picture.png --to picture.png --rows 3 --seed 9": (
        2,
        "--from and --to replace the noises: leave out --rows --seed",
    ),
    "inpaint run picture.png --mask picture.png --device gpu": (2, DEVICE),
    "inpaint run picture.png --mask picture.png --seed -1": (2, f"{SEEDS} -1"),
    "inpaint run picture.png --mask picture.png --steps 0": (2, "--steps must be an integer from 1 to 1000000, got 0"),
    "inpaint run picture.png --mask picture.png --eta -1": (2, "--eta must be a number in [0, 1]"),
    "inpaint run picture.png --mask picture.png --rounds 0": (2, "--rounds must be an integer from 1 to 1000000, got 0"),
    "inpaint run --mask picture.png": (2, "IMAGE"),
    "evaluate run --device gpu": (2, DEVICE),
    "evaluate run --seed -1": (2, f"{SEEDS} -1"),
    "evaluate run --steps 0": (2, "--steps must be an integer from 1 to 1000000, got 0"),
    "evaluate unknown.safetensors": (2, "unknown.safetensors does not name its training data: give DATA"),
    "schedules --points 10002": (2, "--points must be an integer from 2 to 10001, got '10002'"),
    "schedules --points many": (2, "--points must be an integer from 2 to 10001, got 'many'"),
    "doctor": (2, "DATA"),
    "doctor digits --size 4097": (2, "--size must be an integer from 1 to 4096 or HEIGHTxWIDTH or none, got 4097"),
    "export run": (2, "--out"),
    "import run": (2, "--out"),
    "import --out new": (2, "FOLDER"),
    "train --device meta": (2, "device meta cannot be used here ("),
    "train --set": (2, "--set"),
    "train --set nonsense": (2, "--set takes KEY=VALUE, got 'nonsense'"),
    "train --set flip=1": (2, "--set: flip must be true or false, got '1'"),
    "train --preset huge": (2, "--preset must be one of tutorial, small, tiny, medium"),
    "train --prediction noise": (2, "--prediction must be one of eps, x0, v, flow, got 'noise'"),
    "train --lr 1e40": (2, "--lr must be a number above 0, at most 1e+30, got 1e+40"),
    "train --lr -1": (2, "--lr must be a number above 0, at most 1e+30, got -1.0"),
    "train --ema 1": (2, "--ema must be a number in [0, 1), or several of them, got 1.0"),
    "train --size 5000": (2, "--size must be an integer from 1 to 4096 or HEIGHTxWIDTH or none, got 5000"),
    "train --batch-size 0": (2, "--batch-size must be an integer from 1 to 65536, got 0"),
    "train --seed -1": (2, "--seed must be an integer from 0 to"),
    "train digits digits": (2, "Got unexpected extra argument"),
    # images
    "sample run --init nowhere.png": (3, "nowhere.png: no such file"),
    "interpolate run --from picture.png --to text.txt": (3, "text.txt: not an image"),
    "info text.txt": (3, "text.txt: not an image; expected an image that diffkit wrote"),
    "evaluate run empty": (3, "empty: the folder is empty"),
    "evaluate run texts": (3, "texts: no images in this folder or below it"),
    "doctor text.txt": (3, "text.txt: is a file, not a folder"),
    "doctor cut": (3, "cut/train-images-idx3-ubyte: the data of this IDX file is wrong: found 100 bytes, expected 480 bytes"),
    "train text.txt": (3, "text.txt: is a file, not a folder"),
    "train cut": (3, "cut/train-images-idx3-ubyte: the data of this IDX file is wrong: found 100 bytes, expected 480 bytes"),
    "train gzipped": (3, "gzipped/train-images-idx3-ubyte.gz: damaged gzip file"),
    "train two": (3, "two: several IDX files of images: a-images-idx3-ubyte, b-images-idx3-ubyte; keep one"),
    # runs, and places to write to
    "sample unsaved": (4, "unsaved has no checkpoint yet"),
    "sample run@3": (4, "run has no checkpoint of step 3"),
    "sample nowhere@3": (4, "nowhere@3: no such run folder: the runs here are damaged, run, unsaved"),
    "info run@0": (4, "run@0: no such run folder: did you mean 'run'?"),
    "train --resume --out rum": (4, "rum: no such run folder: did you mean 'run'?"),
    "sample net.onnx": (4, "net.onnx: is an ONNX network, which diffkit writes and does not read: sample from it by examples/"),
    "info net.onnx": (4, "net.onnx: is an ONNX network, which diffkit writes and does not read: sample from it by examples/"),
    "sample clip.safetensors": (4, "clip.safetensors: clip_x0: expected float > 0.0, found -1"),
    "sample run -n 1 --steps 1 --out taken/a.png": (4, "taken: a file is where a folder is needed; use another path"),
    "sample run --out folder.png": (4, "folder.png: is a folder; use another path"),
    "steps run --out folder.png": (4, "folder.png: is a folder; use another path"),
    "sample run -n 1 --steps 1 --out taken": (4, "taken: a file is where a folder is needed; use another path"),
    "steps run -n 1 --steps 1 --out taken/a.png": (4, "taken: a file is where a folder is needed; use another path"),
    "interpolate unsaved": (4, "unsaved has no checkpoint yet"),
    "inpaint unsaved picture.png --mask picture.png": (4, "unsaved has no checkpoint yet"),
    "evaluate no-config": (4, "no-config is not a run folder: it has no config.json"),
    "info no-config": (4, "no-config is not a run folder: it has no config.json"),
    "info damaged": (4, "damaged/config.json: object missing required field data"),
    "info clip.safetensors": (4, "clip.safetensors: clip_x0: expected float > 0.0, found -1"),
    "schedules --embedding --out taken/a.png": (4, "taken: a file is where a folder is needed; use another path"),
    "export unsaved --out new": (4, "unsaved has no checkpoint yet"),
    "export run --out taken": (4, "taken: is a file, give another name"),
    "export large.safetensors --out half.safetensors --half": (4, "half.safetensors: image.bias does not fit float16"),
    "import text.txt --out new": (4, "text.txt: expected a pipeline folder of diffusers"),
    "import run --out taken": (4, "taken: is a file, give another name"),
    "import empty --out run": (4, "run: holds a run, whose config.json would be overwritten: give another name"),
    "train --out taken": (4, "taken: is a file, expected a folder or a new name: give another --out"),
    "train --resume --out no-config": (4, "no-config is not a run folder: it has no config.json"),
    "train --resume --out damaged": (4, "damaged/config.json: object missing required field data"),
}
"""The arguments of a command, its exit code, and a part of its message."""


@pytest.mark.parametrize("command", REFUSED)
def test_a_refusal_is_one_line_and_leaves_nothing(place, monkeypatch, diffkit, command):
    code, message = REFUSED[command]
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    ended, out, said = diffkit(*command.split())
    *lines, last = said.splitlines(keepends=True)
    assert message in one_line(last)
    assert (ended, out) == (code, "")
    assert lines == [] or command.startswith("train"), "which says first what images there are"
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("words", [["sample", "run", "--out", ""], ["train", "--out", ""], ["sample", ""]])
def test_an_empty_argument_is_not_the_working_directory(place, monkeypatch, diffkit, words):
    monkeypatch.chdir(place)
    code, out, said = diffkit(*words)
    assert (code, out) == (2, "")
    assert "is empty: give it a value (is a shell variable not set?)" in one_line(said)


def test_an_invalid_option_is_reported_before_an_existing_output(place, monkeypatch, diffkit):
    monkeypatch.chdir(place)
    assert "--preset must be one of" in one_line(diffkit("train", "--out", "run", "--preset", "foo")[2])
    assert "run already holds a run" in one_line(diffkit("train", "--out", "run")[2])


PROCESSES = {
    "steps run --device gpu": 2,
    "interpolate run --from picture.png --to text.txt": 3,
    "evaluate run texts": 3,
    "schedules --embedding --out taken/a.png": 4,
    "doctor cut": 3,
}
"""One of each command that no other test starts as a process to see it refuse."""


@pytest.mark.parametrize("command", PROCESSES)
def test_a_process_ends_with_the_exit_code_and_one_line(place, command):
    assert REFUSED[command][1] in refusal(process(*command.split(), cwd=place), PROCESSES[command])
