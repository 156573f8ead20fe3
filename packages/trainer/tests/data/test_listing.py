"""Which files of a folder are listed, and in what order."""

import os
import shutil
from pathlib import Path

import pytest
from diffkit_trainer import DataError, open_images
from diffkit_trainer.data.listing import list_images


def test_capital_suffixes_and_unicode_names_are_listed(tmp_path, write_image):
    for name in ("A.PNG", "b.WebP", "c.JPEG", "größe-图.png", "new\nline.gif", "d.tiff"):
        write_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    write_image(tmp_path / ".hidden.png")
    write_image(tmp_path / ".cache" / "e.png")
    assert len(open_images(tmp_path)) == 6


def test_names_that_are_not_utf8(tmp_path, write_image):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    shutil.copy(write_image(tmp_path / "a.png"), folder + b"/na\xefve.png")
    (tmp_path / "a.png").unlink()
    assert open_images(tmp_path).classes == ("caf\\xe9",)
    Path(os.fsdecode(folder + b"/na\xefve.png")).write_bytes(b"text")
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    assert "caf\\xe9/na\\xefve.png (not an image)" in str(caught.value)
    assert str(caught.value).encode("utf-8").count(b"\n") == 0


def test_link_loops_end_and_each_file_is_listed_once(tmp_path, write_image):
    root = tmp_path / "root"
    write_image(root / "m" / "a.png", 1, "L")
    write_image(tmp_path / "outside" / "b.png", 2, "L")
    write_image(tmp_path / "blob", 3, "L", format="PNG")
    (root / "m" / "up").symlink_to(root)
    (root / "m" / "self").symlink_to(root / "m")
    (root / "a-link-to-m").symlink_to(root / "m")
    (root / "again.png").symlink_to(root / "m" / "a.png")
    (root / "n1").symlink_to(tmp_path / "outside")
    (root / "n2").symlink_to(tmp_path / "outside")
    (root / "p").mkdir()
    (root / "p" / "c.png").symlink_to(tmp_path / "blob")
    (root / "p" / "d.png").symlink_to(tmp_path / "blob")
    assert list_images(root) == (root, ["m/a.png", "n1/b.png", "p/c.png"], [], {}, False, None, "")
    assert open_images(root).pixels[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_twenty_thousand_files_are_listed(tmp_path):
    for i in range(200):
        (tmp_path / f"{i:03d}").mkdir()
        for j in range(100):
            os.close(os.open(tmp_path / f"{i:03d}" / f"{j:02d}.png", os.O_CREAT))
    _, files, bad, *_ = list_images(tmp_path)
    assert (len(files), bad) == (20_000, [])
    assert files == sorted(files)


def test_each_kind_of_empty_folder_has_its_message(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text" / "sub").mkdir(parents=True)
    (tmp_path / "text" / "a.txt").write_text("no image")
    for name, message in {
        "missing": "no such folder",
        "empty": "the folder is empty",
        "text": r"no images in this folder or below it; left out: 1 TXT; looked for \.png .*\.jpg",
        "text/a.txt": "is a file, not a folder",
    }.items():
        with pytest.raises(DataError, match=message):
            open_images(tmp_path / name)
