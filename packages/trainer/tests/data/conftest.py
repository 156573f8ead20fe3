"""Image files for the tests of data."""

import pytest
from PIL import Image


@pytest.fixture
def write_image():
    """A function that writes an image of one colour and gives its path."""

    def write(path, colour=(10, 20, 30), mode="RGB", size=(4, 4), **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, colour).save(path, **options)
        return path

    return write


@pytest.fixture
def gradient():
    """A function to an image whose pixels all differ."""

    def make(size=(8, 6)):
        image = Image.new("RGB", size)
        image.putdata([(20 * x, 30 * y, 10 * (x + y)) for y in range(size[1]) for x in range(size[0])])
        return image

    return make
