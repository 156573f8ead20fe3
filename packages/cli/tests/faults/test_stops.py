"""A run that is stopped in any way, and resumed, equals one that never stopped."""

import json
import os
import random
import shutil
import signal
import subprocess
from contextlib import nullcontext

import pytest
from diffkit_trainer import load, locked
from PIL import Image

from testing.fixtures import PythonProcess

from ..helpers import finished, keys, logged, python, said_until, start, until, wait_for, what_it_is

# 20 images in batches of 8: an epoch ends with step 2.5, 5, 7.5, 10; every update takes three parts
INTERVALS = keys("log_every=1", "save_every=3", "sample_every=1000")
LEARNING = keys("accumulate=3", "clip_grad_norm=1", "warmup=5", "lr_schedule=cosine", "flip=true")
TRAIN = ["--size", "8", "--preset", "small", "--batch-size", "8", *INTERVALS, *LEARNING]
STEPS = 40


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
def test_a_run_ends_at_its_number_of_steps(data, straight, tmp_path, stop):
    """The last step is saved although it is no multiple of save_every."""
    assert train(data, tmp_path / "run", stop)[0] == 0
    assert load(tmp_path / "run").step == stop
    assert resumed(tmp_path / "run", STEPS)[0] == 0
    assert what_it_is(tmp_path / "run") == straight


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_within_an_update_saves_that_update(data, straight, tmp_path, signum, code):
    """The current update, of three parts, is finished and saved, and nothing after it. The signal goes to the process group, as a
    terminal and a scheduler send it.
    """
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", 10**6)
    wait_for(run, 4, process)
    os.killpg(process.pid, signum)
    ended, said = finished(process)
    assert ended == code
    step = load(run).step
    assert f"saved step {step} of 1000000" in said
    assert 4 <= step < STEPS
    assert resumed(run, STEPS)[0] == 0
    assert what_it_is(run) == straight


def test_a_killed_run_resumes_from_the_newest_checkpoint(data, straight, tmp_path):
    """From the newest checkpoint, with the log truncated to it; and the lock is free."""
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", 10**6)
    wait_for(run, 8, process)
    process.send_signal(signal.SIGSTOP)
    assert finished(start("train", "--resume", "--out", run))[0] == 6
    process.kill()
    process.communicate()
    assert 3 <= load(run).step < STEPS
    assert resumed(run, STEPS)[0] == 0
    assert what_it_is(run) == straight


SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_second_signal_ends_an_update_that_takes_long(data, tmp_path, signum, code):
    """An update of 1,024 parts would take seconds; the first signal waits for it, the second one does not."""
    run = tmp_path / "run"
    size = ["--batch-size", 1024, "--set", "accumulate=1"]
    assert train(data, run, 1, *size)[0] == 0
    process = start("train", "--resume", "--out", run, "--steps", 2, "--set", "accumulate=1024")
    said_until(process, "resuming from step 1")
    process.send_signal(signum)
    said_until(process, "saving after this update")
    process.send_signal(signum)
    assert finished(process)[0] == code
    loaded = load(run)
    assert (loaded.step, loaded.warnings) == (1, [])
    assert finished(start("train", "--resume", "--out", run, "--steps", 2, "--set", "accumulate=1"))[0] == 0


def test_a_second_signal_while_it_saves_corrupts_nothing(data, tmp_path):
    run = tmp_path / "run"
    process = start("train", data, "--out", run, *TRAIN, "--steps", 10**6, "--set", "save_every=1")
    wait_for(run, 5, process)
    process.send_signal(signal.SIGINT)
    said_until(process, "saving after this update")
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 130
    loaded = load(run)
    assert loaded.step >= 4
    assert loaded.warnings == []
    assert resumed(run, loaded.step + 1)[0] == 0


MOMENTS = {
    "locked": lambda run: (run / "lock").exists(),
    "about to train": lambda run: (run / "config.json").exists(),
    "saving": lambda run: (run / "checkpoints").is_dir() and any((run / "checkpoints").glob(".[0-9]*")),
    "drawing a preview": lambda run: logged(run) > len(list((run / "samples").glob("*.png"))),
    "later": lambda run: logged(run) > 3,
}


