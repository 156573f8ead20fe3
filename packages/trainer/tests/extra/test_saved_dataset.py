"""Data sets that Hugging Face's package saved to a folder, by the extra datasets: images, classes, splits, packs and damage."""

import pytest
import torch
from diffkit_trainer import DataError, inspect_images, open_images, pack
from diffkit_trainer.data.sources import source_kind
from PIL import Image

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows():
    """Three images of two classes, and one whose bytes are no image at the end."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["tulip", "rose"]), "age": datasets.Value("int32")}
    )
    images = [Image.new("RGB", (6, 4), (60 * i, 1, 2)) for i in range(3)]
    return datasets.Dataset.from_dict({"image": images, "label": [0, 1, 0], "age": [1, 2, 3]}, features=features)


def test_images_and_classes_are_those_of_the_data_set(tmp_path, rows):
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"test": rows.select([0]), "train": rows}).save_to_disk(tmp_path / "splits")
    for name in ("one", "splits"):
        assert source_kind(tmp_path / name) == "saved"
        found = open_images(tmp_path / name)
        assert (found.classes, found.labels.tolist()) == (("rose", "tulip"), [0, 1, 1])
        assert found.pixels[:, 0, 0, 0].tolist() == [60, 0, 120]
        assert found.files == ("rose/000000001", "tulip/000000000", "tulip/000000002")
        packed = pack(tmp_path / name, 4)
        assert torch.equal(packed.pixels, open_images(tmp_path / name, 4).pixels)
    assert [image.label for image in inspect_images(tmp_path / "one").images] == ["rose", "tulip", "tulip"]
    before = {path.name for path in (tmp_path / "one").iterdir()}
    assert before == {"state.json", "dataset_info.json", "data-00000-of-00001.arrow"}  # nothing was written


def test_what_cannot_be_read_is_named(tmp_path, rows):
    bad = rows.cast_column("image", datasets.Image(decode=False)).map(
        lambda row, i: {"image": {"bytes": b"none" if i == 1 else row["image"]["bytes"], "path": None}}, with_indices=True
    )
    bad.save_to_disk(tmp_path / "bad")
    with pytest.raises(DataError, match=r"bad: 1 of 3 files cannot be read as images: rose/000000001 \(not an image\)"):
        open_images(tmp_path / "bad")
    assert open_images(tmp_path / "bad", skip_bad=True).classes == ("tulip",)
    rows.remove_columns("image").save_to_disk(tmp_path / "numbers")
    with pytest.raises(
        DataError, match=r"numbers: no column of images named image or img; found label \(ClassLabel\), age \(Value\)"
    ):
        open_images(tmp_path / "numbers")
    rows.save_to_disk(tmp_path / "cut")
    (tmp_path / "cut" / "data-00000-of-00001.arrow").write_bytes(b"ARROW")
    with pytest.raises(DataError, match="cut: cannot be read") as error:
        open_images(tmp_path / "cut")
    assert "\n" not in str(error.value)
