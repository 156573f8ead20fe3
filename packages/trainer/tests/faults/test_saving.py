"""Whatever happens while a checkpoint is written: rows 1, 5, 6, 13, 16, 17 and 18 of the table of faults."""

import json
import os
import shutil
import signal
import stat
import threading

import pytest
import torch
from diffkit_trainer import DivergedError, RunError, Saver, checkpoints, load, resume, save, save_png, write_config
from diffkit_trainer.run.state import snapshot
from forks import python
from safetensors.torch import load_file, save_file
from tiny_trainer import CONFIG, everything, run_to, same, trainer
from torch.utils._python_dispatch import TorchDispatchMode


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    return tmp_path / "run"


# every file that is opened, renamed or removed is announced by Python itself: the child dies at the n-th of these
KILL_AT_EVERY_STAGE = """
import os, shutil, signal, sys
from pathlib import Path
from diffkit_trainer import checkpoints, load, resume, save
from tiny_trainer import CONFIG, trainer
run, keep, again = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "again"
template, it, reader = run.with_name("template"), trainer(), trainer()
shutil.copytree(run, template)
resume(run, it)
it.step = it.step + (0 if again else 1)
events = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir")
for n in range(1000):
    shutil.rmtree(run)
    shutil.copytree(template, run)
    child = os.fork()
    if not child:
        left = n
        def hook(event, arguments):
            global left
            if event in events:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        save(run, it, CONFIG, keep=keep)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    loaded = load(run)
    assert loaded.step in (3, 4) and not loaded.warnings, (n, loaded.step, loaded.warnings)
    resume(run, reader)
    if status == 0:
        break
    save(run, it, CONFIG, keep=keep)
    strays = [path.name for path in (run / "checkpoints").iterdir() if not path.name.isdigit()]
    assert strays == [] and load(run).step == it.step, (n, strays)
print(n)
"""


@pytest.mark.parametrize("again", ["next", "again"])
@pytest.mark.parametrize("keep", [1, 2])
def test_killed_at_every_stage_of_a_save_one_checkpoint_is_always_whole(run, keep, again):
    """Rows 1 and 6; "again" saves the step that is there already."""
    it = trainer()
    run_to(it, 3)
    save(run, it, CONFIG)
    done = python("-c", KILL_AT_EVERY_STAGE, run, keep, again)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25, "stages"


