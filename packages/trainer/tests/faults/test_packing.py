"""Faults of the cache of packed images: a kill at every stage, a full disk, no cache, unused packs."""

import errno
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import torch
from diffkit_trainer import RunError, cache_folder, locked, open_images, pack
from diffkit_trainer.data.packed.cache import HOUR, MONTH
from diffkit_trainer.files.checksum_json import verify_checksum, with_checksum
from PIL import Image

SIZE = 64  # a plane is a page of memory: planes that are not written take no space on the disk


def write_folder(folder, modes):
    random = torch.Generator().manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i, mode in enumerate(modes):
        noise = torch.randint(0, 256, (SIZE * SIZE * len(mode),), generator=random)
        Image.frombytes(mode, (SIZE, SIZE), bytes(noise.tolist())).save(folder / f"{i:03d}.png", compress_level=0)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packed"


# --- kills

KILL_AT_EVERY_STAGE = """
import os, shutil, signal, sys
from diffkit_trainer import cache_folder, open_images, pack
data, size = sys.argv[1], int(sys.argv[2])
expected = open_images(data, size).fingerprint
events = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.utime", "os.listdir")
for n in range(1000):
    child = os.fork()
    if not child:
        left = n
        def hook(event, arguments):
            global left
            if event in events and str(cache_folder()) in str(arguments):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        pack(data, size)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert pack(data, size).pixels.sum() == open_images(data, size).pixels.sum(), n
    images = pack(data, size)
    images.__dict__.pop("fingerprint")  # computed from the pixels, not read from the index
    assert images.fingerprint == expected, n
    shutil.rmtree(cache_folder())
    if status == 0:
        break
print(n)
"""


@pytest.mark.parametrize("modes", [["L"] * 4, ["RGB", "L", "L", "RGB"]], ids=["grey", "mixed"])
def test_a_pack_killed_at_any_stage_is_completed_by_the_next_call(tmp_path, modes, run_python):
    done = run_python("-c", KILL_AT_EVERY_STAGE, write_folder(tmp_path / "data", modes), 8)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 12, "stages"


# --- disks


@pytest.fixture
def disk(small_disk, monkeypatch):
    """A real disk of 4 MB that holds the cache."""
    folder = small_disk("4m")
    monkeypatch.setenv("DIFFKIT_CACHE", str(folder / "cache"))
    return folder


FILL_UP = """
import shutil, sys
from pathlib import Path
from diffkit_trainer import RunError, pack
data, disk, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
def progress(done, total):
    if done == at:
        with (disk / "other").open("wb") as file:
            file.write(bytes(shutil.disk_usage(disk).free))
try:
    pack(data, 64, on_progress=progress)
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize("at", [20, 60], ids=["while decoding", "afterwards"])
@pytest.mark.parametrize("modes", [["L"] * 60, ["RGB", "L"] * 30], ids=["grey", "mixed"])
def test_a_disk_that_fills_up_while_packing_is_an_error_not_a_crash(tmp_path, disk, modes, at, run_python):
    """The copy of grey images, and the planes of grey images among coloured ones, are written after the last file."""
    data = write_folder(tmp_path / "data", modes)
    done = run_python("-c", FILL_UP, data, disk, at)
    assert done.returncode == 0, (done.returncode, done.stderr)
    needed = 4 * SIZE * SIZE * 60
    expected = rf"{disk}/cache/packed/[0-9a-f-]+\.partial: cannot be written \(No space left on device\); {needed} bytes are"
    assert re.match(expected, done.stdout), done.stdout
    assert done.stdout.count("\n") == 1
    (disk / "other").unlink()
    assert torch.equal(pack(data, SIZE).pixels, open_images(data, SIZE).pixels)


def test_a_disk_with_too_little_space_is_refused_before_decoding(tmp_path, disk):
    """Three planes for each image, and one more if all are grey."""
    data, calls = write_folder(tmp_path / "data", ["L"] * 60), []
    (disk / "other").write_bytes(bytes(3 * 2**20 + 2**19))
    with pytest.raises(
        RunError, match=rf"\.partial: {4 * SIZE * SIZE * 60} bytes are needed, [0-9]+ are free on this disk; make"
    ):
        pack(data, SIZE, on_progress=lambda *call: calls.append(call))
    assert calls == []


# --- no cache


def test_without_a_writable_cache_images_are_decoded_into_memory(tmp_path, cache):
    data = write_folder(tmp_path / "data", ["RGB", "L"])
    (tmp_path / "cache").write_text("a file")
    with pytest.warns(
        UserWarning,
        match=r"no cache for packed images \(.*/cache/packed.*: Not a directory\): decoding into memory; set DIFFKIT_CACHE",
    ):
        images = pack(data, SIZE)
    expected = open_images(data, SIZE)
    assert (images.fingerprint, images.name) == (expected.fingerprint, expected.name)
    assert torch.equal(images.pixels, expected.pixels)


HOMELESS = """
import os, sys, warnings
from PIL import Image
from diffkit_trainer import pack
Image.preinit()
os.setuid(54321)
with warnings.catch_warnings(record=True) as seen:
    print(len(pack(sys.argv[1], 8)), seen[0].message)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a home")
