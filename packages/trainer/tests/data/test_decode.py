"""Decoding of single files: frames, reduced scale, damage and size limits."""

import warnings
import zlib

import pytest
import torch
from diffkit_trainer import DataError, open_images
from diffkit_trainer.data.decode import FORMATS, decode, missing_decoders
from diffkit_trainer.pixels import image_to_tensor
from PIL import Image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(("name", "suffix"), [(name, suffix) for name, suffixes in FORMATS.items() for suffix in suffixes])
def test_every_format_is_read_under_every_suffix(tmp_path, write_image, name, suffix):
    if name in missing_decoders():
        pytest.skip(missing_decoders()[name])
    options = {"lossless": True} if name == "WEBP" else {"quality": 100} if name in ("AVIF", "HEIF") else {}
    write_image(tmp_path / f"a{suffix}", (255, 255, 255), format=name, **options)
    assert open_images(tmp_path).pixels.unique().tolist() == [255]


@pytest.mark.parametrize("suffix", ["jpg", "avif"])
def test_orientation_at_reduced_scale(tmp_path, suffix):
    if suffix.upper() in missing_decoders():
        pytest.skip(missing_decoders()[suffix.upper()])
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored left side is the top of the image
    stored = Image.new("RGB", (640, 640), "black")
    stored.paste("white", (0, 0, 320, 640))
    stored.save(tmp_path / f"a.{suffix}", exif=exif, quality=95)
    pixels = open_images(tmp_path, size=8).pixels[0]
    assert pixels[:, :3].min() > 250
    assert pixels[:, 5:].max() < 5


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", b"nonsense", b""])
def test_an_image_with_damaged_exif_is_read(tmp_path, exif, write_image):
    write_image(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
    assert open_images(tmp_path).shape == (3, 4, 4)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_an_animation_gives_its_first_frame(tmp_path, name):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    images = open_images(tmp_path)
    assert len(images) == 1
    assert images.pixels[0, :, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(32, 32), (8, 60), (60, 8)])
def test_a_jpeg_at_reduced_scale_has_nearly_the_same_pixels(tmp_path, gradient, size, orientation):
    image, exif = gradient((8, 6)).resize((1024, 768), Image.Resampling.BICUBIC), Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", quality=95, exif=exif)
    image.save(tmp_path / "b.png", exif=exif)
    reduced, full = (image_to_tensor(decode(tmp_path / name, size)).int() for name in ("a.jpg", "b.png"))
    assert (reduced - full).abs().max() <= 4


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp", "tif", "avif"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    if suffix.upper() in missing_decoders():
        pytest.skip(missing_decoders()[suffix.upper()])
    path = tmp_path / f"a.{suffix}"
    noise = torch.randint(0, 256, (64 * 64 * 3,), generator=torch.Generator().manual_seed(0))
    Image.frombytes("RGB", (64, 64), bytes(noise.tolist())).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=rf"a\.{suffix} \((truncated|damaged|not an image)"):
        open_images(tmp_path)


@pytest.mark.parametrize("side", [13000, 20000])
def test_decompression_bombs_are_refused_with_their_size(tmp_path, side, write_image):
    path = tmp_path / "bomb.png"
    write_image(path, 0, "1", (8, 8))
    content = bytearray(path.read_bytes())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with (
        warnings.catch_warnings(record=True) as caught,
        pytest.raises(DataError, match=rf"bomb\.png \(too large: {side} x {side}, "),
    ):
        open_images(tmp_path, size=8)
    assert not caught