LIMITED = """
import resource, sys
from diffkit_trainer import RunError, save
from tiny_trainer import CONFIG, run_to, trainer
it = trainer()
run_to(it, 2)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    save(sys.argv[1], it, CONFIG)
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_write_that_fails_is_named_and_the_checkpoint_before_it_loads(run, limit):
    """Row 5 where the disk says yes at first: the kernel refuses every byte of a file beyond the limit."""
    it = trainer()
    run_to(it, 1)
    save(run, it, CONFIG)
    done = python("-c", LIMITED, run, limit)
    assert done.returncode == 0, done.stderr
    assert f"{run}/checkpoints/2: cannot be written" in done.stdout
    assert "bytes are needed" in done.stdout
    assert done.stdout.count("\n") == 1
    assert sorted(os.listdir(run / "checkpoints")) == ["1"]
    assert load(run).step == 1


def test_a_full_disk_is_named_with_the_bytes_needed(small_disk):
    """Row 5; where no disk can be mounted, the test above stands alone."""
    disk, it = small_disk("256k"), trainer()
    run = disk / "run"
    write_config(run, CONFIG)
    run_to(it, 1)
    save(run, it, CONFIG)
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 2**15))
    good = everything(it)
    run_to(it, 2)
    with pytest.raises(RunError, match=rf"{run}/checkpoints: [0-9]+ bytes are needed, [0-9]+ are free on this disk") as caught:
        save(run, it, CONFIG)
    assert "\n" not in str(caught.value)
    again = trainer()
    assert resume(run, again) == []
    same(everything(again), good)
    (disk / "other").unlink()
    assert save(run, it, CONFIG).name == "2"


def test_a_config_or_a_picture_that_does_not_fit_is_named_and_leaves_nothing(small_disk):
    """Row 5 for the files beside checkpoints."""
    disk = small_disk("64k")
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free))
    with pytest.raises(RunError, match=rf"{disk}/run: cannot be written \(No space left on device\)"):
        write_config(disk / "run", CONFIG)
    with pytest.raises(OSError, match=rf"No space left on device: '{disk}/a\.png'"):
        save_png(torch.zeros(1, 8, 8, dtype=torch.uint8), disk / "a.png")
    assert [path.name for path in disk.rglob("*") if path.is_file()] == ["other"]


def test_a_read_only_run_folder_is_refused_before_anything_is_trained(tmp_path):
    """Row 18, as a user for whom a folder can be read-only."""
    script = """if True:
        import os, sys
        from pathlib import Path
        from diffkit_trainer import RunError, locked, require_writable
        if os.geteuid() == 0:
            os.setuid(65534)
        for check in (locked(Path(sys.argv[1])).__enter__, lambda: require_writable(Path(sys.argv[1]))):
            try:
                check()
            except RunError as error:
                print(error)
    """
    folder = tmp_path / "run"
    folder.mkdir(mode=0o555)
    opened = {path: path.stat().st_mode for path in folder.parents if path.stat().st_mode & 0o005 != 0o005}
    try:
        for path, mode in opened.items():
            path.chmod(mode | 0o005)
        done = python("-c", script, folder)
    finally:
        for path, mode in opened.items():
            path.chmod(mode)
    assert done.stdout.splitlines() == [
        f"{folder}: cannot be written (Permission denied)",
        f"{folder}: cannot be written (Permission denied); give another --out",
    ], done.stderr


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_are_as_readable_as_the_umask_says(run, mask):
    """Row 17."""
    before = os.umask(mask)
    try:
        path = save(run, trainer(), CONFIG)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o666 & ~mask}


def test_a_save_never_changes_the_umask_of_other_threads(run, monkeypatch):
    """It is one for the whole process: a file that another thread made meanwhile would be open to all."""

    def touched(mask):
        raise AssertionError(f"umask({mask})")

    monkeypatch.setattr(os, "umask", touched)
    path = save(run, trainer(), CONFIG)
    assert len({file.stat().st_mode for file in path.iterdir()}) == 1


@pytest.mark.parametrize("background", [False, True])
def test_whatever_ends_a_save_no_temporary_folder_is_left(run, background, monkeypatch):
    it = trainer()
    monkeypatch.setattr(
        "diffkit_trainer.run.checkpoint.commit_folder", lambda *_: (_ for _ in ()).throw(MemoryError("too little"))
    )
    with pytest.raises(MemoryError), Saver(run) as saver:
        saver.save(it, CONFIG) if background else save(run, it, CONFIG)
    assert os.listdir(run / "checkpoints") == []


def test_what_else_lies_beside_the_checkpoints_is_left_alone(run):
    """Row 16."""
    folder = run / "checkpoints"
    for name in ("best", "007x", ".DS_Store", "3.tmp", "²"):
        (folder / name).mkdir(parents=True)
    (folder / "99").write_text("a file")
    it = trainer()
    run_to(it, 1)
    (folder / "99").unlink()
    save(run, it, CONFIG)
    assert load(run).step == 1
    assert sorted(os.listdir(folder)) == [".DS_Store", "007x", "1", "3.tmp", "best", "²"]


def test_a_newer_damaged_checkpoint_never_costs_the_one_that_is_written(run):
    """Falling back from 4 to 2 and saving 3: with keep=1 it is 3 that must be kept."""
    it = trainer()
    for step in (2, 4):
        run_to(it, step)
        save(run, it, CONFIG)
    (run / "checkpoints" / "4" / "state.json").write_text("{}")
    again = trainer()
    assert len(resume(run, again)) == 1
    run_to(again, 3)
    save(run, again, CONFIG, keep=1)
    assert [step for step, _ in checkpoints(run)] == [3]
    assert load(run).warnings == []


def test_a_newer_whole_checkpoint_is_never_overruled(run):
    """A run that goes on from its past would later be resumed at the wrong step: refused, and all is left as it was."""
    it, other = trainer(), trainer(seed=1)
    run_to(it, 4)
    save(run, it, CONFIG)
    run_to(other, 3)
    with pytest.raises(RunError, match=rf"{run}/checkpoints/4 is newer than step 3: resume it, or save to another folder"):
        save(run, other, CONFIG, keep=1)
    again = trainer()
    assert resume(run, again) == []
    same(everything(again), everything(it))
    assert sorted(os.listdir(run / "checkpoints")) == ["4"]


def test_a_newer_folder_without_a_manifest_is_somebody_elses_and_stays(run):
    """Row 16: named like a checkpoint, and not one of ours."""
    (run / "checkpoints" / "2024").mkdir(parents=True)
    (run / "checkpoints" / "2024" / "photo.png").write_text("mine")
    it = trainer()
    for step in (1, 2):
        run_to(it, step)
        save(run, it, CONFIG, keep=1)
    assert sorted(os.listdir(run / "checkpoints")) == ["2", "2024"]
    assert (run / "checkpoints" / "2024" / "photo.png").read_text() == "mine"
    loaded = load(run)
    assert loaded.step == 2
    assert len(loaded.warnings) == 1


class Copies(TorchDispatchMode):
    """Counts the tensors that are made by copying."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        self.count += function in (torch.ops.aten._to_copy.default, torch.ops.aten.clone.default)
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_snapshot_is_one_copy(channels_last):
    it = trainer(channels_last=channels_last)
    run_to(it, 1)
    with Copies() as copies:
        state = snapshot(it, copied=True)
    tensors = [value for values in state.tensors.values() for value in values.values()]
    assert copies.count - 1 == len(tensors), "and the sums of the log"
    assert all(value.is_contiguous() for value in tensors)


