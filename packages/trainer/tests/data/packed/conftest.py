"""Folders of images, a cache of their own for each test, and the comparison of packed with decoded images."""

import pytest
import torch
from PIL import Image


def _write_folder(folder, count=20, mode="RGB"):
    random = torch.Generator().manual_seed(0)
    for i in range(count):
        path = folder / ("red", "blue")[i % 2] / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = torch.randint(0, 256, (9 * 7 * len(mode),), generator=random)
        Image.frombytes(mode, (9, 7), bytes(noise.tolist())).save(path)
    return folder


@pytest.fixture(scope="session")
def write_folder():
    """A function that fills a folder with `count` images of random pixels in two classes."""
    return _write_folder


@pytest.fixture
def data(tmp_path):
    """A folder of 20 images."""
    return _write_folder(tmp_path / "data")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache folder of the test."""
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def assert_equal():
    """A function that compares two `Images` in all fields."""

    def check(one, other):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
        fields = ("classes", "name", "fingerprint", "skipped", "warnings", "files")
        assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]

    return check
