"""Images of 1 to 4 channels and of 16 bits: decoded and packed alike, and what has no such mode."""

import pytest
import torch
from diffkit_trainer import DataError, open_images, pack
from PIL import Image

GREY16 = [0, 1, 257, 65535, 40000, 12345]
RGBA = [(255, 0, 0, 0), (1, 2, 3, 128), (9, 9, 9, 255), (0, 255, 0, 7), (0, 0, 255, 1), (5, 6, 7, 8)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A function that writes an image of 3 x 2 pixels."""
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))

    def write(mode, values, name="a.png"):
        (tmp_path / "images").mkdir(exist_ok=True)
        image = Image.new(mode, (3, 2))
        image.putdata(values)
        image.save(tmp_path / "images" / name)
        return tmp_path / "images"

    return write


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGBA", [[each[k] for each in RGBA] for k in range(4)]),
        ("RGB", [[255, 127 + 1, 9, 248, 254, 247], [255, 129 - 1, 9, 255, 254, 247], [255, 129, 9, 248, 255, 247]]),
    ],
)
def test_transparency_is_kept_or_blended_with_white(folder, mode, expected):
    path = folder("RGBA", RGBA)
    found = open_images(path, mode=mode)
    assert found.shape == (len(mode), 2, 3)
    torch.testing.assert_close(found.pixels[0].flatten(1).int(), torch.tensor(expected, dtype=torch.int32), atol=1, rtol=0)


@pytest.mark.parametrize("mode", [None, "L", "LA", "RGB", "RGBA", "L16"])
def test_a_pack_is_what_is_decoded(folder, mode):
    path = folder("L", [0, 1, 2, 100, 200, 255])
    folder("LA" if mode != "L16" else "L", [(9, 3)] * 6 if mode != "L16" else [9] * 6, "b.png")
    for size in ((2, 3), 4):
        packed, decoded = pack(path, size, mode=mode), open_images(path, size, mode=mode)
        assert torch.equal(packed.pixels, decoded.pixels)
        assert (packed.fingerprint, packed.statistics()) == (decoded.fingerprint, decoded.statistics())
        assert torch.equal(pack(path, size, mode=mode).pixels, decoded.pixels)


def test_sixteen_bits_of_grey_are_kept(folder):
    found = open_images(folder("I;16", GREY16), mode="L16")
    assert (found.shape, found.pixels.dtype) == ((1, 2, 3), torch.float32)
    assert (found.pixels.double().flatten() * 65535).round().int().tolist() == GREY16
    assert open_images(folder("L", [0, 51, 255] * 2), mode="L16").pixels.unique().tolist() == pytest.approx([0, 0.2, 1])
    assert open_images(folder("I;16", GREY16)).pixels.flatten().tolist() == [value >> 8 for value in GREY16]


def test_colour_has_no_16_bits_and_other_data_no_mode(folder):
    with pytest.raises(DataError, match=r"a.png \(of mode RGBA, expected grey of 8 or 16 bits for mode L16\)"):
        open_images(folder("RGBA", RGBA), mode="L16")
    with pytest.raises(ValueError, match="mode is for data of the kind folder or archive or saved, got digits"):
        open_images("digits", mode="RGBA")
