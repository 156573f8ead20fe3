"""Every image mode, EXIF orientation and shape, with known pixels."""

import pytest
import torch
from diffkit_trainer import DataError, open_images
from diffkit_trainer.data.colour_and_crop import EXIF_TRANSPOSES, crop
from diffkit_trainer.data.decode import decode
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def pixel(path, xy=(0, 0)):
    return decode(path).getpixel(xy)


@pytest.mark.parametrize(
    ("name", "mode", "value", "expected"),
    [
        ("a.png", "1", 1, 255),
        ("a.png", "L", 77, 77),
        ("a.png", "LA", (77, 255), 77),
        ("a.png", "LA", (77, 0), 255),
        ("a.png", "LA", (0, 51), 204),
        ("a.png", "RGB", (1, 2, 3), (1, 2, 3)),
        ("a.png", "RGBA", (9, 8, 7, 255), (9, 8, 7)),
        ("a.png", "RGBA", (9, 8, 7, 0), WHITE),
        ("a.png", "RGBA", (0, 255, 0, 51), (204, 255, 204)),
        ("a.tif", "CMYK", (0, 255, 255, 0), RED),
        ("a.tif", "CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("a.png", "I;16", 65535, 255),
        ("a.png", "I;16", 0x1234, 0x12),
        ("a.tif", "I;16", 255, 0),
        ("a.tif", "I;16B", 0x1234, 0x12),
        ("a.tif", "I", 65535, 255),
        ("a.tif", "I", 0x8001, 0x80),
        ("a.tif", "I", 70000, 255),
        ("a.tif", "I", -5, 0),
        ("a.tif", "F", 1.0, 255),
        ("a.tif", "F", 0.2, 51),
        ("a.tif", "F", 200.4, 200),
        ("a.tif", "F", 300.0, 255),
        ("a.tif", "F", -1.0, 0),
        ("a.pgm", "L", 5, 5),
        ("a.bmp", "RGB", (1, 2, 3), (1, 2, 3)),
        ("a.webp", "RGB", WHITE, WHITE),
    ],
)
def test_every_mode_gives_known_pixels(tmp_path, name, mode, value, expected, write_image):
    write_image(tmp_path / name, value, mode)
    assert pixel(tmp_path / name, (1, 2)) == expected
    assert open_images(tmp_path).shape == ((3 if isinstance(expected, tuple) else 1), 4, 4)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_transparent_palette_entry_becomes_white(tmp_path, name):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    image.save(tmp_path / name, transparency=1)
    assert (pixel(tmp_path / name), pixel(tmp_path / name, (1, 0))) == (RED, WHITE)


def test_a_translucent_palette_entry_is_blended_with_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=bytes([255, 51]))
    assert (pixel(tmp_path / "a.png"), pixel(tmp_path / "a.png", (1, 0))) == (RED, (204, 204, 255))


@pytest.mark.parametrize(("mode", "value", "key"), [("RGB", RED, RED), ("L", 9, 9)])
def test_the_transparent_colour_of_a_png_becomes_white(tmp_path, mode, value, key, write_image):
    write_image(tmp_path / "a.png", value, mode, transparency=key)
    assert pixel(tmp_path / "a.png") == (WHITE if mode == "RGB" else 255)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_float_images_that_are_not_finite_are_refused(tmp_path, bad, write_image):
    write_image(tmp_path / "a.tif", bad, "F")
    with pytest.raises(DataError, match=r"a\.tif \(holds NaN or an infinity\)"):
        open_images(tmp_path)


# EXIF orientation -> the upright pixels, from the meaning of stored rows and columns in the EXIF standard
UPRIGHT = {
    2: lambda x: x.flip(2),
    3: lambda x: x.flip(1, 2),
    4: lambda x: x.flip(1),
    5: lambda x: x.transpose(1, 2),
    6: lambda x: x.rot90(-1, (1, 2)),
    7: lambda x: x.transpose(1, 2).flip(1, 2),
    8: lambda x: x.rot90(1, (1, 2)),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", sorted(EXIF_TRANSPOSES))
def test_exif_orientation_turns_the_pixels_upright(tmp_path, orientation, suffix, gradient):
    exif = Image.Exif()
    exif[0x0112] = orientation
    gradient().save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    expected = UPRIGHT[orientation](image_to_tensor(gradient()))
    assert torch.equal(open_images(tmp_path).pixels[0], expected)


def test_grey_images_stay_grey_unless_one_has_colour(tmp_path, write_image):
    write_image(tmp_path / "a.png", 7, "L")
    write_image(tmp_path / "b.png", 1, "1")
    assert open_images(tmp_path).pixels[:, :, 0, 0].tolist() == [[7], [255]]
    write_image(tmp_path / "c.png", (1, 2, 3))
    write_image(tmp_path / "d.png", 9, "L")
    assert open_images(tmp_path).pixels[:, :, 0, 0].tolist() == [[7, 7, 7], [255, 255, 255], [1, 2, 3], [9, 9, 9]]


@pytest.mark.parametrize("size", [16, (6, 40), (4096, 1)])
@pytest.mark.parametrize("shape", [(1, 1), (10000, 1), (1, 10000), (3, 5), (16, 16), (40, 17)])
def test_any_shape_becomes_any_size(tmp_path, shape, size, write_image):
    write_image(tmp_path / "a.png", 99, "L", shape)
    pixels = open_images(tmp_path, size=size).pixels
    assert pixels.shape == (1, 1, *(size if isinstance(size, tuple) else (size, size)))
    assert pixels.unique().tolist() == [99]


def test_a_crop_without_resize_changes_no_pixel(gradient):
    image = gradient((9, 4))
    assert torch.equal(image_to_tensor(crop(image, (4, 4))), image_to_tensor(image)[:, :, 2:6])
    assert torch.equal(image_to_tensor(crop(image, (4, 6))), image_to_tensor(image)[:, :, 1:7])
    assert torch.equal(image_to_tensor(crop(image, (1, 9))), image_to_tensor(image)[:, 1:2])
    assert crop(image, (4, 9)) is image


@pytest.mark.parametrize(
    ("shape", "size", "box"),
    [
        ((90, 40), (8, 8), (25, 0, 65, 40)),
        ((90, 40), (8, 12), (15, 0, 75, 40)),
        ((90, 40), (3, 9), (0, 5, 90, 35)),
        ((40, 91), (8, 8), (0, 25, 40, 65)),
        ((50, 20), (6, 9), (10, 0, 40, 20)),
    ],
)
def test_a_crop_is_the_centre_with_the_proportions_of_the_size(gradient, shape, size, box):
    image = gradient(shape)
    expected = image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
    assert crop(image, size).tobytes() == expected.tobytes()


def test_reduction_is_antialiased():
    board = Image.new("L", (64, 64))
    board.putdata([255 * ((x + y) % 2) for y in range(64) for x in range(64)])
    low, high = crop(board, (8, 8)).getextrema()
    assert 120 <= low <= high <= 135
