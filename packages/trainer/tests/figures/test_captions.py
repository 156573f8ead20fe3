"""Labels and titles next to images."""

import pytest
from diffkit_trainer import grid, labelled_grid, side_by_side
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image


def test_labels_are_left_of_their_rows(numbered):
    plain = grid(numbered(4, 1, 40, 40), 2, scale=1)
    image = labelled_grid(numbered(4, 1, 40, 40), ["one", "a longer one"], columns=2, scale=1)
    left = image.width - plain.width
    assert image.crop((left, 0, image.width, image.height)).tobytes() == plain.tobytes()
    rows = [image_to_tensor(image.crop((0, top, left, top + 42)))[0] for top in (0, 42)]
    starts = [int((row < 128).any(0).nonzero()[0]) for row in rows]
    assert starts[1] < starts[0], "labels end at the image, so the longer one starts further left"
    captioned = labelled_grid(numbered(4), ["one", "two"], columns=2, captions=["a", "b", "c", "d"])
    expected = grid(numbered(4), 2, captions=["a", "b", "c", "d"])
    assert captioned.crop((captioned.width - expected.width, 0, *captioned.size)).tobytes() == expected.tobytes()
    with pytest.raises(ValueError, match="2 rows need one label each, got 1"):
        labelled_grid(numbered(4), ["one"], columns=2)


def test_images_are_side_by_side_below_their_titles():
    images = [Image.new("RGB", (30, 20), "red"), Image.new("RGB", (40, 50), "blue")]
    figure = side_by_side(images, ["red", "blue"])
    assert figure.size == (30 + 8 + 40, 28 + 50)
    assert figure.crop((0, 28, 30, 48)).tobytes() == images[0].tobytes()
    assert figure.crop((38, 28, 78, 78)).tobytes() == images[1].tobytes()
    for left, right in ((0, 30), (38, 78)):
        assert figure.crop((left, 0, right, 28)).convert("L").getextrema()[0] < 100, "a black title"
    assert set(figure.crop((30, 0, 38, 78)).tobytes()) == {255}
    with pytest.raises(ValueError, match="got 2 images, 1 titles"):
        side_by_side(images, ["one"])
    with pytest.raises(ValueError, match="got 0 images"):
        side_by_side([], [])
