"""Packed images equal the folder's, are packed once, and again when the folder changes."""

import os
import shutil

import pytest
from diffkit_schedules import offset_cosine
from diffkit_trainer import DataError, Trainer, cache_folder, open_images, pack
from PIL import Image
from torch import nn


@pytest.mark.parametrize("size", [8, (6, 9)])
@pytest.mark.parametrize("modes", [("RGB",), ("L",), ("L", "RGB"), ("RGB", "L")])
def test_packed_images_equal_the_folder_s(tmp_path, modes, size, write_folder, assert_equal):
    for k, mode in enumerate(modes):
        write_folder(tmp_path / "mixed" / f"{k}", 6, mode)
    expected, calls = open_images(tmp_path / "mixed", size), []
    assert_equal(pack(tmp_path / "mixed", size, on_progress=lambda *call: calls.append(call)), expected)
    total = 6 * len(modes)
    assert calls == [(i + 1, total) for i in range(total)]
    assert_equal(pack(tmp_path / "mixed", size, on_progress=lambda *call: calls.append(call)), expected)
    assert len(calls) == total, "nothing is decoded twice"
    (folder,) = [path for path in (cache_folder() / "packed").iterdir() if path.is_dir()]
    assert (folder / "pixels").stat().st_size == expected.pixels.numel()


def test_a_changed_folder_is_packed_again(data, assert_equal):
    assert pack(data, 8).shape == (3, 8, 8)
    assert pack(data, 4).shape == (3, 4, 4)
    assert pack(data, (4, 8)).shape == (3, 4, 8)
    first = pack(data, 8)
    path = data / "red" / "0000.png"
    before = path.stat()
    Image.new("RGB", (9, 7), "white").save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert pack(data, 8).pixels[10].min() == 255, "blue/ comes first"
    assert first.pixels[10].min() < 255, "an open pack stays as it was"
    path.unlink()
    assert len(pack(data, 8)) == 19
    (data / "red" / "0002.png").rename(data / "red" / "9999.png")
    assert_equal(pack(data, 8), open_images(data, 8))


def test_training_continues_after_the_folder_is_removed(data):

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 1)

        def forward(self, x, level):
            return self.layer(x)

    trainer = Trainer(Network(), pack(data, 8), offset_cosine(), batch_size=8)
    shutil.rmtree(data)
    assert [step for step, _ in trainer.run(6)] == [1, 2, 3, 4, 5, 6]
    trainer.check()
    with pytest.raises(DataError, match="no such folder"):
        pack(data, 8)


def test_bad_files_are_listed_and_read_once(data, assert_equal):
    """Packed."""
    (data / "red" / "text.png").write_text("no image")
    (data / "none.png").symlink_to(data / "nowhere")
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"2 of 22 files .*: none\.png \(dangling link.*red/text\.png \(not an image\); remove"
        ) as caught:
            pack(data, 8)
        assert [path.name for path, _ in caught.value.bad] == ["none.png", "text.png"]
    calls = []
    images = pack(data, 8, skip_bad=True, on_progress=lambda *call: calls.append(call))
    assert_equal(images, open_images(data, 8, skip_bad=True))
    assert (len(images), calls) == (20, [])


def test_a_folder_of_bad_files_only_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    for skip_bad, way_out in ((False, "remove them"), (True, "no image is left")):
        with pytest.raises(DataError, match=rf"1 of 1 files cannot be read as images: a\.png \(empty\); {way_out}"):
            pack(tmp_path, 8, skip_bad=skip_bad)


def test_files_that_change_while_they_are_read_are_refused(data, cache, assert_equal):
    def touch(done, total):
        if done == 5:
            os.utime(data / "red" / "0000.png")

    with pytest.raises(DataError, match="files changed while they were read; try again"):
        pack(data, 8, on_progress=touch)
    assert_equal(pack(data, 8), open_images(data, 8))


PACK = """
import sys
from diffkit_trainer import pack
calls = []
images = pack(sys.argv[1], 8, on_progress=lambda done, total: calls.append(done))
print(images.fingerprint, len(calls))
"""


def test_two_processes_decode_once(tmp_path, write_folder, start_python):
    data = write_folder(tmp_path / "many", 600)
    expected = open_images(data, 8).fingerprint
    processes = [start_python("-c", PACK, data) for _ in range(3)]
    printed = [process.communicate()[0].split() for process in processes]
    assert [fingerprint for fingerprint, _ in printed] == [expected] * 3
    assert sorted(int(count) for _, count in printed) == [0, 0, 600]
