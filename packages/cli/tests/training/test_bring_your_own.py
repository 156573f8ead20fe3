"""Data of one's own on the command line: arrays, tables and pairs; --dry-run reads all of them."""

import json

import numpy as np
import pytest
from PIL import Image

from ..helpers import keys, one_line

SMALL = ("--dry-run", "--json", "--preset", "tiny", "--batch-size", "4", "--steps", "2")


@pytest.fixture
def dry(diffkit, tmp_path, monkeypatch):
    """Its exit code, the document and what it says."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code, out, said = diffkit("train", *words, *SMALL)
        return code, json.loads(out) if code == 0 else None, said

    return run


@pytest.fixture
def photos(tmp_path):
    """Four images of 8 x 8 in two classes; the same in grey, of 4 x 4, as another format; and a table of them."""
    rows = ["file_name,age,weight"]
    for i in range(4):
        for folder, size, mode, suffix in (("high", 8, "RGB", "png"), ("low", 4, "L", "bmp")):
            path = tmp_path / folder / "ab"[i % 2] / f"{i}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new(mode, (size, size), 20 * i).save(path)
        rows.append(f"{'ab'[i % 2]}/{i}.png,{i}.5,{2 * i}")
    (tmp_path / "attributes.csv").write_text("\n".join(rows))


def test_arrays_are_read_and_what_was_taken_is_said(dry):
    np.savez("images.npz", x=np.zeros((8, 6, 5, 3), np.uint8), y=np.arange(8) % 2, v=np.ones((8, 4)))
    code, found, said = dry("images.npz")
    assert (code, found["images"], found["shape"], found["conditions"]) == (0, 8, [3, 6, 5], {}), said
    assert "8 images of 6x5 (height x width), 3 channels, from images.npz\ntaken: x, 8 x 6 x 5 x 3 of uint8, axes NHWC;" in said
    assert "left out: v\n2 classes found: 0, 1\n" in said


def test_a_column_and_an_axis_that_the_data_does_not_have_are_refused(dry):
    np.savez("images.npz", x=np.zeros((8, 6, 5, 3), np.uint8), v=np.ones((8, 4)))
    for words, code, message in (
        (["--columns", "w"], 2, "images.npz has no array 'w': the arrays are x, v"),
        (["--table", "images.npz"], 2, "--table needs --columns"),
        (keys("axes=NHW"), 2, "axes NHW are 3, but the array has 4"),
        (keys("axes=NHX"), 2, "axes must be one of NL, NCL"),
        (["--size", "4", *keys("axes=NDHW")], 2, "size is for images of 8 bits"),
    ):
        found, _, said = dry("images.npz", *words)
        assert (found, message in one_line(said.splitlines(keepends=True)[-1])) == (code, True), said
    code, _, said = dry("digits", "--columns", "age")
    assert (code, "--columns needs --table" in said) == (2, True), said


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ("low/a/0.bmp", ["--given", "low"], "low: no pair of 1 of 4 files of high: a/0.png; add them"),
        ("high/b/3.png", ["--table", "attributes.csv", "--columns", "age,wait"], "has no column 'wait': did you mean 'weight'?"),
        ("attributes.csv", ["--table", "attributes.csv", "--columns", "age"], "attributes.csv: no such file or directory"),
    ],
)
def test_missing_pairs_columns_and_tables_are_named(dry, photos, tmp_path, change, words, message):
    (tmp_path / change).unlink()
    code, _, said = dry("high", "--size", "8", *words)
    assert code == (2 if "column" in message else 3)
    assert message in one_line(said.splitlines(keepends=True)[-1])


def test_wrong_cells_and_missing_rows_are_all_in_one_line(dry, photos, tmp_path):
    (tmp_path / "attributes.csv").write_text("file_name,age\na/0.png,old\nb/1.png,\na/2.png,4\n")
    code, _, said = dry("high", "--size", "8", "--table", "attributes.csv", "--columns", "age")
    cells = "row 2 (a/0.png) 'old', row 3 (b/1.png) ''"
    line = f"attributes.csv: no row for 1 of 4 files: b/3.png; age: expected a number, found {cells}"
    assert (code, line in one_line(said.splitlines(keepends=True)[-1])) == (3, True), said


def test_samples_that_are_not_finite_are_refused(dry):
    values = np.zeros((8, 1, 8, 8), np.float32)
    values[3, 0, 1, 1] = np.nan
    np.save("maps.npy", values)
    code, _, said = dry("maps.npy")
    assert (code, said.splitlines()[-1]) == (3, "diffkit: maps.npy: NaN or infinity in sample 3: remove them")
