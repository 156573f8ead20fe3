"""The commands from end to end: what they leave, what they say, how they end."""

import gzip
import json
import os
import shutil
import signal
import struct
import subprocess
import sys

import pytest
from diffkit_trainer import load
from PIL import Image

from ..helpers import TINY, images, keys, log_of, near, one_line, pixels, process, size_of, start, wait_for

FILES = ["checkpoints", "config.json", "history.jsonl", "lock", "log.jsonl", "loss.png", "samples"]


def test_train_writes_a_run_folder(trained):
    assert sorted(path.name for path in trained.iterdir()) == FILES
    assert sorted(os.listdir(trained / "checkpoints")) == ["4", "6"], "at its interval and, off it, at the end"
    assert sorted(os.listdir(trained / "samples")) == ["00000003.png", "00000006.png"]
    log = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4, 6]
    assert all(entry["loss"] > 0 and entry["images_per_second"] > 0 for entry in log)
    config = json.loads((trained / "config.json").read_text())
    assert config["image"] == {"channels": 1, "height": 8, "width": 8}
    assert config["schedule"] == {"name": "offset_cosine", "max_signal": 0.95, "min_signal": 0.02}
    assert config["data"]["classes"] == list("0123456789")
    assert (config["prediction"], config["training"]["steps"]) == ("eps", 6)


def test_sample_writes_a_grid_and_a_folder(trained, tmp_path, diffkit):
    code, _, said = diffkit("sample", trained, "-n", 5, "--steps", 2, "--out", tmp_path / "grid.png")
    assert code == 0
    assert f"5 images from {trained}@6, 2 steps of ddim, eta 0, seed 0: " in said
    assert size_of(tmp_path / "grid.png") == (200, 134)
    assert diffkit("sample", trained, "-n", 5, "--steps", 2, "--out", tmp_path / "folder")[0] == 0
    assert sorted(os.listdir(tmp_path / "folder")) == [f"{i:05d}.png" for i in range(5)]
    assert size_of(tmp_path / "folder" / "00000.png") == (8, 8)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_images_depend_on_their_seed_alone(trained, tmp_path, diffkit, eta):
    for name, options in {
        "all": ["-n", 6, "--batch-size", 6, "--seed", 3],
        "by4": ["-n", 6, "--batch-size", 4, "--seed", 3],
        "from5": ["-n", 2, "--seed", 5],
        "others": ["-n", 6, "--seed", 100],
    }.items():
        assert diffkit("sample", trained, "--steps", 3, "--eta", eta, "--out", tmp_path / name, *options)[0] == 0
    whole = pixels(tmp_path / "all")
    assert near(whole, pixels(tmp_path / "by4"))
    assert near(whole[2:4], pixels(tmp_path / "from5"))
    assert not near(whole, pixels(tmp_path / "others"))


def test_raw_and_average_give_different_images(trained, tmp_path, diffkit):
    for name, options in {"ema": [], "raw": ["--raw"]}.items():
        assert diffkit("sample", trained, "-n", 4, "--steps", 3, "--out", tmp_path / name, *options)[0] == 0
    assert not near(pixels(tmp_path / "ema"), pixels(tmp_path / "raw"))


def test_interpolation_begins_and_ends_with_its_two_noises(trained, tmp_path, diffkit):
    shape = ["--rows", 2, "--columns", 3, "--steps", 2]
    assert diffkit("interpolate", trained, *shape, "--out", tmp_path / "path")[0] == 0
    assert diffkit("sample", trained, "-n", 4, "--steps", 2, "--out", tmp_path / "ends")[0] == 0
    path, ends = pixels(tmp_path / "path"), pixels(tmp_path / "ends")
    assert len(path) == 6
    assert near([path[0], path[2], path[3], path[5]], ends)
    assert diffkit("interpolate", trained, *shape, "--out", tmp_path / "path.png")[0] == 0
    assert size_of(tmp_path / "path.png") == (200, 134)


def test_a_resumed_run_equals_one_that_never_stopped(trained, tmp_path, diffkit):
    run = tmp_path / "run"
    assert diffkit("train", "--out", run, *TINY, "--steps", 4)[0] == 0
    assert diffkit("train", "--out", run, "--resume", "--steps", 6)[0] == 0
    for weights in ("model", "ema"):
        one, other = load(trained, weights), load(run, weights)
        assert one.step == other.step == 6
        assert all((one.weights[name] == other.weights[name]).all() for name in one.weights)
    assert log_of(run) == log_of(trained)


def test_resume_refuses_another_config_and_shows_the_difference(trained, diffkit):
    code, _, said = diffkit("train", "--out", trained, "--resume", "--ema", 0.5)
    assert code == 2
    assert "ema is 0.999 in the run to be resumed, got 0.5" in one_line(said)


def test_a_run_is_not_overwritten(trained, diffkit):
    code, _, said = diffkit("train", "--out", trained)
    assert code == 2
    assert "already holds a run: resume it with --resume, or give another --out" in one_line(said)


def test_a_folder_of_images_trains_with_its_classes(tmp_path, diffkit):
    images(tmp_path / "data" / "red", [(9, 12), (20, 11)])
    images(tmp_path / "data" / "blue", [(30, 31)])
    code, _, said = diffkit("train", tmp_path / "data", "--size", 6, "--out", tmp_path / "run", *TINY)
    assert code == 0, said
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"]["classes"] == ["blue", "red"]
    assert config["image"] == {"channels": 3, "height": 6, "width": 6}


