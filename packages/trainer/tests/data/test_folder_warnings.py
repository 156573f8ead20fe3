"""What is left out of a folder, and what is in no class, in a line each."""

import pytest
from diffkit_trainer import DataError, inspect_images, open_images, pack
from diffkit_trainer.data.decode import missing_decoders


def test_files_are_counted_by_kind(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    for name in ("notes.txt", "b/more.TXT", "b/film.mp4", "README", "weights.2024-01-01", ".hidden", "b/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert open_images(tmp_path).warnings == ("left out: 2 TXT, 2 other files, 1 MP4",)
    assert inspect_images(tmp_path).left_out == {"TXT": 2, "other file": 2, "MP4": 1}


def test_the_line_is_bounded(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    for i in range(20):
        (tmp_path / f"a.k{i:02d}").touch()
    assert open_images(tmp_path).warnings[0].endswith("1 K06, 1 K07 and 12 more kinds")


@pytest.mark.skipif("HEIF" not in missing_decoders(), reason="pillow-heif is installed")
def test_a_missing_decoder_is_named_with_what_installs_it(tmp_path, write_image):
    content = b"\0\0\0\x18ftypheic" + bytes(40)
    for name in ("a.heic", "b.HEIC"):
        (tmp_path / name).write_bytes(content)
    needs = r"left out: 2 HEIC; HEIC needs pip install 'diffkit-trainer\[heif\]'"
    with pytest.raises(DataError, match=f"no images in this folder or below it; {needs}; looked for"):
        open_images(tmp_path)
    write_image(tmp_path / "c.png")
    assert open_images(tmp_path).warnings == (needs.replace("\\", ""),)
    (tmp_path / "d.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"d\.jpg \(HEIF, which needs pip install 'diffkit-trainer\[heif\]'\)"):
        open_images(tmp_path)


@pytest.mark.parametrize("read", [open_images, pack], ids=["decoded", "packed"])
def test_images_in_no_class_are_named(tmp_path, write_image, monkeypatch, read):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    for i in range(6):
        write_image(tmp_path / "data" / ("rose", "tulip")[i % 2] / f"{i}.png")
    write_image(tmp_path / "data" / "stray.png")
    images = read(tmp_path / "data", 4)
    assert images.classes == ()
    assert images.warnings == ("no classes: 1 of 7 images is in no folder (stray.png); move it into that of its class",)
    for i in range(6):
        write_image(tmp_path / "data" / f"{i}.png")
    assert read(tmp_path / "data", 4).warnings == (), "most are in no folder"


SPLITS = {
    "train and test": (["train/rose/0", "train/tulip/1", "test/rose/2"], ("rose", "tulip"), [0, 1], "left out: 1 in test/"),
    "capitals": (["Training/rose/0", "Validation/rose/1", "Validation/2"], ("rose",), [0], "left out: 2 in Validation/"),
    "train alone": (["train/rose/0", "train/tulip/1"], ("rose", "tulip"), [0, 1], ""),
    "no classes": (["train/0", "val/1", "test/2"], (), [0], "left out: 1 in test/, 1 in val/"),
    "with others": (["train/0", "test/1", "2"], (), [0], "left out: 1 beside train/, 1 in test/"),
    "a class": (["train/0", "bus/1"], ("bus", "train"), [1, 0], ""),
    "two": (["train/0", "training/1"], ("train", "training"), [0, 1], ""),
    "trains among others": (["train/0", "1"], (), [1, 0], ""),
    "no training": (["test/0", "val/1"], ("test", "val"), [0, 1], ""),
}


@pytest.mark.parametrize("name", SPLITS)
def test_of_splits_the_training_images_are_read(tmp_path, write_image, monkeypatch, name):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    files, classes, expected, warning = SPLITS[name]
    for i, file in enumerate(files):
        write_image(tmp_path / "data" / f"{file}.png", i, "L")
    for images in (open_images(tmp_path / "data", 4), pack(tmp_path / "data", 4)):
        assert (images.classes, images.pixels[:, 0, 0, 0].tolist(), images.name) == (classes, expected, "data")
        assert images.warnings == ((warning,) if warning else ())


def test_generated_images_beside_splits_change_nothing(tmp_path, write_image):
    from diffkit_trainer import save_png
    from PIL import Image

    for name in ("rose", "tulip"):
        write_image(tmp_path / "train" / name / "a.png")
    before = open_images(tmp_path)
    save_png(Image.new("L", (4, 4)), tmp_path / "samples.png", {"command": "sample"})
    assert open_images(tmp_path).fingerprint == before.fingerprint
