"""Locks, packed images and checkpoints on Windows, or on Linux without what Windows lacks: see testing/like_windows.py."""

import re
import shutil
import sys

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="on Windows, or Linux made like it")

CODE = """
import sys
if sys.platform != "win32":
    from testing.like_windows import become_like_windows
    become_like_windows()

import threading
from pathlib import Path
import torch
from diffkit_schedules import linear
from diffkit_trainer import LockedError, RunError, Trainer, checkpoints, load, locked, pack, save
from diffkit_trainer.files.lock import wait_for_lock
from diffkit_trainer.files.regular_file import read_file


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, condition):
        return self.layer(x)



run = Path("run")
with locked(run):
    try:
        with locked(run):
            print("two processes hold one lock")
    except LockedError as error:
        print(error)

waited = threading.Thread(target=lambda: wait_for_lock(Path("a.lock")).__enter__())
with wait_for_lock(Path("a.lock")):
    waited.start()
    waited.join(0.05)
    print("waits:", waited.is_alive())
waited.join()

Path("lines").write_bytes(b"a\\r\\nb\\x1a")
Path("link").symlink_to("lines")
print(read_file(Path("lines"), 99))
try:
    read_file(Path("link"), 99)
except RunError as error:
    print(error)

images = pack("images", 8, cache=Path("cache"))
print(images.pixels.shape, images.classes)
del images
with next(Path("cache").rglob("pixels")).open("ab") as pixels:
    pixels.write(b"x")
print(len(pack("images", 8, cache=Path("cache"))))  # damaged: packed again
print(len(pack("images.zip", 8, cache=Path("cache"))))
greys = pack("greys", 8, cache=Path("cache"))
print(greys.pixels.shape)

trainer = Trainer(Network(), greys, linear(), batch_size=2)
for step in trainer.run(4):
    save(run, trainer, {}, keep=2)
print([step for step, _ in checkpoints(run)], load(run).step)
"""

EXPECTED = """\
run is in use by process {pid}: wait for it, or stop it
waits: True
b'a\\r\\nb\\x1a'
link: expected a regular file, found a link
torch.Size([4, 3, 8, 8]) ('a', 'b')
4
4
torch.Size([2, 1, 8, 8])
[4, 3] 4
"""


def test_locks_packs_and_checkpoints_work_with_what_windows_has(tmp_path, run_python):
    for name, mode in (("images/a/1", "RGB"), ("images/a/2", "L"), ("images/b/1", "RGB"), ("images/b/2", "L")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((8, 8), 50).convert(mode).save(tmp_path / f"{name}.png")
    (tmp_path / "greys").mkdir()
    for name in "12":
        Image.effect_noise((8, 8), 50).save(tmp_path / "greys" / f"{name}.png")
    shutil.make_archive(str(tmp_path / "images"), "zip", tmp_path / "images")
    done = run_python("-c", CODE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.sub("process [0-9]+", "process {pid}", done.stdout) == EXPECTED
