"""A grid of images, pixel by pixel."""

import pytest
import torch
from diffkit_trainer import grid
from diffkit_trainer.pixels import image_to_tensor


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
