"""The bundled digits."""

import sys
from pathlib import Path

from diffkit_trainer import open_images


def test_digits_are_the_published_data_set():
    images = open_images()
    assert (len(images), images.shape, images.name) == (1797, (1, 8, 8), "digits")
    assert set(images.pixels.unique().tolist()) == {round(v * 255 / 16) for v in range(17)}
    assert images.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.classes == tuple("0123456789")
    first_row = [0, 0, 5, 13, 9, 1, 0, 0]  # of the first image, a zero
    assert images.pixels[0, 0, 0].tolist() == [round(v * 255 / 16) for v in first_row]


def test_digits_take_under_100_kb_and_name_their_source():
    folder = Path(sys.modules["diffkit_trainer"].__file__).parent / "digits"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
    assert "https://doi.org/10.24432/C50P49" in (folder / "README.md").read_text()


def test_a_folder_named_digits_takes_precedence(tmp_path, monkeypatch, write_image):
    write_image(tmp_path / "digits" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert open_images("digits").shape == (3, 4, 4)
