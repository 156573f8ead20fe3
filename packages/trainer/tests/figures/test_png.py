"""PNG files of single images, grids and folders."""

import json
import os

import pytest
import torch
from diffkit_trainer import grid, read_metadata, save_images, save_png
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image
from PIL.PngImagePlugin import PngImageFile


def test_saved_images_carry_their_metadata(tmp_path, numbered):
    metadata = {"seed": 2**60, "eta": 0.1, "classes": ["Löwe"], "raw": False}
    save_png(numbered(1)[0], tmp_path / "a.png", metadata)
    assert read_metadata(tmp_path / "a.png") == metadata
    save_images(numbered(2), tmp_path / "two", metadata=[{"seed": 0}, {"seed": 1}])
    assert [read_metadata(tmp_path / "two" / f"0000{i}.png")["seed"] for i in (0, 1)] == [0, 1]
    with PngImageFile(tmp_path / "a.png") as image:
        assert json.loads(image.text["diffkit"]) == {"format": 1} | metadata, "a plain text chunk"


@pytest.mark.parametrize("pixels", [torch.zeros(3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)])
def test_save_png_refuses_other_pixels_before_it_writes(tmp_path, pixels):
    with pytest.raises(ValueError, match="must be"):
        save_png(pixels, tmp_path / "new" / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip_in_a_new_folder(tmp_path, channels):
    pixels = torch.randint(0, 256, (channels, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    save_png(pixels, tmp_path / "deep" / "er" / "a.png")
    with Image.open(tmp_path / "deep" / "er" / "a.png") as image:
        assert torch.equal(image_to_tensor(image), pixels)
    assert os.listdir(tmp_path / "deep" / "er") == ["a.png"]


def test_a_pillow_image_is_saved_as_it_is(tmp_path):
    image = Image.new("RGB", (3, 2), (1, 2, 3))
    save_png(image, tmp_path / "a.png", {"seed": 1})
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.tobytes() == image.tobytes()
    assert read_metadata(tmp_path / "a.png") == {"seed": 1}


def test_png_has_the_permissions_of_a_new_file(tmp_path, numbered):
    save_png(numbered(1)[0], tmp_path / "a.png")
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_save_images_to_a_png_writes_a_grid(tmp_path, numbered):
    assert save_images(numbered(6), tmp_path / "new" / "all.PNG", columns=3) == [tmp_path / "new" / "all.PNG"]
    with Image.open(tmp_path / "new" / "all.PNG") as image:
        assert image.tobytes() == grid(numbered(6), 3).tobytes()


def test_save_images_to_a_folder_writes_one_png_an_image(tmp_path, numbered):
    paths = save_images(numbered(12), tmp_path / "new" / "all")
    assert [path.name for path in paths] == [f"{i:05d}.png" for i in range(12)]
    assert sorted(os.listdir(tmp_path / "new" / "all")) == [path.name for path in paths]
    for i, path in enumerate(paths):
        with Image.open(path) as image:
            assert (image.size, image.getpixel((0, 0))) == ((3, 2), i + 1)


def test_a_failed_write_leaves_no_temporary_file(tmp_path, numbered):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        save_png(numbered(1)[0], tmp_path / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_folder_can_be_continued_at_a_number(tmp_path, numbered):
    save_images(numbered(2), tmp_path)
    paths = save_images(numbered(3), tmp_path, first=2)
    assert [path.name for path in paths] == ["00002.png", "00003.png", "00004.png"]
    assert len(os.listdir(tmp_path)) == 5
