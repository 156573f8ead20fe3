"""Grids and PNG files, pixel by pixel."""

import os

import pytest
import torch
from diffkit_trainer import animation_size, grid, grid_size, require_place, save_images, to_png
from diffkit_trainer.pixels import as_image, as_pixels, raw_bytes
from PIL import Image


def numbered(count, channels=1, height=2, width=3):
    values = torch.arange(1, count + 1, dtype=torch.uint8)
    return values.view(-1, 1, 1, 1).expand(count, channels, height, width)


def test_every_pixel_of_a_grid():
    picture = as_pixels(grid(numbered(3), columns=2, padding=1, scale=1))[0]
    w = 255
    assert picture.tolist() == [
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
    assert as_pixels(grid(pixels, padding=0, scale=2))[0].tolist() == [[10, 10, 20, 20]] * 2 + [[30, 30, 40, 40]] * 2


@pytest.mark.parametrize(("count", "cells"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (5, (3, 2)), (9, (3, 3)), (10, (4, 3))])
def test_near_a_square(count, cells):
    assert grid(numbered(count, height=64, width=64), padding=0).size == (64 * cells[0], 64 * cells[1])


@pytest.mark.parametrize(("height", "scale"), [(8, 8), (28, 3), (32, 2), (64, 1), (100, 1)])
def test_visible_by_default(height, scale):
    assert grid(numbered(1, height=height, width=height), padding=0).size == (height * scale, height * scale)


def test_the_size_of_a_grid_is_known_before_it():
    for count, size, columns in ((1, (8, 8), None), (7, (5, 40), 3), (12, (70, 9), 12)):
        assert grid(numbered(count, 1, *size), columns).size == grid_size(count, size, columns)


def test_a_grid_has_no_more_pixels_than_are_read_back():
    assert grid_size(20000, (8, 8)) == (142 * 66 + 2, 141 * 66 + 2)
    assert grid_size(40000, (8, 8)) == (200 * 10 + 2, 200 * 10 + 2), "not enlarged, where that would be too many"
    with pytest.raises(ValueError, match="1000000 images of 8x8 in one grid make 10002x10002 pixels, more than the 89478485"):
        grid_size(10**6, (8, 8))


def test_no_side_of_an_animation_is_longer_than_its_format_takes():
    assert animation_size(1, (16379, 64), "a.webp") == (68, 16383)
    with pytest.raises(ValueError, match="make 68x16384 pixels, at most 16383 a side"):
        animation_size(1, (16380, 64), "a.webp")
    assert animation_size(1, (16380, 64), "a.gif") == (68, 16384)


def test_a_place_is_tried_and_left_as_it_was(tmp_path):
    (tmp_path / "file").touch()
    for path in ("a.png", "new/er/a.png"):
        require_place(tmp_path / path)
    with pytest.raises(NotADirectoryError) as caught:
        require_place(tmp_path / "file" / "new" / "a.png")
    assert caught.value.filename == str(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_colour_and_grey():
    assert (grid(numbered(4, 3)).mode, grid(numbered(4, 1)).mode) == ("RGB", "L")


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (torch.zeros(2, 3, 4, 4), {}),
        (torch.zeros(2, 2, 4, 4, dtype=torch.uint8), {}),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), {}),
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), {}),
        (numbered(2), {"columns": 0}),
        (numbered(2), {"padding": -1}),
        (numbered(2), {"scale": 0}),
    ],
)
def test_grid_refuses(pixels, options):
    with pytest.raises(ValueError, match="must be"):
        grid(pixels, **options)


@pytest.mark.parametrize("pixels", [torch.zeros(3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)])
def test_png_refuses_before_it_touches_the_disk(tmp_path, pixels):
    with pytest.raises(ValueError, match="must be"):
        to_png(pixels, tmp_path / "new" / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_one_png_round_trips(tmp_path, channels):
    pixels = torch.randint(0, 256, (channels, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    to_png(pixels, tmp_path / "deep" / "er" / "a.png")
    with Image.open(tmp_path / "deep" / "er" / "a.png") as image:
        assert torch.equal(as_pixels(image), pixels)
    assert os.listdir(tmp_path / "deep" / "er") == ["a.png"]


def test_png_is_as_readable_as_any_new_file(tmp_path):
    to_png(numbered(1)[0], tmp_path / "a.png")
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_name_ending_in_png_is_one_grid(tmp_path):
    assert save_images(numbered(6), tmp_path / "new" / "all.PNG", columns=3) == [tmp_path / "new" / "all.PNG"]
    with Image.open(tmp_path / "new" / "all.PNG") as image:
        assert image.tobytes() == grid(numbered(6), 3).tobytes()


def test_another_name_is_a_folder_of_pngs_in_order(tmp_path):
    paths = save_images(numbered(12), tmp_path / "new" / "all")
    assert [path.name for path in paths] == [f"{i:05d}.png" for i in range(12)]
    assert sorted(os.listdir(tmp_path / "new" / "all")) == [path.name for path in paths]
    for i, path in enumerate(paths):
        with Image.open(path) as image:
            assert (image.size, image.getpixel((0, 0))) == ((3, 2), i + 1)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        to_png(numbered(1)[0], tmp_path / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]


def test_bytes_of_any_layout():
    pixels = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    assert bytes(raw_bytes(pixels.permute(2, 0, 1))) == bytes(pixels.permute(2, 0, 1).flatten().tolist())
    assert bytes(raw_bytes(pixels[:0])) == b""
    assert as_image(pixels[:1]).tobytes() == bytes(range(12))