def test_a_folder_of_idx_files_trains(tmp_path, diffkit):
    (tmp_path / "idx").mkdir()
    head = struct.pack(">IIII", 0x803, 4, 10, 12)
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(range(240)) * 2))
    code, _, said = diffkit("train", tmp_path / "idx", "--out", tmp_path / "run", "--schedule", "rectified", *TINY)
    assert code == 0, said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["prediction"] == "flow"
    assert diffkit("sample", tmp_path / "run", "-n", 1, "--steps", 2, "--out", tmp_path / "one")[0] == 0
    assert size_of(tmp_path / "one" / "00000.png") == (12, 10)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--steps", 0], 2, "--steps must be an integer from 1 to 1000000000, got 0"),
        (["train", "--steps", "many"], 2, "--steps"),
        (["train", "--schedule", "cosin"], 2, "--schedule must be one of cosine, offset_cosine, linear"),
        (
            ["train", "--prediction", "eps", "--schedule", "cosine"],
            2,
            "eps is undefined at zero terminal SNR (--schedule cosine)",
        ),
        (["train", "--device", "gpu"], 2, "got 'gpu'"),
        (["train", "--set", "stepz=3"], 2, "did you mean 'steps'"),
        (["train", "--resume"], 4, "no such run folder"),
        (["train", "nowhere"], 3, "nowhere"),
        (["train", "empty"], 3, "empty"),
        (["train", "texts"], 3, "texts"),
        (["train", "bad"], 3, "b.png"),
        (["sample", "run", "--eta", -1], 2, "--eta must be a number in [0, 1]"),
        (["sample", "run", "--steps", 0], 2, "--steps must be an integer from 1"),
        (["sample", "run", "-n", 0], 2, "-n must be an integer from 1"),
        (["sample", "run", "--seed", -1], 2, "--seed must be an integer from 0"),
        (["interpolate", "run", "--columns", 0], 2, "--columns must be an integer from 1"),
        (["sample", "empty"], 4, "empty is not a run folder: it has no config.json"),
        (["sample", "nowhere"], 4, "nowhere: no such run folder"),
        (["info", "nowhere"], 4, "nowhere: no such run folder"),
        (["sampel", "run"], 2, "sampel"),
        (["inpaint"], 2, "RUN"),
    ],
)
def test_an_invalid_command_is_refused_in_one_line(tmp_path, monkeypatch, diffkit, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no image")
    images(tmp_path / "bad", [(8, 8)])
    for name in ("b.png", "c.png"):
        (tmp_path / "bad" / name).write_text("no image")
    ended, _, said = diffkit(*arguments)
    assert ended == code
    assert message in one_line(said)
    if arguments == ["train", "bad"]:
        assert "c.png" in said, "all bad files at once"
    assert not (tmp_path / "runs").exists(), "nothing is left behind"


def test_skip_bad_skips_bad_files(tmp_path, diffkit):
    images(tmp_path / "data", [(8, 8), (8, 8)])
    (tmp_path / "data" / "b.png").write_text("no image")
    code, _, said = diffkit("train", tmp_path / "data", "--skip-bad", "--size", 8, "--out", tmp_path / "run", *TINY)
    assert code == 0
    assert "left out" in said
    assert "b.png" in said
    code, _, said = diffkit("train", "--resume", "--out", tmp_path / "run", "--steps", 7)
    assert (code, "left out" in said) == (0, True), "the run has the option"


def test_resuming_with_other_images_is_refused(tmp_path, diffkit):
    images(tmp_path / "data", [(8, 8), (8, 8)])
    assert diffkit("train", tmp_path / "data", "--size", 8, "--out", tmp_path / "run", *TINY)[0] == 0
    Image.new("RGB", (8, 8), "green").save(tmp_path / "data" / "more.png")
    code, _, said = diffkit("train", "--resume", "--out", tmp_path / "run", "--steps", 7)
    assert code == 2
    assert "not the images that" in one_line(said.splitlines(keepends=True)[-1])


def test_a_damaged_newest_checkpoint_is_skipped_with_a_warning(trained, tmp_path, diffkit):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / "checkpoints" / "6" / "ema.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    code, _, said = diffkit("sample", run, "-n", 1, "--steps", 1, "--out", tmp_path / "one.png")
    assert code == 0
    assert "warning: sha256 mismatch" in said
    assert "using step 4" in said


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_prints_how_to_resume(tmp_path, signum, code):
    run = tmp_path / "run"
    with start("train", "--out", run, *keys("log_every=1"), "--steps", 100000) as training:
        wait_for(run, 3, training)
        busy = process("train", "--out", run, "--resume")
        assert busy.returncode == 6
        assert f"is in use by process {training.pid}" in one_line(busy.stderr)
        training.send_signal(signum)
        said = training.communicate(timeout=120)[1]
        assert training.returncode == code
    step = load(run).step
    assert f"saved step {step} of 100000. Resume with: diffkit train --resume --out {run}" in said
    assert "Traceback" not in said
    assert [entry["step"] for entry in log_of(run)] == list(range(1, step + 1))


def test_version_and_help_are_printed(diffkit):
    assert diffkit("--help")[0] == 0
    done = process("--version")
    assert done.returncode == 0
    for package in ("schedules", "samplers", "unet", "trainer", "cli"):
        assert f"diffkit-{package} " in done.stdout


def test_help_does_not_import_torch():
    code = "import sys, diffkit_cli.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
