"""Saving under faults: kills, full and read-only disks, several processes."""

import os
import shutil
import stat

import pytest
import torch
from diffkit_trainer import RunError, Saver, load, resume, save, save_png, write_config

# Python announces every file that it opens, renames or removes: the child is killed at number n of these events
KILL_AT_EVERY_STAGE = """
import os, shutil, signal, sys
from pathlib import Path
from diffkit_trainer import checkpoints, load, resume, save
from conftest import CONFIG, make_trainer
run, keep, again = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "again"
template, trainer, reader = run.with_name("template"), make_trainer(), make_trainer()
shutil.copytree(run, template)
resume(run, trainer)
trainer.step = trainer.step + (0 if again else 1)
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
        save(run, trainer, CONFIG, keep=keep)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    loaded = load(run)
    assert loaded.step in (3, 4) and not loaded.warnings, (n, loaded.step, loaded.warnings)
    resume(run, reader)
    if status == 0:
        break
    save(run, trainer, CONFIG, keep=keep)
    strays = [path.name for path in (run / "checkpoints").iterdir() if not path.name.isdigit()]
    assert strays == [] and load(run).step == trainer.step, (n, strays)
print(n)
"""


@pytest.mark.parametrize("again", ["next", "again"])
@pytest.mark.parametrize("keep", [1, 2])
def test_after_a_kill_at_every_stage_of_a_save_a_checkpoint_is_valid(
    run, keep, again, make_trainer, train_to, config, run_script
):
    """The stage "again" saves a step that has a checkpoint already."""
    trainer = make_trainer()
    train_to(trainer, 3)
    save(run, trainer, config)
    done = run_script("-c", KILL_AT_EVERY_STAGE, run, keep, again)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25, "stages"


LIMITED = """
import resource, sys
from diffkit_trainer import RunError, save
from conftest import CONFIG, make_trainer, train_to
trainer = make_trainer()
train_to(trainer, 2)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    save(sys.argv[1], trainer, CONFIG)
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_failed_write_is_named_and_the_previous_checkpoint_loads(run, limit, make_trainer, train_to, config, run_script):
    """A disk that has free space: the kernel refuses every byte of a file beyond the limit."""
    trainer = make_trainer()
    train_to(trainer, 1)
    save(run, trainer, config)
    done = run_script("-c", LIMITED, run, limit)
    assert done.returncode == 0, done.stderr
    assert f"{run}/checkpoints/2: cannot be written" in done.stdout
    assert "bytes are needed" in done.stdout
    assert done.stdout.count("\n") == 1
    assert sorted(os.listdir(run / "checkpoints")) == ["1"]
    assert load(run).step == 1


def test_a_full_disk_is_named_with_the_bytes_needed(small_disk, config, train_to, state_of, make_trainer, assert_same_state):
    """Where no disk can be mounted, only the test above runs."""
    disk, trainer = small_disk("256k"), make_trainer()
    run = disk / "run"
    write_config(run, config)
    train_to(trainer, 1)
    save(run, trainer, config)
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 2**15))
    good = state_of(trainer)
    train_to(trainer, 2)
    with pytest.raises(RunError, match=rf"{run}/checkpoints: [0-9]+ bytes are needed, [0-9]+ are free on this disk") as caught:
        save(run, trainer, config)
    assert "\n" not in str(caught.value)
    again = make_trainer()
    assert resume(run, again) == []
    assert_same_state(state_of(again), good)
    (disk / "other").unlink()
    assert save(run, trainer, config).name == "2"


def test_a_config_or_an_image_that_does_not_fit_is_named_and_leaves_nothing(small_disk, config):
    """Other files than checkpoints."""
    disk = small_disk("64k")
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free))
    with pytest.raises(RunError, match=rf"{disk}/run: cannot be written \(No space left on device\)"):
        write_config(disk / "run", config)
    with pytest.raises(OSError, match=rf"No space left on device: '{disk}/a\.png'"):
        save_png(torch.zeros(1, 8, 8, dtype=torch.uint8), disk / "a.png")
    assert [path.name for path in disk.rglob("*") if path.is_file()] == ["other"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_files_of_a_checkpoint_follow_the_umask(run, mask, config, make_trainer):
    before = os.umask(mask)
    try:
        path = save(run, make_trainer(), config)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o666 & ~mask}


def test_save_never_changes_the_umask(run, monkeypatch, config, make_trainer):
    """The umask belongs to the process: a file of another thread would become readable by all."""

    def touched(mask):
        raise AssertionError(f"umask({mask})")

    monkeypatch.setattr(os, "umask", touched)
    path = save(run, make_trainer(), config)
    assert len({file.stat().st_mode for file in path.iterdir()}) == 1


@pytest.mark.parametrize("background", [False, True])
def test_a_failed_save_leaves_no_temporary_folder(run, background, monkeypatch, make_trainer, config):
    trainer = make_trainer()
    monkeypatch.setattr("diffkit_trainer.run.save.commit_folder", lambda *_: (_ for _ in ()).throw(MemoryError("too little")))
    with pytest.raises(MemoryError), Saver(run) as saver:
        saver.save(trainer, config) if background else save(run, trainer, config)
    assert os.listdir(run / "checkpoints") == []