def test_the_last_few_and_every_nth_are_kept(run):
    it = trainer()
    for step in range(1, 8):
        run_to(it, step)
        save(run, it, CONFIG, keep=2, keep_every=3)
    assert [step for step, _ in checkpoints(run)] == [7, 6, 3]


# --- parts of the state that are wrong although the manifest agrees


def resign(folder):
    from diffkit_trainer.files.atomic import sha256

    manifest = {path.name: sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("step", None), ("step", -1), ("step", 1.5), ("step", 10**30), ("updates", "3"), ("ema_updates", True)),
        *(("sums", [1.0]), ("sums", ["a"] * 12), ("environment", 1), ("scale", [1])),
    ],
)
def test_each_part_of_the_state_is_named(run, key, value):
    """Row 13."""
    it = trainer()
    run_to(it, 1)
    path = save(run, it, CONFIG)
    numbers = json.loads((path / "state.json").read_text())
    numbers[key] = value
    (path / "state.json").write_text(json.dumps(numbers))
    resign(path)
    with pytest.raises(RunError, match=rf"state.json: {key}") as caught:
        resume(run, trainer())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("harm", ["missing", "extra", "shape", "dtype"])
@pytest.mark.parametrize("file", ["model", "ema", "optimizer"])
def test_each_tensor_of_the_state_is_named(run, file, harm):
    """Rows 13 and 21."""
    it = trainer()
    run_to(it, 1)
    path = save(run, it, CONFIG)
    tensors = load_file(path / f"{file}.safetensors")
    name = next(key for key in sorted(tensors) if tensors[key].ndim == 4)
    if harm == "missing":
        del tensors[name]
    elif harm == "extra":
        tensors["more"] = tensors[name].clone()
    else:
        tensors[name] = tensors[name][:-1].contiguous() if harm == "shape" else tensors[name].double()
    save_file(tensors, path / f"{file}.safetensors")
    resign(path)
    with pytest.raises(RunError, match=rf"{file}.safetensors: {'more' if harm == 'extra' else name}: expected .*, found "):
        resume(run, trainer())


