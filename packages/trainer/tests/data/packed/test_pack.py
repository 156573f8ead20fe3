"""Packed images are the folder's, made once, again when it changes, and whole whenever somebody else looks."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from diffkit_trainer import DataError, cache_folder, open_images, pack
from forks import Fork
from PIL import Image

TESTS = Path(__file__).parents[2]


def fill(folder, count=20, mode="RGB"):
    chance = torch.Generator().manual_seed(0)
    for i in range(count):
        path = folder / ("red", "blue")[i % 2] / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        bands = {"L": 1, "RGB": 3}[mode]
        noise = torch.randint(0, 256, (9 * 7 * bands,), generator=chance)
        Image.frombytes(mode, (9, 7), bytes(noise.tolist())).save(path)
    return folder


@pytest.fixture
def data(tmp_path):
    return fill(tmp_path / "data")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """More than the journal takes in a line."""
    return fill(tmp_path_factory.mktemp("module") / "many", 700)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def equal(one, other):
    assert torch.equal(one.pixels, other.pixels)
    assert torch.equal(one.labels, other.labels)
    assert (one.classes, one.name, one.fingerprint, one.skipped) == (other.classes, other.name, other.fingerprint, other.skipped)


@pytest.mark.parametrize("modes", [("RGB",), ("L",), ("L", "RGB"), ("RGB", "L")])
def test_packed_is_the_folder_itself(tmp_path, modes):
    for k, mode in enumerate(modes):
        fill(tmp_path / "mixed" / f"{k}", 6, mode)
    expected, calls = open_images(tmp_path / "mixed", 8), []
    equal(pack(tmp_path / "mixed", 8, on_progress=lambda *call: calls.append(call)), expected)
    total = 6 * len(modes)
    assert calls == [(i + 1, total) for i in range(total)]
    equal(pack(tmp_path / "mixed", 8, on_progress=lambda *call: calls.append(call)), expected)
    assert len(calls) == total, "nothing is decoded again"
    (folder,) = [path for path in (cache_folder() / "packed").iterdir() if path.is_dir()]
    assert (folder / "pixels").stat().st_size == expected.pixels.numel()


def test_what_has_changed_is_packed_again(data):
    assert pack(data, 8).shape == (3, 8, 8)
    assert pack(data, 4).shape == (3, 4, 4)
    first = pack(data, 8)
    path = data / "red" / "0000.png"
    before = path.stat()
    Image.new("RGB", (9, 7), "white").save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert pack(data, 8).pixels[10].min() == 255, "blue/ comes first"
    assert first.pixels[10].min() < 255, "what was open stays as it was"
    path.unlink()
    assert len(pack(data, 8)) == 19
    (data / "red" / "0002.png").rename(data / "red" / "9999.png")
    equal(pack(data, 8), open_images(data, 8))


def test_a_training_goes_on_when_the_folder_is_gone(data):
    """Row 38."""
    import shutil

    from diffkit_schedules import offset_cosine
    from diffkit_trainer import Trainer
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 1)

        def forward(self, x, level):
            return self.layer(x)

    it = Trainer(Network(), pack(data, 8), offset_cosine(), batch_size=8)
    shutil.rmtree(data)
    assert [step for step, _ in it.run(6)] == [1, 2, 3, 4, 5, 6]
    it.check()
    with pytest.raises(DataError, match="no such folder"):
        pack(data, 8)


def test_bad_files_are_named_and_not_read_again(data):
    """Row 26 for packed images."""
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
    equal(images, open_images(data, 8, skip_bad=True))
    assert (len(images), calls) == (20, [])


def test_nothing_but_bad_files(tmp_path):
    (tmp_path / "a.png").touch()
    for skip_bad, way_out in ((False, "remove them"), (True, "no image is left")):
        with pytest.raises(DataError, match=rf"1 of 1 files cannot be read as images: a\.png \(empty\); {way_out}"):
            pack(tmp_path, 8, skip_bad=skip_bad)


def test_files_that_change_while_they_are_read_are_noticed(data, cache):
    def touch(done, total):
        if done == 5:
            os.utime(data / "red" / "0000.png")

    with pytest.raises(DataError, match="files changed while they were read; try again"):
        pack(data, 8, on_progress=touch)
    equal(pack(data, 8), open_images(data, 8))


PACK = """
import os, sys
from diffkit_trainer import pack
calls = []
def progress(done, total):
    calls.append(done)
    if len(sys.argv) > 2 and done == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
