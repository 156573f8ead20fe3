"""A grid of images, pixel by pixel."""

import pytest
import torch
from diffkit_trainer import grid, grid_size, read_image, read_metadata, save_png
from diffkit_trainer.figures.grid import MAX_PIXELS
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image


def test_every_pixel_of_a_grid(numbered):
    image = image_to_tensor(grid(numbered(3), columns=2, padding=1, scale=1))[0]
    w = 255
    assert image.tolist() == [
        [w, w, w, w, w, w, w, w, w],
        [w, 1, 1, 1, w, 2, 2, 2, w],
        [w, 1, 1, 1, w, 2, 2, 2, w],
        [w, w, w, w, w, w, w, w, w],
        [w, 3, 3, 3, w, w, w, w, w],
        [w, 3, 3, 3, w, w, w, w, w],
        [w, w, w, w, w, w, w, w, w],
    ]


def test_enlarged_pixels_stay_sharp():
    pixels = torch.tensor([[[[10, 20], [30, 40]]]], dtype=torch.uint8)
    assert image_to_tensor(grid(pixels, padding=0, scale=2))[0].tolist() == [[10, 10, 20, 20]] * 2 + [[30, 30, 40, 40]] * 2


@pytest.mark.parametrize(("count", "cells"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (5, (3, 2)), (9, (3, 3)), (10, (4, 3))])
def test_default_grid_is_nearly_square(count, cells, numbered):
    assert grid(numbered(count, height=64, width=64), padding=0).size == (64 * cells[0], 64 * cells[1])


@pytest.mark.parametrize(("height", "scale"), [(8, 8), (28, 3), (32, 2), (64, 1), (100, 1)])
def test_default_scale_makes_images_at_least_64_high(height, scale, numbered):
    assert grid(numbered(1, height=height, width=height), padding=0).size == (height * scale, height * scale)


def test_grid_keeps_grey_and_colour(numbered):
    assert (grid(numbered(4, 3)).mode, grid(numbered(4, 1)).mode) == ("RGB", "L")


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (torch.zeros(2, 3, 4, 4), {}),
        (torch.zeros(2, 2, 4, 4, dtype=torch.uint8), {}),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), {}),
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), {}),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), {"columns": 0}),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), {"padding": -1}),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), {"scale": 0}),
    ],
)
def test_grid_refuses_other_pixels_and_options(pixels, options):
    with pytest.raises(ValueError, match="must be"):
        grid(pixels, **options)


def test_grid_size_is_the_size_of_the_grid(numbered):
    for count, size, columns in ((1, (8, 8), None), (7, (5, 40), 3), (12, (70, 9), 12)):
        assert grid(numbered(count, 1, *size), columns).size == grid_size(count, size, columns)


def test_captions_are_below_their_images(numbered):
    plain, captioned = (grid(numbered(3, 1, 64, 80), 2, captions=captions) for captions in ([], ["rose", "", "lily" * 9]))
    assert captioned.size == grid_size(3, (64, 80), 2, captioned=True) == (plain.width, plain.height + 2 * 16)
    cells = {}
    for i, (x, y) in enumerate([(2, 2), (84, 2), (2, 84), (84, 84)]):
        assert captioned.crop((x, y, x + 80, y + 64)).getextrema() == ((i + 1, i + 1) if i < 3 else (255, 255))
        cells[i] = captioned.crop((x, y + 64, x + 80, y + 82))
    assert cells[0].getextrema()[0] < 100, "black text"
    assert cells[1].getextrema() == cells[3].getextrema() == (255, 255)
    left, _, right, _ = Image.eval(cells[2], lambda value: 255 - value).getbbox()
    assert 0 <= left < right <= 80, "a long caption is cut to the width of its image"
    with pytest.raises(ValueError, match="3 images need one caption each, got 2"):
        grid(numbered(3), captions=["a", "b"])


def test_a_grid_with_too_many_pixels_is_refused():
    assert grid_size(20000, (8, 8)) == (142 * 66 + 2, 141 * 66 + 2)
    assert grid_size(40000, (8, 8)) == (200 * 10 + 2, 200 * 10 + 2), "not enlarged, because that would be too many"
    with pytest.raises(ValueError, match="1000000 images of 8x8 in one grid make 10002x10002 pixels, more than the 89478485"):
        grid_size(10**6, (8, 8))


def test_the_largest_grid_is_read_back_without_a_warning(tmp_path):
    """Pillow warns above its `MAX_IMAGE_PIXELS`, and every warning fails these tests."""
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS
    width, height = grid_size(40_000, (45, 45))
    assert 0.98 * MAX_PIXELS < width * height <= MAX_PIXELS
    save_png(Image.new("1", (width, height)), tmp_path / "grid.png", {"n": 40_000})
    assert read_metadata(tmp_path / "grid.png") == {"n": 40_000}
    assert read_image(tmp_path / "grid.png", (1, 2, 2)).tolist() == [[[0, 0], [0, 0]]]