def test_without_a_home_images_are_decoded_into_memory(monkeypatch, run_python):
    for name in ("DIFFKIT_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), ["L"] * 3)
        Path(folder).chmod(0o755)
        done = run_python("-c", HOMELESS, folder)
    assert done.stdout.startswith("3 no cache for packed images (Could not determine home directory"), done.stderr


def test_a_read_only_cache_is_used(tmp_path, small_disk, monkeypatch):
    disk = small_disk("4m")
    monkeypatch.setenv("DIFFKIT_CACHE", str(disk))
    data, calls = write_folder(tmp_path / "data", ["L"] * 3), []
    pack(data, SIZE)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert len(pack(data, SIZE, on_progress=lambda *call: calls.append(call))) == 3
    assert calls == []


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch):
    """Local file systems support flock; some network file systems refuse it with this error."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("diffkit_trainer.files.system_lock.fcntl.flock", refuse)
    with (
        pytest.warns(UserWarning, match=r"run: this file system has no locks \(No locks available\)"),
        locked(tmp_path / "run"),
    ):
        assert (tmp_path / "run" / "lock").read_text() == str(os.getpid())
    data = write_folder(tmp_path / "data", ["L"] * 3)
    with pytest.warns(UserWarning, match="has no locks"):
        assert len(pack(data, SIZE)) == 3


def test_an_index_may_be_larger_than_a_checkpoint_s_json(tmp_path, cache):
    data = write_folder(tmp_path / "data", ["L"] * 3)
    pack(data, SIZE)
    (index,) = cache.glob("*/index.json")
    bad = [[f"{i:0240d}.png", "empty"] for i in range(40_000)]
    document = verify_checksum(json.loads(index.read_text()), index)
    index.write_text(json.dumps(with_checksum(document | {"bad": bad})))
    assert index.stat().st_size > 9 * 10**6
    assert len(pack(data, SIZE, skip_bad=True).skipped) == 40_000


# --- unused packs


def names_in(cache):
    return {path.name for path in cache.iterdir()}


def set_age(path, seconds):
    then = time.time() - seconds
    for each in (path, *(path.iterdir() if path.is_dir() else ())):
        os.utime(each, (then, then))


def test_unused_packs_are_removed(tmp_path, cache):
    one, other = write_folder(tmp_path / "one", ["L"] * 2), write_folder(tmp_path / "other", ["L"] * 2)
    pack(one, 8)
    (first,) = names_in(cache)
    set_age(cache / first, HOUR + 60)
    pack(other, 8)
    assert first in names_in(cache), "it was opened within a month"
    (second,) = names_in(cache) - {first}
    pack(one, 8)  # opened now: a process may be about to map it
    write_folder(one, ["L"] * 3)
    pack(one, 8)
    assert {first, second} < names_in(cache)
    mapped = pack(other, 8)
    set_age(cache / first, HOUR + 60)
    set_age(cache / second, MONTH + 60)
    for name in (f"{first}.partial", ".trash.x.1", "somebody's"):
        (cache / name).mkdir()
        set_age(cache / name, MONTH + 60)
    (cache / f"{first}.lock").touch()
    set_age(cache / f"{first}.lock", HOUR + 60)
    write_folder(one, ["L"] * 4)
    assert len(pack(one, 8)) == 4
    left = names_in(cache)
    assert "somebody's" in left
    assert len(left) == 3, "the last two packs of the data, and the folder of another program"
    assert {first, second}.isdisjoint({name.partition(".")[0] for name in left})
    assert torch.equal(mapped.pixels, open_images(other, 8).pixels), "a mapped pack stays mapped"


def test_packing_leaves_no_other_files(tmp_path, cache):
    pack(write_folder(tmp_path / "data", ["L"] * 2), 8)
    assert [path.is_dir() for path in cache.iterdir()] == [True]
    assert cache_folder() == cache.parent
    shutil.rmtree(cache)
