"""Pairs of images: by name, whatever their sizes, folders and formats; what has no pair is named."""

import re

import pytest
import torch
from diffkit_trainer import DataError, Images, open_images
from diffkit_trainer.data import with_given


@pytest.fixture
def folders(tmp_path, write_image):
    """Images of 8 x 8, and grey ones of 2 x 2 with the same names, in another order of formats."""
    for i, name in enumerate(("a/1", "a/2", "b/1")):
        write_image(tmp_path / "high" / f"{name}.png", (i, i, i), size=(8, 8))
        write_image(tmp_path / "low" / f"{name}.{('bmp', 'png', 'bmp')[i]}", 10 * i, mode="L", size=(2, 2))
    return tmp_path / "high", tmp_path / "low"


def test_files_are_paired_by_name_and_keep_their_sizes_and_channels(folders):
    high, low = map(open_images, folders)
    found = with_given(high, low)
    assert found.conditions["given"].shape == (3, 1, 2, 2)
    assert found.conditions["given"].unique().tolist() == [0, 10, 20]
    assert torch.equal(found.conditions["given"][:, 0, 0, 0], 10 * found.pixels[:, 0, 0, 0])
    assert (found.classes, found.warnings) == (high.classes, ())
    assert found.fingerprint not in (high.fingerprint, with_given(high, high).fingerprint)


def test_samples_without_files_are_paired_in_their_order():
    x, y = Images(torch.rand(3, 1, 8)), Images(torch.rand(3, 2, 8))
    assert torch.equal(with_given(x, y).conditions["given"], y.pixels)
    with pytest.raises(DataError, match="images: 2 samples, expected 3, one for each of images"):
        with_given(x, Images(y.pixels[:2]))
    with pytest.raises(DataError, match="samples 2 x 8 x 1, those of images are 1 x 8: the axes differ"):
        with_given(x, Images(y.pixels[..., None]))
    y.pixels[2, 1, 3] = torch.nan
    with pytest.raises(DataError, match="images: NaN or infinity in sample 2: remove them"):
        with_given(x, y)


def test_what_has_no_pair_is_named_or_left_out(folders, write_image):
    high, low = folders
    for name in ("a/1.bmp", "b/1.bmp"):
        (low / name).unlink()
    write_image(low / "extra.png", 0, mode="L", size=(2, 2))
    images, given = open_images(high), open_images(low)
    message = "low: no pair of 2 of 3 files of high: a/1.png, b/1.png; add them, remove these, or pass --skip-bad"
    with pytest.raises(DataError, match=re.escape(message)):
        with_given(images, given)
    found = with_given(images, given, skip_bad=True)
    assert (found.files, found.labels.tolist(), found.conditions["given"].flatten().tolist()) == (("a/2.png",), [0], [10] * 4)
    assert found.warnings[-2:] == (
        "no pair: 2 of 3 files of high, left out",
        "no pair: 1 of 2 files of low, left out",
    )
    with pytest.raises(DataError, match="no pair of 3 of 3 files of high"):
        with_given(images, Images(given.pixels[:1], files=("x.png",)), skip_bad=True)
