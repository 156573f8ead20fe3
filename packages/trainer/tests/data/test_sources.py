"""The table of data sources, and the checks of `open_images`."""

import re

import pytest
import torch
from diffkit_trainer import Images, open_images
from diffkit_trainer.data.sources import SOURCES, source_kind


@pytest.mark.parametrize("size", [0, -1, 4097, (0, 5), (5, 4097)])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match=re.escape(f"size must be in 1 ... 4096, got {size}")):
        open_images("digits", size=size)


def test_each_source_has_its_kind(tmp_path, write_image):
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").touch()
    sources: list[object] = ["digits", [], tmp_path / "mnist", tmp_path / "images", tmp_path / "missing", "missing"]
    assert [source_kind(source) for source in sources] == ["digits", "dataset", "idx", "folder", "folder", "folder"]


def test_one_entry_adds_a_source(monkeypatch):
    """Before the others: the first kind that fits is used."""
    images = Images(torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    table = {"zip": (lambda source: str(source).endswith(".zip"), lambda source, size, **_: images), **SOURCES}
    monkeypatch.setattr("diffkit_trainer.data.sources.SOURCES", table)
    assert open_images("a.zip") is images
    assert source_kind("digits") == "digits"
