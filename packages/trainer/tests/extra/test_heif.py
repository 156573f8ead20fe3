"""HEIC files, as telephones write them, by the extra heif: pixels, orientation, content under another suffix, damage."""

import pytest
import torch
from diffkit_trainer import DataError, inspect_images, open_images, read_image
from diffkit_trainer.data.decode import missing_decoders
from PIL import Image

pytest.importorskip("pillow_heif")


@pytest.fixture
def photo():
    """Its left half is white, its right half black; it is wider than high."""
    assert "HEIF" not in missing_decoders()  # it registers the format
    image = Image.new("RGB", (96, 64), "black")
    image.paste("white", (0, 0, 48, 64))
    return image


def test_pixels_are_those_of_the_photograph(tmp_path, photo):
    for name in ("a.heic", "b.HIF", "c.jpg"):
        photo.save(tmp_path / name, format="HEIF", quality=90)
    images = open_images(tmp_path, size=8)
    assert (len(images), images.shape, images.warnings) == (3, (3, 8, 8), ())
    assert (images.pixels[..., :3].min() > 240, images.pixels[..., 5:].max() < 15) == (True, True)
    report = inspect_images(tmp_path)
    assert {image.size for image in report.images} == {(96, 64)}
    assert torch.equal(read_image(tmp_path / "c.jpg", (3, 8, 8)), images.pixels[0])


def test_orientation_is_applied(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored left side is the top of the image; stored as the rotation that decoders apply
    photo.save(tmp_path / "a.heic", exif=exif.tobytes(), quality=90)
    pixels = open_images(tmp_path).pixels[0]
    assert pixels.shape == (3, 96, 64)
    assert (pixels[:, :46].min() > 240, pixels[:, 50:].max() < 15) == (True, True)


def test_a_truncated_file_is_refused(tmp_path, photo):
    photo.save(tmp_path / "a.heic")
    data = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(data[: len(data) - 40])
    with pytest.raises(DataError, match=r"1 of 1 files cannot be read as images: a\.heic \("):
        open_images(tmp_path)
