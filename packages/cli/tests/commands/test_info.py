"""diffkit info: its description of runs, exports and images, without importing torch."""

import json
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from diffkit_cli.networks import Inputs, network_config, outline_of
from diffkit_cli.recipes import PRESETS
from diffkit_cli.reports.run import BUFFERS
from PIL import Image

from ..helpers import keys, process, refusal, size_of


def test_a_run(trained):
    done = process("info", trained)
    rows = dict(re.split("  +", line.strip(), maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert (done.returncode, done.stderr) == (0, "")
    assert rows["images"] == "1797 of 8x8, 1 channel, from digits"
    assert rows["network"] == "small, 517,153 parameters"
    assert rows["schedule"].startswith("offset_cosine (")
    assert rows["prediction"] == "eps, conditioned on the variance"
    assert rows["training"] == "batch size 8, lr 0.001, EMA 0.999, seed 0"
    assert rows["class dropout"] == "none: not conditioned on classes"
    assert re.fullmatch(r"saved at step 6 of 6; logged to step 6, smoothed loss \d\.\d{4}", rows["progress"])
    assert rows["checkpoints"] == "6, 4"
    assert "diffkit-cli 0." in rows["versions"]
    assert re.fullmatch(rf"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC on {re.escape(socket.gethostname())}, cpu", rows["started"])


def test_a_resumed_run_with_classes(tmp_path):
    options = ["--preset", "small", "--out", tmp_path / "run", "--batch-size", 8, *keys("class_dropout=0.2")]
    assert process("train", *options, "--steps", 2).returncode == 0
    assert process("train", "--resume", "--out", tmp_path / "run", "--steps", 3).returncode == 0
    found = json.loads(process("info", tmp_path / "run", "--json").stdout)
    assert [start["step"] for start in found["history"]] == [0, 2]
    assert all(datetime.now(UTC) - datetime.fromisoformat(each["date"]) < timedelta(hours=1) for each in found["history"])
    shown = " ".join(process("info", tmp_path / "run").stdout.split())
    assert "class dropout 0.2 " in shown
    assert "resumed at step 2 20" in shown


@pytest.fixture
def runs(trained, tmp_path):
    """A folder with two runs, of which one is longer and logged nothing yet, a damaged one, an export, and a file."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "first").symlink_to(trained)
    config = json.loads((trained / "config.json").read_text())
    for name, document in {
        "second": config | {"training": config["training"] | {"lr": 0.5, "steps": 90}},
        "damaged": {"format": 1},
        "net": config,
    }.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(document))
    (folder / "net" / "model.safetensors").touch()
    (folder / "notes.txt").touch()
    return folder


def test_the_runs_of_a_folder_are_compared(runs):
    done = process("info", runs)
    title, names, *rows = done.stdout.splitlines()
    assert (title, names.split()) == (
        str(runs),
        ["run", "images", "network", "prediction", "batch", "lr", "class", "dropout", "step", "loss", "started"],
    )
    assert [row.split()[:9] for row in rows] == [
        ["first", "1797", "of", "8x8,", "digits", "small", "eps", "8", "0.001"],
        ["second", "1797", "of", "8x8,", "digits", "small", "eps", "8", "0.5"],
    ]
    assert "6/6" in rows[0]
    assert "0/90" in rows[1]
    assert done.stderr == f"warning: {runs}/damaged/config.json: object missing required field data\n"
    found = json.loads(process("info", runs, "--json").stdout)["runs"]
    assert [each["run"] for each in found] == [str(runs / "first"), str(runs / "second")]
    assert [(each["step"], each["steps"], each["host"]) for each in found] == [(6, 6, socket.gethostname()), (None, 90, None)]
    losses = [json.loads(line)["loss"] for line in (runs / "first" / "log.jsonl").read_text().splitlines()]
    assert min(losses) < found[0]["loss"] < max(losses), "smoothed"
    assert found[1]["loss"] is None


def test_the_loss_as_a_plot(runs, tmp_path):
    for source in (runs, runs / "first"):
        done = process("info", source, "--plot", tmp_path / "loss.png")
        assert (done.returncode, done.stdout != "") == (0, True)
        assert done.stderr.endswith(f"loss curve: {tmp_path}/loss.png\n")
        assert size_of(tmp_path / "loss.png") == (420, 356)
        (tmp_path / "loss.png").unlink()
    for source, code, message in [
        (runs / "second", 4, "second: no loss was logged yet"),
        (runs / "nowhere", 4, "nowhere: no such run folder"),
    ]:
        assert message in refusal(process("info", source, "--plot", tmp_path / "loss.png"), code)
    assert "--plot is for a run or a folder of runs, got " in refusal(process("info", "--plot", tmp_path / "loss.png"), 2)
    assert not (tmp_path / "loss.png").exists()


def test_torch_is_not_imported(trained, tmp_path, diffkit):
    assert diffkit("sample", "-n", 1, "--steps", 1, "--out", tmp_path / "a.png")[0] == 0
    assert diffkit("export", "digits", "--out", tmp_path / "net.safetensors")[0] == 0
    for path in (trained, tmp_path / "a.png", tmp_path / "net.safetensors"):
        code = """
import runpy, sys
try:
    runpy.run_module("diffkit_cli", run_name="__main__")
except SystemExit as ended:
    sys.exit(ended.code or sorted({"torch", "numpy"} & sys.modules.keys()) or 0)
"""
        done = subprocess.run([sys.executable, "-c", code, "info", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*(name for name in PRESETS if PRESETS.origin(name)[0] == "diffkit-unet"), "linear"])
def test_the_parameters_are_the_tensors_that_are_no_buffers(name):
    linear = {"size": [8, 8], "prediction": "v", "path": "vp"} if name == "linear" else None
    network = outline_of(network_config("tiny" if linear else name, Inputs((3, 8, 8), 10), linear))
    expected = {key for key, _ in network.named_parameters()}
    assert {key for key in network.state_dict() if key.rpartition(".")[2] not in BUFFERS} == expected


def test_a_photograph_was_not_made_by_diffkit(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    said = refusal(process("info", tmp_path / "photo.jpg"), 3)
    assert "photo.jpg: has no diffkit metadata: it was not made by diffkit" in said


def test_an_export_has_the_hash_that_its_images_have(trained, tmp_path, diffkit):
    for half in ([], ["--half"]):
        file = tmp_path / f"net{len(half)}.safetensors"
        assert diffkit("export", trained, "--out", file, *half)[0] == 0
        assert diffkit("sample", file, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png")[0] == 0
        of_image, of_file = (json.loads(diffkit("info", path, "--json")[1]) for path in (tmp_path / "a.png", file))
        assert of_image["weights"] == of_file["weights"]
        assert of_file["step"] == 6
