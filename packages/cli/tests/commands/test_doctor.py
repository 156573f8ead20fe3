"""diffkit doctor: what it counts in folders of known content."""

import gzip
import json
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from ..helpers import one_line


@pytest.fixture
def folder(tmp_path):
    """Two classes with a duplicate, a grey image, a transparent one, a long one, a truncated one and a text named .png."""
    data = tmp_path / "data"
    (data / "cat").mkdir(parents=True)
    (data / "dog").mkdir()
    noise = Image.effect_noise((80, 70), 50)
    Image.merge("RGB", (noise, noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT), noise)).save(data / "cat" / "a.png")
    shutil.copy(data / "cat" / "a.png", data / "dog" / "copy.png")
    noise.save(data / "cat" / "grey.png")
    noise.convert("RGB").save(data / "cat" / "grey as colour.webp", lossless=True)
    Image.new("RGBA", (64, 64), (9, 9, 9, 9)).save(data / "dog" / "glass.png")
    Image.new("RGB", (200, 40), "red").save(data / "dog" / "long.jpg")
    (data / "dog" / "cut.png").write_bytes((data / "cat" / "a.png").read_bytes()[:500])
    (data / "dog" / "text.png").write_text("no image")
    return data


def test_doctor_counts_sizes_modes_and_classes(folder, diffkit):
    code, out, _ = diffkit("doctor", folder, "--json")
    found = json.loads(out)
    assert code == 3
    assert (found["images"], found["trains"]) == (6, False)
    assert {(s["width"], s["height"]): s["images"] for s in found["sizes"]} == {(80, 70): 4, (64, 64): 1, (200, 40): 1}
    assert found["modes"] == {"RGB": 4, "L": 1, "RGBA": 1}
    assert found["classes"] == {"cat": 3, "dog": 3}
    assert found["bad"] == [
        {"file": "dog/cut.png", "reason": "truncated"},
        {"file": "dog/text.png", "reason": "not an image"},
    ]
    assert sorted(map(sorted, found["duplicates"])) == [
        ["cat/a.png", "dog/copy.png"],
        ["cat/grey as colour.webp", "cat/grey.png"],
    ]
    assert found["small"] == ["dog/long.jpg"]
    said = found["suggestions"]
    beginnings = (
        *("2 files", "1 of 6 images would", "in several classes: 1 image;", "2 duplicates of", "half or more of 1 image is"),
        *("grey", "some", "6 images may"),
    )
    assert [each.startswith(beginning) for each, beginning in zip(said, beginnings, strict=True)] == [True] * 8
    assert "--skip-bad" in said[0]
    assert said[1].endswith("remove them, or train at a smaller --size"), "one small image is no reason for small images"
    most = json.loads(diffkit("doctor", folder, "--size", 75, "--json")[1])["suggestions"][1]
    assert (most[:6], most[-13:]) == ("6 of 6", "try --size 40")
    assert "flip" not in said[-1], "the recipe of 64x64 mirrors already"
    assert "--set flip=true" in json.loads(diffkit("doctor", folder, "--size", 32, "--json")[1])["suggestions"][-1]


def test_grey_and_transparent_mean_the_same_as_in_training(tmp_path, diffkit):
    """16 bits in either order are grey; a palette may be transparent, and so may RGB."""
    for name, mode in (("grey", "L"), ("motorola", "I;16B"), ("intel", "I;16")):
        Image.new(mode, (64, 64)).save(tmp_path / f"{name}.tif")
    said = json.loads(diffkit("doctor", tmp_path, "--json")[1])["suggestions"]
    assert not any(each.startswith(("grey and colour", "some images are transparent")) for each in said)
    Image.new("P", (64, 64)).save(tmp_path / "palette.png", transparency=0)
    said = json.loads(diffkit("doctor", tmp_path, "--json")[1])["suggestions"]
    assert [any(each.startswith(begun) for each in said) for begun in ("grey and colour", "some images are transparent")] == [
        True
    ] * 2


def test_a_good_folder_trains(folder, diffkit):
    for name in ("cut.png", "text.png"):
        (folder / "dog" / name).unlink()
    code, out, _ = diffkit("doctor", folder)
    assert code == 0
    lines = {line.split("  ")[0].strip(): line for line in out.splitlines()}
    assert lines["cannot be read"].endswith("none  ") or "none" in lines["cannot be read"]
    assert "cat/a.png = dog/copy.png" in out
    assert "yes" in lines["trains"]
    assert diffkit("doctor", folder, "--size", 40, "--json")[1].count("enlarged") == 0


def test_the_digits_and_idx_files(tmp_path, diffkit):
    code, out, _ = diffkit("doctor", "digits", "--json")
    found = json.loads(out)
    assert (code, found["images"], found["trains"], found["small"], len(found["classes"])) == (0, 1797, True, [], 10)
    (tmp_path / "idx").mkdir()
    head = struct.pack(">IIII", 0x803, 4, 10, 12)
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(range(240)) * 2))
    found = json.loads(diffkit("doctor", tmp_path / "idx", "--json")[1])
    assert found["duplicates"] == [["0", "2"], ["1", "3"]]


def test_a_long_list_is_shortened_in_the_table(tmp_path, diffkit):
    (tmp_path / "data").mkdir()
    for i in range(12):
        (tmp_path / "data" / f"{i:02}.png").write_text("no image")
    code, out, _ = diffkit("doctor", tmp_path / "data")
    assert code == 3
    assert "and 4 more" in " ".join(out.split())
    assert "no image is left to train on" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 3, "nowhere: no such folder"),
        (["empty"], 3, "the folder is empty"),
        (["digits", "--size", 0], 2, "--size must be an integer from 1 to 4096 or HEIGHTxWIDTH or none, got 0"),
    ],
)
def test_an_invalid_command_is_refused_in_one_line(tmp_path, monkeypatch, diffkit, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    ended, _, said = diffkit("doctor", *arguments)
    assert message in one_line(said)
    assert ended == code


def test_doctor_reports_arrays(tmp_path, diffkit, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.arange(4 * 2 * 9, dtype=np.float32).reshape(4, 2, 9)
    values[3] = values[1]
    np.savez("speech.npz", x=values, y=np.array([0, 0, 1, 1]))
    code, out, _ = diffkit("doctor", "speech.npz", "--json")
    found = json.loads(out)
    assert (code, found["images"], found["sizes"], found["modes"]) == (0, 4, [{"length": 9, "images": 4}], {"2 x float32": 4})
    assert (found["classes"], found["duplicates"], found["small"]) == ({"0": 2, "1": 2}, [["1", "3"]], [])
    assert found["warnings"] == ["taken: x, 4 x 2 x 9 of float32, axes NCL; labels y"]
    np.save("bytes.npy", np.zeros((4, 6, 5, 3), np.uint8))
    assert ["sizes", "6x5", "(4)"] in [line.split() for line in diffkit("doctor", "bytes.npy")[1].splitlines()]
    values[2, 0, 3] = np.nan
    np.save("bad.npy", values)
    code, out, said = diffkit("doctor", "bad.npy")
    assert (code, out, one_line(said)) == (3, "", "diffkit: bad.npy: NaN or infinity in sample 2: remove them\n")


def test_a_run_is_no_data(trained, diffkit):
    code, _, said = diffkit("doctor", trained)
    assert (code, said.startswith(f"diffkit: {trained} is a run, not data: ")) == (2, True)
