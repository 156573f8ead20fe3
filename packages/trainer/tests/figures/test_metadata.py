"""Metadata of an image that is damaged, too long or of a newer format."""

import pytest
from diffkit_trainer import DataError, read_metadata
from diffkit_trainer.figures.metadata import png_info
from PIL import Image


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected a JSON object"),
        ("{", "invalid JSON"),
        ("[" * 3000, "invalid JSON"),
        ("NaN " * 20000, "its metadata has 80000 characters, expected at most 65536"),
        ('{"format": 2}', "format 2"),
    ],
)
def test_invalid_metadata_is_refused(tmp_path, text, message):
    info = png_info({})
    info.chunks.clear()
    info.add_text("diffkit", text)
    Image.new("L", (1, 1)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(DataError, match=message):
        read_metadata(tmp_path / "a.png")


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("gif", {"comment": b"\xff mine"}), ("webp", {}), ("jpg", {})])
def test_an_image_without_metadata_is_refused(tmp_path, suffix, options):
    Image.new("L", (1, 1)).save(tmp_path / f"a.{suffix}", **options)
    with pytest.raises(DataError, match=rf"a\.{suffix}: has no diffkit metadata: it was not made by diffkit"):
        read_metadata(tmp_path / f"a.{suffix}")
