"""A resumed run: what may change, what must not, and that it equals a run that never stopped."""

import gzip
import json
import math
import shutil
import struct
from pathlib import Path

import pytest
from diffkit_cli.training.options import CHANGEABLE, OPTIONS, RESUMABLE
from diffkit_schedules import offset_cosine
from diffkit_trainer import load, read_history, read_log
from diffkit_trainer.options import ROUNDING, SPEED, Options, options_of

from ...helpers import TINY, finished, images, keys, one_line, process, refusal, start, wait_for, what_it_is


@pytest.fixture
def run(trained, tmp_path):
    """A separate run, at step 6, saved at 4 and 6."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_the_command_refuses_to_change_what_the_trainer_does():
    """The schedule, the network, and what the samples are read as are known to the trainer by other names."""
    fixed = set(OPTIONS) - set(RESUMABLE)
    assert set(CHANGEABLE) < fixed
    others = {"preset", "schedule", "linear", "precision", "size", "axes", "mode", "columns", "given_size"}
    assert fixed - others == set(options_of(Options)) - {*ROUNDING, *SPEED, "condition"}


def last_line(said):
    return one_line(said.splitlines(keepends=True)[-1])


def test_steps_below_the_current_one_are_refused(run, diffkit):
    before = what_it_is(run)
    code, _, said = diffkit("train", "--resume", "--out", run, "--steps", 5)
    assert code == 2
    assert f"--steps is the total: {run} is at step 6 already, got 5" in last_line(said)
    assert what_it_is(run) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "config.json"),
        (lambda text: "[]", "config.json"),
        (lambda text: text.replace('"steps": 6', '"steps": "6"'), "config.json: training: steps: expected int, got str"),
        (lambda text: text.replace('"steps": 6', '"steps": true'), "config.json: training: steps: expected int, got bool"),
        (lambda text: text.replace('"keep"', '"kept"'), "unknown option 'kept': did you mean 'keep'"),
        (lambda text: text.replace('"lr": 0.001', '"lr": -1.0'), "lr must be a number above 0, at most 1e+30, got -1.0"),
        (lambda text: text.replace('"training"', '"trained"'), "has no state of a training: it cannot be resumed; fine-tune it"),
    ],
)
def test_a_damaged_config_is_a_damaged_run(run, diffkit, damage, message):
    config = run / "config.json"
    config.write_text(damage(config.read_text()))
    code, _, said = diffkit("train", "--resume", "--out", run, "--steps", 7)
    assert code == 4, said
    assert message in one_line(said)


def test_a_learning_rate_that_changes_is_recorded_and_the_changed_run_is_resumed_exactly(run, tmp_path):
    parts, killed = (shutil.copytree(run, tmp_path / name) for name in ("parts", "killed"))
    changed = ["--resume", "--lr", "3e-4", *keys("keep=9", "save_every=1"), "--out"]
    done = process("train", "--steps", 9, *changed, run)
    assert done.returncode == 0, done.stderr
    assert "lr is 0.0003 from step 6 on, was 0.001\n" in done.stderr
    record = {"step": 6, "option": "lr", "before": 0.001, "after": 0.0003}
    for folder in (run, run / "checkpoints" / "9"):
        config = json.loads((folder / "config.json").read_text())
        assert (config["training"]["lr"], config["changes"]) == (0.0003, [record])
    assert [start.get("changed") for start in read_history(run)] == [None, {"lr": [0.001, 0.0003]}]

    assert process("train", "--steps", 7, *changed, parts).returncode == 0
    assert process("train", "--resume", "--out", parts, "--steps", 9).returncode == 0
    assert what_it_is(parts) == what_it_is(run)

    assert process("train", "--steps", 9, *changed, killed).returncode == 0
    for step in (7, 8, 9):  # as if it had been killed before it saved them
        shutil.rmtree(killed / "checkpoints" / str(step))
    assert process("train", "--resume", "--out", killed, "--steps", 9).returncode == 0
    assert what_it_is(killed) == what_it_is(run)


def test_a_learning_rate_that_has_fallen_to_0_is_raised_for_more_steps(tmp_path):
    few, run = [*TINY, *keys("lr_schedule=cosine")], tmp_path / "run"
    assert process("train", "--out", run, *few).returncode == 0
    resuming = ["train", "--resume", "--out", run]
    assert process(*resuming).stderr.endswith("is at step 6 of 6 already: give more, --steps N --set decay_steps=N\n")
    stretched = [*resuming, "--steps", "12", "--set", "decay_steps=12"]
    line = refusal(process(*resuming, "--steps", 12), 2)
    assert f"the learning rate is 0 from step 6 on; to raise it again: diffkit {' '.join(map(str, stretched))}\n" in line
    done = process(*stretched)
    assert "decay_steps is 12 from step 6 on, was 6" in done.stderr
    lr = [5e-4 * (1 + math.cos(math.pi * updates / 12)) for updates in (7, 9, 11)]
    assert [entry["lr"] for entry in read_log(run)][-3:] == pytest.approx(lr, rel=1e-5)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            ('"lr": 0.001', '"lr": 0.5'),
            "lr is 0.5, but 0.001 in the checkpoint of step 6: set it back, or change it from there on: --lr 0.5",
        ),
        (('"preset": "small"', '"preset": "tiny"'), "preset is 'tiny', but 'small' in the checkpoint of step 6: set it back"),
    ],
)
def test_an_option_edited_in_config_json_is_noticed(run, edit, message):
    config = run / "config.json"
    assert edit[0] in config.read_text()
    config.write_text(config.read_text().replace(*edit))
    assert f"{config}: {message}\n" in refusal(process("train", "--resume", "--out", run, "--steps", 7), 2)


def test_a_lock_that_is_a_link_and_a_renamed_checkpoint_are_refused(run, tmp_path):
    (run / "lock").unlink()
    (run / "lock").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_text("not to be lost")
    line = refusal(process("train", "--resume", "--out", run, "--steps", 7), 4)
    assert f"{run / 'lock'}: expected a lock file, found a link: move it away" in line
    assert (tmp_path / "precious").read_text() == "not to be lost"
    (run / "lock").unlink()
    (run / "checkpoints" / "6").rename(run / "checkpoints" / "500")
    for command in (["train", "--resume", "--out", run, "--steps", 700], ["sample", run, "--out", tmp_path / "a.png"]):
        line = refusal(process(*command), 4)
        assert f"{run / 'checkpoints' / '500'}: is the checkpoint of step 6: rename it to 6" in line


def test_a_log_on_a_full_disk_ends_the_run_and_what_was_trained_is_saved(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs Linux's full device")
    run = tmp_path / "run"
    training = start("train", "--out", run, *TINY, "--steps", 10**6, *keys("log_every=1", "save_every=1000000"))
    wait_for(run, 3, training)
    (run / "full").symlink_to("/dev/full")
    (run / "full").replace(run / "log.jsonl")
    code, said = finished(training)
    assert code == 4, said
    assert f"{run / 'log.jsonl'}: cannot be written (No space left on device)" in last_line(said)
    assert load(run).step >= 3
    (run / "log.jsonl").unlink()
    assert process("train", "--resume", "--out", run, "--steps", load(run).step + 1).returncode == 0


def test_data_that_moved_is_found_by_its_new_path_and_known_by_its_images(tmp_path):
    images(tmp_path / "data", [(8, 8)] * 5)
    assert process("train", tmp_path / "data", "--size", 8, "--out", tmp_path / "run", *TINY).returncode == 0
    (tmp_path / "data").rename(tmp_path / "moved")
    lost = process("train", "--resume", "--out", tmp_path / "run", "--steps", 7)
    assert lost.returncode == 3
    assert f"{tmp_path / 'data'}: no such folder" in last_line(lost.stderr)
    assert f"diffkit train NEW_PLACE --resume --out {tmp_path / 'run'}" in last_line(lost.stderr)
    done = process("train", "moved", "--resume", "--out", tmp_path / "run", "--steps", 7, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["source"] == str(tmp_path / "moved")
    assert process("train", "--resume", "--out", tmp_path / "run", "--steps", 8).returncode == 0


def test_images_that_are_not_square_keep_their_size(tmp_path):
    (tmp_path / "idx").mkdir()
    head = struct.pack(">IIII", 0x803, 4, 10, 12)
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(range(240)) * 2))
    assert process("train", tmp_path / "idx", "--out", tmp_path / "run", *TINY).returncode == 0
    done = process("train", "--resume", "--out", tmp_path / "run", "--steps", 7)
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "run").step == 7


@pytest.mark.parametrize("stop", [5, 7])
def test_a_log_at_an_interval_is_that_of_one_run(tmp_path, stop):
    """The mean over steps 6 to 10 is the same where the run stopped between them."""
    few = [*TINY, *keys("log_every=5")]
    assert process("train", "--out", tmp_path / "straight", *few, "--steps", 12).returncode == 0
    assert process("train", "--out", tmp_path / "run", *few, "--steps", stop).returncode == 0
    assert process("train", "--resume", "--out", tmp_path / "run", "--steps", 12).returncode == 0
    straight = what_it_is(tmp_path / "straight")
    assert what_it_is(tmp_path / "run") == straight
    assert [entry["step"] for entry in straight[2]] == [5, 10, 12]


def test_the_same_file_starts_and_resumes_a_run(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('steps = 3\nbatch_size = 8\nclip_grad_norm = 1\nkeep_every = 2\npreset = "small"\nsave_minutes = 0.5\n')
    assert process("train", "--config", file, "--out", tmp_path / "run").returncode == 0
    file.write_text(file.read_text().replace("steps = 3", "steps = 4"))
    unset = keys("keep_every=none", "save_minutes=none", "lr=none")
    done = process("train", "--config", file, "--resume", "--out", tmp_path / "run", *unset)
    assert done.returncode == 0, done.stderr
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (training["keep_every"], training["save_minutes"], training["lr"], training["clip_grad_norm"]) == (
        None,
        None,
        1e-3,
        1.0,
    )
    refused = process("train", "--resume", "--out", tmp_path / "run", *keys("clip_grad_norm=none"))
    assert refused.returncode == 2
    assert "clip_grad_norm is 1.0 in the run to be resumed, got none: leave it out, or fine-tune it: " in one_line(refused.stderr)


def test_a_changed_default_does_not_change_a_resumed_run(tmp_path, monkeypatch, diffkit):
    """The schedule of a run is that of its config.json, whatever its name means now."""
    few = ["--preset", "small", "--batch-size", 8, *keys("log_every=2", "save_every=2", "sample_every=100")]
    run = tmp_path / "run"
    with monkeypatch.context() as before:
        before.setattr("diffkit_cli.training.build.from_config", lambda config: offset_cosine(max_signal=0.9))
        assert diffkit("train", "--out", run, *few, "--steps", 2)[0] == 0
        assert diffkit("train", "--out", tmp_path / "straight", *few, "--steps", 4)[0] == 0
    assert diffkit("train", "--resume", "--out", run, "--steps", 4)[0] == 0
    schedule = json.loads((run / "config.json").read_text())["schedule"]
    assert schedule == {"name": "offset_cosine", "max_signal": 0.9, "min_signal": 0.02}
    assert what_it_is(run) == what_it_is(tmp_path / "straight")


def test_info_distinguishes_saved_and_logged_steps(run, diffkit):
    shutil.rmtree(run / "checkpoints" / "6")
    said = " ".join(diffkit("info", run)[1].split())
    assert "saved at step 4 of 6; logged to step 6, smoothed loss 0." in said
    found = json.loads(diffkit("info", run, "--json")[1])
    assert (found["step"], found["last"]["step"], found["checkpoints"]) == (4, 6, [4])
    shutil.rmtree(run / "checkpoints")
    (run / "log.jsonl").unlink()
    assert "no checkpoint of 6 steps" in " ".join(diffkit("info", run)[1].split())