images = pack(sys.argv[1], 8, on_progress=progress)
print(images.fingerprint, len(calls))
"""


def packing(*arguments):
    return Fork("-c", PACK, *arguments)


def test_packing_goes_on_where_it_was_killed(tmp_path, cache):
    data = fill(tmp_path / "many", 1300)
    for stop, least in ((700, 512), (1290, 1024)):
        with packing(data, stop) as process:
            assert process.wait() == -signal.SIGKILL
        (journal,) = cache.glob("packed/*.partial/journal")
        assert journal.read_text().count("\n") == least // 512
    with journal.open("a") as file:
        file.write('{"kinds": "cccc')  # as a power cut leaves it
    calls = []
    images = pack(data, 8, on_progress=lambda *call: calls.append(call))
    assert calls[0] == (1025, 1300)
    equal(images, open_images(data, 8))


def test_two_at_once_decode_once(tmp_path):
    data = fill(tmp_path / "many", 600)
    expected = open_images(data, 8).fingerprint
    processes = [packing(data) for _ in range(3)]
    said = [process.communicate()[0].split() for process in processes]
    assert [fingerprint for fingerprint, _ in said] == [expected] * 3
    assert sorted(int(count) for _, count in said) == [0, 0, 600]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "pixels cut off": ("pixels", lambda path: path.write_bytes(path.read_bytes()[:-1]), "pixels: damaged: expected 3840 bytes"),
    "a flipped byte": ("pixels", flip, "its bytes are not those that were packed"),
    "a flipped label": ("labels", flip, "its bytes are not those that were packed|labels must be in"),
    "no pixels": ("pixels", Path.unlink, "pixels: damaged: expected 3840 bytes"),
    "a FIFO of pixels": ("pixels", lambda path: (path.unlink(), os.mkfifo(path)), "pixels: damaged: expected 3840 bytes"),
    "an index that says nothing": ("index.json", lambda path: path.write_text("{}"), "index.json: damaged"),
    "an empty index": ("index.json", lambda path: path.write_text(""), "index.json: not the JSON"),
    "a flipped byte in the index": ("index.json", flip, "index.json: "),
    "no index": ("index.json", Path.unlink, "index.json: cannot be read"),
    "a FIFO of an index": ("index.json", lambda path: (path.unlink(), os.mkfifo(path)), "expected a regular file, found a FIFO"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_pack_is_said_and_packed_anew(data, cache, name):
    pack(data, 8)
    expected = open_images(data, 8)  # not what was packed: that is mapped, and damaged too
    file, damage, message = DAMAGE[name]
    (path,) = cache.glob(f"packed/*/{file}")
    damage(path)
    calls = []
    with pytest.warns(UserWarning, match=f"(?:{message}).*; packing these images anew") as caught:
        equal(pack(data, 8, on_progress=lambda *call: calls.append(call)), expected)
    assert (len(caught), "\n" in str(caught[0].message)) == (1, False)
    assert len(calls) == 20
    equal(pack(data, 8, on_progress=lambda *call: calls.append(call)), expected)
    assert len(calls) == 20, "it is whole again"


def test_a_pack_that_was_only_touched_is_read_once(data, cache):
    before = pack(data, 8)
    (pixels,), (index,) = cache.glob("packed/*/pixels"), cache.glob("packed/*/index.json")
    assert json.loads(index.read_text())["seen"]["pixels"][1:] == [
        *(pixels.stat().st_ino, pixels.stat().st_mtime_ns, pixels.stat().st_ctime_ns)
    ]
    os.utime(pixels)
    was = index.read_text()
    equal(pack(data, 8), before)
    assert index.read_text() != was, "the new times are known from now on"


def test_what_all_bytes_would_tell_is_kept_beside_them(data, cache):
    """Neither the fingerprint nor the statistics of what is packed are computed again: other pixels have the same ones."""
    before = open_images(data, 8).statistics()
    images = pack(data, 8)
    images = pack(data, 8)
    images.pixels.zero_()  # in this process's memory alone
    assert images.statistics() == before
    assert images.fingerprint == open_images(data, 8).fingerprint
    equal(pack(data, 8), open_images(data, 8))


@pytest.mark.parametrize(
    "damage",
    [
        lambda journal, pixels: journal.write_text("{}\n"),
        lambda journal, pixels: journal.write_text(journal.read_text().replace("c", "g", 1)),
        lambda journal, pixels: journal.write_text(journal.read_text() * 9),
        lambda journal, pixels: (journal.unlink(), os.mkfifo(journal)),
        lambda journal, pixels: pixels.write_bytes(pixels.read_bytes()[:999]),
        lambda journal, pixels: pixels.unlink(),
    ],
    ids=["{}", "flipped", "too long", "a FIFO", "pixels cut off", "no pixels"],
)
def test_a_damaged_journal_is_not_believed(many, cache, damage):
    class StoppedError(Exception):
        pass

    def stop(done, total):
        if done == 600:
            raise StoppedError

    with pytest.raises(StoppedError):
        pack(many, 8, on_progress=stop)
    (partial,) = cache.glob("packed/*.partial")
    damage(partial / "journal", partial / "pixels")
    equal(pack(many, 8), open_images(many, 8))


def test_where_the_cache_lies(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("DIFFKIT_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "diffkit"
    monkeypatch.delenv("DIFFKIT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "diffkit"


# --- data set objects


class Indexed(torch.utils.data.Dataset):
    """As torch's data sets are: a length, items by index, and no IndexError at the end."""

    classes = ("cat", "dog")

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.full((3, 5, 6), i, dtype=torch.uint8), i % 2


