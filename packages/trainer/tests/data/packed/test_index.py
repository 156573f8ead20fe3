"""The index of a pack: damage is noticed, and all bytes are read only when a file was touched."""

import json
import os
from pathlib import Path

import pytest
from diffkit_trainer import open_images, pack


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "pixels cut off": ("pixels", lambda path: path.write_bytes(path.read_bytes()[:-1]), "pixels: damaged: expected 3840 bytes"),
    "a flipped byte": ("pixels", flip, "its bytes do not match its fingerprint"),
    "a flipped label": ("labels", flip, "its bytes do not match its fingerprint|labels must be in"),
    "no pixels": ("pixels", Path.unlink, "pixels: damaged: expected 3840 bytes"),
    "a FIFO of pixels": ("pixels", lambda path: (path.unlink(), os.mkfifo(path)), "pixels: damaged: expected 3840 bytes"),
    "an empty object": ("index.json", lambda path: path.write_text("{}"), "index.json: damaged"),
    "an empty index": ("index.json", lambda path: path.write_text(""), "index.json: invalid JSON"),
    "another class": ("index.json", lambda path: path.write_text(path.read_text().replace('"red"', '"rad"')), "index.json: "),
    "no index": ("index.json", Path.unlink, "index.json: cannot be read"),
    "a FIFO of an index": ("index.json", lambda path: (path.unlink(), os.mkfifo(path)), "expected a regular file, found a FIFO"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_pack_is_packed_again_with_a_warning(data, cache, name, assert_equal):
    pack(data, 8)
    expected = open_images(data, 8)  # not from the pack, which is mapped and so damaged too
    file, damage, message = DAMAGE[name]
    (path,) = cache.glob(f"packed/*/{file}")
    damage(path)
    calls = []
    with pytest.warns(UserWarning, match=f"(?:{message}).*; packing these images again") as caught:
        assert_equal(pack(data, 8, on_progress=lambda *call: calls.append(call)), expected)
    assert (len(caught), "\n" in str(caught[0].message)) == (1, False)
    assert len(calls) == 20
    assert_equal(pack(data, 8, on_progress=lambda *call: calls.append(call)), expected)
    assert len(calls) == 20, "the new pack is valid"


def test_a_touched_pack_is_verified_once(data, cache, assert_equal):
    before = pack(data, 8)
    (pixels,), (index,) = cache.glob("packed/*/pixels"), cache.glob("packed/*/index.json")
    assert json.loads(index.read_text())["seen"]["pixels"][1:] == [
        *(pixels.stat().st_ino, pixels.stat().st_mtime_ns, pixels.stat().st_ctime_ns)
    ]
    os.utime(pixels)
    was = index.read_text()
    assert_equal(pack(data, 8), before)
    assert index.read_text() != was, "the index has the new times"


def test_fingerprint_and_statistics_are_read_from_the_index(data, cache, assert_equal):
    """They are not computed again: they stay the same after the pixels change in memory."""
    before = open_images(data, 8).statistics()
    images = pack(data, 8)
    images = pack(data, 8)
    images.pixels.zero_()  # in the memory of this process only
    assert images.statistics() == before
    assert images.fingerprint == open_images(data, 8).fingerprint
    assert_equal(pack(data, 8), open_images(data, 8))