# --- in the background


def test_saved_while_training_is_what_it_was_when_asked(run):
    it = trainer()
    run_to(it, 2)
    with Saver(run, keep=5) as saver:
        saver.save(it, CONFIG)
        good = everything(it)
        run_to(it, 6)
        saver.save(it, CONFIG)
    assert [step for step, _ in checkpoints(run)] == [6, 2]
    shutil.rmtree(run / "checkpoints" / "6")
    again = trainer()
    resume(run, again)
    same(everything(again), good)


def writers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("checkpoint")]


def test_what_fails_in_the_background_is_raised_by_the_next_save_or_at_the_end(run):
    it = trainer()
    (run / "checkpoints").write_text("in the way")
    saver = Saver(run)
    saver.save(it, CONFIG)
    for fails in (lambda: saver.save(it, CONFIG), lambda: saver.__exit__(None, None, None)):
        with pytest.raises(RunError, match="cannot be written"):
            fails()
    it.model.out.weight.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"), Saver(run) as saver:
        saver.save(it, CONFIG)
    assert writers() == []


def test_a_save_that_failed_does_not_keep_the_next_one_from_the_disk(run):
    it = trainer()
    (run / "checkpoints").write_text("in the way")
    with Saver(run) as saver:
        saver.save(it, CONFIG)
        while not saver._pending.done():
            pass
        (run / "checkpoints").unlink()
        run_to(it, 1)
        with pytest.raises(RunError, match="checkpoints/0: cannot be written"):
            saver.save(it, CONFIG)
    assert load(run).step == 1


@pytest.mark.parametrize("diverged", [False, True])
def test_a_save_that_failed_is_told_beside_another_error(run, diverged):
    it = trainer()
    (run / "checkpoints").write_text("in the way")

    def save_and_fail():
        with Saver(run) as saver:
            saver.save(it, CONFIG)
            if not diverged:
                raise KeyError("another")
            it.optimiser.bad_step.fill_(1)
            saver.save(it, CONFIG)

    with pytest.raises((KeyError, DivergedError)) as caught:
        save_and_fail()
    (note,) = caught.value.__notes__
    assert note.startswith(f"a checkpoint could not be written either: {run}/checkpoints/0: cannot be written")
    assert writers() == []


# the thread that writes stands still at its first look at the disk, until it is let go
STANDING_STILL = """
import sys, threading
from pathlib import Path
from diffkit_trainer import Saver, checkpoints, load
from tiny_trainer import CONFIG, run_to, trainer
run, it, reached, go = Path(sys.argv[1]), trainer(), threading.Event(), threading.Event()
def hook(event, arguments):
    if event == "os.mkdir" and threading.current_thread() is not threading.main_thread():
        reached.set()
        go.wait()
sys.addaudithook(hook)
run_to(it, 1)
with Saver(run) as saver:
    saver.save(it, CONFIG)
    reached.wait()
    run_to(it, 5)
    assert not list(checkpoints(run))
    go.set()
    saver.wait()
    assert load(run).step == 1
    saver.save(it, CONFIG)
assert load(run).step == it.step == 5
"""


def test_training_does_not_wait_for_the_disk_and_the_end_does(run):
    done = python("-c", STANDING_STILL, run)
    assert done.returncode == 0, done.stderr


def test_a_signal_kills_no_writing_thread(run):
    """SIGTERM that a handler takes, again and again, while a thread saves."""
    it = trainer()
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with Saver(run) as saver:
            for step in range(1, 6):
                run_to(it, step)
                saver.save(it, CONFIG)
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (len(seen), load(run).step) == (5, 5)
