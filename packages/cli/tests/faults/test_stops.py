"""A run that is stopped, whenever and however, is the run that never was: rows 7 to 12, 15 and 18 of the table of faults."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from diffkit_trainer import checkpoints, load
from PIL import Image
from running import finished, keys, start, wait_for, what_it_is

# 20 images in batches of 8: an epoch ends with step 2.5, 5, 7.5, 10; every update takes three parts
INTERVALS = keys("log_every=1", "save_every=3", "sample_every=1000")
LEARNING = keys("accumulate=3", "clip=1", "warmup=5", "lr_schedule=cosine", "flip=true")
TRAIN = ["--size", "8", "--preset", "small", "--batch-size", "8", *INTERVALS, *LEARNING]
STEPS = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, chance = tmp_path_factory.mktemp("data"), random.Random(0)
    for i in range(20):
        Image.frombytes("RGB", (9, 8), chance.randbytes(216)).save(folder / f"{i}.png")
    return folder


def train(data, run, steps, *more):
    return finished(start("train", data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", steps, *more))


def resumed(run, steps):
    return finished(start("train", "--resume", "--out", run, "--steps", steps))


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    assert train(data, run, STEPS)[0] == 0
    return what_it_is(run)


@pytest.mark.parametrize("stop", [1, 4, 5, 12], ids=["first step", "mid-epoch", "end of an epoch", "a save"])
def test_stopped_by_its_number_of_steps(data, straight, tmp_path, stop):
    """Rows 12 and 15: the last step is saved though it is off the interval."""
    assert train(data, tmp_path / "run", stop)[0] == 0
    assert load(tmp_path / "run").step == stop
    assert resumed(tmp_path / "run", STEPS)[0] == 0
    assert what_it_is(tmp_path / "run") == straight


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_by_a_signal_within_an_update(data, straight, tmp_path, signum, code):
    """Row 7: the update of three parts that is under way is finished and saved, and nothing after it."""
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", 10**6)
    wait_for(run, 4)
    process.send_signal(signum)
    ended, said = finished(process)
    assert ended == code
    step = load(run).step
    assert f"saved step {step} of 1000000" in said
    assert 4 <= step < STEPS
    assert resumed(run, STEPS)[0] == 0
    assert what_it_is(run) == straight


def test_stopped_by_a_kill(data, straight, tmp_path):
    """Row 1 for the whole command: from the newest checkpoint, with the log cut back to it; and the lock is free (row 10)."""
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", 10**6)
    wait_for(run, 8)
    process.send_signal(signal.SIGSTOP)
    assert finished(start("train", "--resume", "--out", run))[0] == 6
    process.kill()
    process.communicate()
    assert 3 <= load(run).step < STEPS
    assert resumed(run, STEPS)[0] == 0
    assert what_it_is(run) == straight


def test_a_second_signal_aborts_and_nothing_is_corrupt(data, tmp_path):
    """Row 8."""
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--steps", 10**6, "--set", "save_every=1")
    wait_for(run, 5)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    code, said = finished(process)
    assert code == 130, said
    loaded = load(run)
    assert loaded.step >= 4
    assert loaded.warnings == []
    assert resumed(run, loaded.step + 1)[0] == 0


def test_a_signal_at_any_time_saves_or_leaves_promptly(data, tmp_path):
    """Row 9: while starting, saving, drawing previews; every step does all of it here."""
    often = keys("save_every=1", "sample_every=1", "save_minutes=0.001")
    for n, moment in enumerate((0.1, 0.6, 1.5, 2.5, 3.0, 3.5, 4.0)):
        run = tmp_path / f"run{n}"
        process = start("train", data, "--out", run, *TRAIN, "--steps", 10**6, *often)
        time.sleep(moment)
        process.terminate()
        begun = time.monotonic()
        code, said = finished(process)
        assert time.monotonic() - begun < 30
        assert code in (143, -signal.SIGTERM), said
        if code == 143:
            assert load(run).warnings == []
        elif run.exists() and any(checkpoints(run)):
            assert load(run).step >= 0


def test_a_run_that_diverges_says_where_and_keeps_the_last_good_checkpoint(data, tmp_path):
    """Row 40: exit code 5."""
    run = tmp_path / "run"
    others = keys("save_every=1", "log_every=7", "clip=1", "warmup=0", "lr_schedule=constant")
    options = ["--lr", "1e37", "--steps", "60", *others]
    code, said = finished(start("train", data, "--out", run, *TRAIN, *options))
    assert code == 5, said
    last = said.splitlines()[-1]
    assert last.startswith("diffkit: the loss or its gradient was not finite at step ")
    step = load(run).step
    assert f"the last good checkpoint is {run}/checkpoints/{step}; try a lower --lr" in last
    assert f"at step {step + 1}:" in last


def test_a_disk_that_cannot_be_written_is_refused_before_the_first_step(data, tmp_path):
    """Row 18, on a real disk that is mounted read-only; only root can do that."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, said = finished(start("train", data, "--out", disk / "run", *TRAIN, "--steps", 5))
    finally:
        subprocess.run(["umount", disk], check=True)
    assert code == 4
    assert "cannot be written (Read-only file system)" in said.splitlines()[-1]
    assert "step 1/" not in said


def test_a_disk_that_fills_up_ends_the_run_with_the_bytes_needed(data, tmp_path):
    """Row 5: exit code 4, and what was saved before loads."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        code, said = finished(start("train", data, "--out", disk / "run", *TRAIN, "--steps", 40, "--set", "keep=9"))
        assert load(disk / "run").warnings == []
    finally:
        subprocess.run(["umount", disk], check=True)
    assert code == 4
    assert "bytes are needed, " in said.splitlines()[-1]


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "diffkit_cli", "train"]


def test_two_processes_train_one_run_and_one_goes_on(data, straight, tmp_path):
    run = tmp_path / "run"
    command = [*TORCHRUN, data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", "6"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done: 6 steps") == 1, "one of them speaks"
    losses = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    # its batch norms see halves of the parts: the same samples, and nearly the same losses
    assert losses == pytest.approx([entry["loss"] for entry in straight[2][:6]], rel=0.1)
    code, said = resumed(run, 8)
    assert code == 0
    assert "processes is 1 here and was 2: the same training up to rounding, not bit for bit" in said


def test_orphans_of_a_killed_torchrun_hold_others_off(data, tmp_path):
    """SIGKILL of torchrun leaves its processes behind: they keep the lock until they end."""
    run = tmp_path / "run"
    command = [*TORCHRUN, data, "--out", run, *TRAIN, "--steps", "1000000"]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL) as torchrun:
        wait_for(run, 3)
        torchrun.kill()
        torchrun.wait()
    code, said = finished(start("train", "--resume", "--out", run))
    if code == 6:
        assert "is in use by process" in said
        os.kill(int((run / "lock").read_text()), signal.SIGKILL)
    for _ in range(100):
        code, said = finished(start("train", "--resume", "--out", run, "--steps", load(run).step + 1))
        if code != 6:
            break
    assert code == 0, said