def state(process):
    return subprocess.run(["ps", "-o", "stat=", "-p", str(process.pid)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_at_any_time_saves_or_leaves_promptly(data, tmp_path, moment):
    """Before training, while saving, while generating previews; every step does all of it here. Promptly is within a step."""
    run = tmp_path / "run"
    keys = ("save_every=1", "sample_every=1", "save_minutes=0.001")
    process = start("train", data, "--out", run, *TRAIN, "--steps", 10**6, *(word for key in keys for word in ("--set", key)))
    until(lambda: MOMENTS[moment](run), process)
    process.send_signal(signal.SIGSTOP)
    until(lambda: state(process).startswith("T"), process)
    steps = logged(run)
    process.terminate()
    process.send_signal(signal.SIGCONT)
    code, said = finished(process)
    assert code == 143, said
    assert logged(run) <= steps + 2, "the one under way, and one that had looked for signals just before"
    if moment != "locked":  # when nothing may have begun that is to be saved
        assert (load(run).step, load(run).warnings) == (logged(run), [])


def test_a_run_that_diverges_names_the_step_and_keeps_the_last_good_checkpoint(data, tmp_path):
    """Exit code 5."""
    run = tmp_path / "run"
    others = keys("save_every=1", "log_every=7", "clip_grad_norm=1", "warmup=0", "lr_schedule=constant")
    options = ["--lr", "1e30", "--steps", "60", *others]
    code, said = finished(start("train", data, "--out", run, *TRAIN, *options))
    assert code == 5, said
    last = said.splitlines()[-1]
    assert last.startswith("diffkit: the loss or its gradient was not finite at step ")
    step = load(run).step
    assert f"the last good checkpoint is {run}/checkpoints/{step}; try a lower --lr" in last
    assert f"at step {step + 1}:" in last


def test_float16_that_overflows_at_every_step_is_logged_without_a_loss(data, tmp_path):
    """Updates that are skipped have no mean; the log stays JSON, and a scale that never recovers ends it with 5."""
    keys = ("precision=fp16", "log_every=1", "save_every=1", "warmup=0", "lr_schedule=constant")
    options = ["--lr", "1e30", "--steps", "60", *(word for key in keys for word in ("--set", key))]
    code, said = finished(start("train", data, "--out", tmp_path / "run", *TRAIN, *options))
    assert code == 5, said
    entries = [json.loads(line, parse_constant=int) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    made = sum(entry["loss"] is not None for entry in entries)
    assert 0 < made < 10 < len(entries)
    assert [entry["skipped"] for entry in entries[made:]] == list(range(1, len(entries) - made + 1))
    assert {entry["lr"] for entry in entries} == {entries[0]["lr"]}


def test_a_disk_that_cannot_be_written_is_refused_before_the_first_step(data, small_disk):
    """On a real disk that is mounted read-only, which needs root."""
    disk = small_disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    code, said = finished(start("train", data, "--out", disk / "run", *TRAIN, "--steps", 5))
    assert code == 4
    assert "cannot be written (Read-only file system)" in said.splitlines()[-1]
    assert "step 1/" not in said


def test_a_disk_that_fills_up_ends_the_run_with_the_bytes_needed(data, small_disk):
    """Exit code 4, and the previous checkpoint loads."""
    run = small_disk("20m") / "run"
    code, said = finished(start("train", data, "--out", run, *TRAIN, "--steps", 40, "--set", "keep=9"))
    assert load(run).warnings == []
    assert code == 4
    assert "bytes are needed, " in said.splitlines()[-1]


def test_a_cache_on_a_full_disk_is_named_and_training_works_without_a_cache(data, tmp_path, small_disk, monkeypatch):
    """Packed images: exit code 4, with the bytes needed. Without any folder for them there is a warning, and it trains."""
    disk = small_disk("64k")
    (disk / "other").write_bytes(bytes(56 * 1024))
    monkeypatch.setenv("DIFFKIT_CACHE", str(disk))
    code, said = train(data, tmp_path / "one", 1, "--size", "64")
    assert code == 4
    assert f"{4 * 64 * 64 * 20} bytes are needed, " in said.splitlines()[-1]
    monkeypatch.setenv("DIFFKIT_CACHE", str(data / "0.png"))
    code, said = train(data, tmp_path / "two", 1)
    assert code == 0
    assert said.count(": Not a directory): decoding into memory; set DIFFKIT_CACHE to a folder") == 1


def test_files_that_change_during_a_run_lose_no_checkpoint(data, straight, tmp_path):
    """Training on packed data continues. A later resume ends with exit code 3 and names the file, or with 2 if it was removed,
    and keeps every checkpoint; once the file is back, the run equals one that never stopped.
    """
    folder, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(data, folder)
    path, whole = folder / "7.png", (folder / "7.png").read_bytes()
    process = start("train", folder, "--out", run, *TRAIN, "--set", f"decay_steps={STEPS}", "--steps", 10**6)
    wait_for(run, 3, process)
    path.write_bytes(whole[:100])
    wait_for(run, logged(run) + 2, process)
    process.terminate()
    assert finished(process)[0] == 143
    kept = what_it_is(run)
    assert 5 <= kept[0] < STEPS
    code, said = finished(start("train", "--resume", "--out", run, "--steps", STEPS, "--set", "pack=false"))
    assert (code, "1 of 20 files cannot be read as images: 7.png (" in said.splitlines()[-1]) == (3, True)
    path.unlink()
    code, said = resumed(run, STEPS)
    assert (code, f"{folder}: not the images that {run} was trained on" in said.splitlines()[-1]) == (2, True)
    assert (what_it_is(run), load(run).warnings) == (kept, [])
    path.write_bytes(whole)
    assert resumed(run, STEPS)[0] == 0
    assert what_it_is(run) == straight


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "diffkit_cli", "train"]


def test_two_processes_train_a_run_and_one_resumes_it(data, tmp_path):
    """Half of each batch in each process is the same as two halves in one, batch norms' statistics included. At a small
    learning rate, because AdamW makes whole steps of gradients that are no more than rounding.
    """
    run, alone, little = tmp_path / "run", tmp_path / "alone", ("--lr", "1e-7", "--set", f"decay_steps={STEPS}")
    command = [*TORCHRUN, data, "--out", run, *TRAIN, "--set", "accumulate=1", "--steps", "6", *little]
    done = python(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done: 6 steps") == 1, "one of them speaks"
    assert train(data, alone, 6, "--set", "accumulate=2", *little)[0] == 0
    assert losses_of(run) == pytest.approx(losses_of(alone), rel=1e-5)
    code, said = resumed(run, 8)
    assert code == 0
    assert "processes is 1 here and was 2: the same training up to rounding, not bit for bit" in said


@pytest.mark.long
def test_shards_train_as_copies_do_and_one_process_samples_from_them(data, tmp_path):
    """With previews, which all processes generate together, and the command's own formats."""
    losses = []
    for shard in ("true", "false"):
        run = tmp_path / shard
        more = keys("sample_every=2", f"decay_steps={STEPS}", f"shard={shard}")
        done = python(*TORCHRUN, data, "--out", run, *TRAIN, "--steps", "4", "--lr", "1e-7", *more)
        assert done.returncode == 0, done.stderr
        assert len(list((run / "samples").iterdir())) == 2
        assert "warning" not in done.stderr
        losses.append(losses_of(run))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert finished(start("sample", tmp_path / "true", "-n", 1, "--steps", 1, "--out", tmp_path / "one.png"))[0] == 0
    assert resumed(tmp_path / "true", 5)[0] == 0


REFUSALS = {
    "a run is there": (2, 1, "run already holds a run: resume it with --resume, or give another --out"),
    "it is in use": (6, 1, "is in use by process"),
    "nothing can be saved": (4, 1, "checkpoints: cannot be written (File exists)"),
    "an option": (2, 0, "--steps must be an integer from 1 to 1000000000, got 0"),
    "no images": (3, 1, "the folder is empty; expected images in it"),
}
"""Why two processes do not start: the exit code, --steps, and the message; only the first process finds the first three."""


@pytest.mark.parametrize(
    "why", ["it is in use", *(pytest.param(why, marks=pytest.mark.long) for why in REFUSALS if why != "it is in use")]
)
def test_all_processes_end_if_the_first_refuses(data, tmp_path, why):
    """They would wait for the first: torchrun ends them by SIGTERM, without the SIGKILL that it sends 30 seconds later."""
    code, steps, message = REFUSALS[why]
    run, empty = tmp_path / "run", tmp_path / "empty"
    for folder in (run, empty):
        folder.mkdir()
    if why == "a run is there":
        (run / "config.json").write_text("{}")
    elif why == "nothing can be saved":
        (run / "checkpoints").touch()
    command = [*TORCHRUN, empty if why == "no images" else data, "--out", run, "--steps", steps]
    with locked(run) if why == "it is in use" else nullcontext():
        done = python(*command)
    assert done.returncode != 0
    assert message in done.stderr
    assert f"exitcode:{code}(pid:" in "".join(done.stderr.split())
    assert "SIGKILL" not in done.stderr
    assert not (run / "log.jsonl").exists()


def losses_of(run):
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_processes_of_a_killed_torchrun_keep_the_lock(data, tmp_path):
    """SIGKILL of torchrun leaves its processes behind: they keep the lock until they end."""
    run = tmp_path / "run"
    command = [*TORCHRUN, data, "--out", run, *TRAIN, "--steps", "1000000"]
    with PythonProcess(*command) as torchrun:
        wait_for(run, 3, torchrun)
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