class Feature:
    names = ("cat", "dog")


class Rows(list):
    """As Hugging Face's are: mappings, and what their columns mean."""

    features = {"label": Feature()}  # noqa: RUF012


def test_data_set_objects_of_every_kind():
    pictures = [Image.new("RGB", (6, 5), (i, i, i)) for i in range(4)]
    rows = Rows({"image": picture, "label": i % 2} for i, picture in enumerate(pictures))
    pairs = ((picture, i % 2) for i, picture in enumerate(pictures))
    for source, classes in ((Indexed(), ("cat", "dog")), (rows, ("cat", "dog")), (pairs, ("0", "1"))):
        images = open_images(source)
        assert (images.shape, images.classes, images.labels.tolist()) == ((3, 5, 6), classes, [0, 1, 0, 1])
        assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    bare = open_images(iter(pictures), size=4)
    assert (bare.shape, bare.labels) == ((3, 4, 4), None)
    greys = open_images([Image.new("L", (2, 2), 7), Image.new("RGB", (2, 2), (1, 2, 3))])
    assert greys.pixels[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "the data set is empty"),
        ([torch.rand(3, 4, 4)], "item 0 of the data set: expected a Pillow image or a uint8 tensor"),
        ([Image.new("L", (2, 2)), "a.png"], "item 1 of the data set: expected a Pillow image"),
        ([Image.new("L", (2, 3)), Image.new("L", (4, 5))], "item 1 of the data set is 4 x 5, the first is 2 x 3; pass a size"),
    ],
)
def test_what_is_no_image_is_named_by_its_number(source, message):
    with pytest.raises(DataError, match=message):
        open_images(source)
