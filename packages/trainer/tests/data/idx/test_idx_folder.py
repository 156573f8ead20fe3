"""Folders of IDX files, byte by byte."""

import gzip
import os
import struct

import pytest
import torch
from diffkit_trainer import DataError, open_images

PIXELS = bytes(range(24))  # 2 images of 3 x 4


def idx(*shape, data=b"", kind=0x08):
    return bytes((0, 0, kind, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + data


def write_pair(folder, prefix="train-", *, zipped=False, dot="-", images=None, labels=None):
    folder.mkdir(exist_ok=True)
    for kind, content in (
        ("images" + dot + "idx3", idx(2, 3, 4, data=PIXELS) if images is None else images),
        ("labels" + dot + "idx1", idx(2, data=b"\x02\x00") if labels is None else labels),
    ):
        path = folder / f"{prefix}{kind}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("prefix", ["", "train-", "t10k-"])
def test_pixels_and_labels_of_any_name(tmp_path, prefix, dot, zipped):
    images = open_images(write_pair(tmp_path / "mine", prefix, zipped=zipped, dot=dot))
    assert images.pixels.tolist() == torch.arange(24).view(2, 1, 3, 4).tolist()
    assert (images.labels.tolist(), images.labels.dtype) == ([2, 0], torch.int64)
    assert (images.classes, images.name) == (("0", "1", "2"), "mine")


def test_labels_may_be_missing(tmp_path):
    write_pair(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    images = open_images(tmp_path)
    assert (len(images), images.labels, images.classes) == (2, None, ())


def test_the_train_pair_is_preferred(tmp_path):
    write_pair(tmp_path, "t10k-", images=idx(2, 1, 1, data=b"\x01\x02"))
    write_pair(tmp_path, "train-", zipped=True, images=idx(2, 1, 1, data=b"\x07\x08"))
    assert open_images(tmp_path).pixels.flatten().tolist() == [7, 8]


def test_two_pairs_without_a_train_pair_are_refused(tmp_path):
    write_pair(tmp_path, "a-")
    write_pair(tmp_path, "b-")
    with pytest.raises(DataError, match="several IDX files of images: a-images-idx3-ubyte, b-images-idx3-ubyte; keep one"):
        open_images(tmp_path)


def test_idx_images_are_resized(tmp_path):
    write_pair(tmp_path, images=idx(2, 3, 4, data=bytes([50] * 12 + [60] * 12)))
    calls = []
    images = open_images(tmp_path, size=8, on_progress=lambda *call: calls.append(call))
    assert images.shape == (1, 8, 8)
    assert [image.unique().tolist() for image in images.pixels] == [[50], [60]]
    assert calls == [(1, 2), (2, 2)]
    assert open_images(tmp_path, size=(5, 2)).shape == (1, 5, 2)
    assert open_images(tmp_path, size=(3, 4)).pixels.equal(open_images(tmp_path).pixels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "found nothing, expected 00 00 08 03"),
        (b"\x00\x00", "found 00 00, expected 00 00 08 03"),
        (b"text, not bytes", "found 74 65 78 74, expected 00 00 08 03"),
        (idx(2, 3, 4, data=PIXELS, kind=0x0D), "found 00 00 0d 03, expected 00 00 08 03"),
        (idx(24, data=PIXELS), "found 00 00 08 01, expected 00 00 08 03"),
        (idx(2, 3, 4)[:9], "found 9 bytes, expected 16 bytes"),
        (idx(2, 3, 4, data=PIXELS[:-1]), "found 23 bytes, expected 24 bytes for the shape 2 x 3 x 4"),
        (idx(2, 3, 4, data=PIXELS + b"\0"), "found more than 24 bytes, expected 24 bytes for the shape 2 x 3 x 4"),
        (idx(2**31, 2**31, 2**31), "bytes announced, expected at most 4294967296"),
        (idx(1000, 1000, 1000), "found 0 bytes, expected 1000000000 bytes"),
        (idx(0, 3, 4), "holds 0 x 3 x 4 pixels; expected at least one image"),
        (idx(1, 1, 5000, data=bytes(5000)), "holds 1 x 1 x 5000 pixels; .* sides of 1 to 4096"),
        (idx(3, 1, 1, data=b"123"), "found 2 labels, expected 3, the number of images in train-images"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_damaged_files_are_named(tmp_path, images, message, zipped):
    write_pair(tmp_path, images=images, zipped=zipped)
    with pytest.raises(DataError, match=r"train-(images|labels).*" + message) as caught:
        open_images(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_labels_are_named(tmp_path):
    write_pair(tmp_path, labels=idx(2, data=b"\x00"))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: the data .* found 1 bytes, expected 2 bytes"):
        open_images(tmp_path)


def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match="no images"):
        open_images(tmp_path)
