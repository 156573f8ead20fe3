"""Columns of a table as conditions: which row is whose, and every wrong cell in one line."""

import re

import numpy as np
import pytest
import torch
from diffkit_trainer import DataError, Images, open_images
from diffkit_trainer.data import with_columns


@pytest.fixture
def folder(tmp_path, write_image):
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        write_image(tmp_path / "photos" / name)
    return open_images(tmp_path / "photos")


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "attributes.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "file,age,weight\na/1.png,10,0.5\na/2.png,20,-1e3\nb/3.png,30,7\n",
        "weight;file_name;age\r\n7;3;30\r\n\r\n-1e3;2;20\r\n0.5;1;10",
        "\ufeffid\tage\tname\tweight\n./b/3.jpg\t30\tx\t 7\nother.png\told\t\t\na/2.jpg\t20\t\t-1000\na/1.jpg\t10\t\t.5\n",
        'file,age,weight\n"3.png","30",7\n"2.png",20,-1000\n"1.png",10,0.5\n',
    ],
    ids=["paths", "stems and semicolons", "tabs and rows of other files", "names"],
)
def test_each_sample_gets_the_numbers_of_its_row(folder, table, text):
    found = with_columns(folder, table(text), ["age", "weight"]).conditions
    assert found["age"].tolist() == [[10.0], [20.0], [30.0]]
    assert found["weight"].tolist() == [[0.5], [-1000.0], [7.0]]


def test_rows_of_samples_without_files_are_in_their_order(table):
    images = Images(torch.zeros(2, 1, 4))
    assert with_columns(images, table("age\n3\n4\n"), ["age"]).conditions["age"].tolist() == [[3.0], [4.0]]
    with pytest.raises(DataError, match=r"attributes.csv: 3 rows below the header, expected 2, one for each sample"):
        with_columns(images, table("age\n3\n4\n5\n"), ["age"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,age,weight\na/1.png,old,1\na/2.png,,nan\na/2.png,3,4\n",
            "no row for 1 of 3 files: b/3.png; expected one row for each file, found a/2.png in rows 3 and 4; age: expected",
        ),
        (
            "file,age,weight\n1.png,,1\n2.png,1_0,inf\n3.png,1e31,4\n",
            "age: expected a number, found row 2 (1.png) '', row 3 (2.png) '1_0', row 4 (3.png) '1e31'; weight: expected a",
        ),
        (
            "file,age,weight\n3.png,1,5,70\n1.png\n2.png,1,2,3\nother.png,1,2,3\n",
            "more cells than the header in row 2 (3.png), row 4 (2.png); age: expected a number, found row 3 (1.png) ''; weight:",
        ),
        ("", "empty; expected a table"),
        (b"file,age\xff", "damaged: 'utf-8' codec"),
        ('file,age,weight\n"1.png,2', "damaged: unexpected end of data"),
    ],
)
def test_everything_wrong_with_a_table_is_in_one_line(folder, table, text, message):
    with pytest.raises(DataError, match=f"attributes.csv: {re.escape(message)}") as error:
        with_columns(folder, table(text), ["age", "weight"])
    assert "\n" not in str(error.value)


def test_an_unknown_column_and_a_missing_table_are_refused(folder, table, tmp_path):
    with pytest.raises(ValueError, match="has no column 'agee': did you mean 'age'"):
        with_columns(folder, table("file,age\n"), ["agee"])
    with pytest.raises(ValueError, match=r"attributes.csv has no columns 'agee', 'hue': the columns are file, age"):
        with_columns(folder, table("file,age\n"), ["agee", "age", "hue"])
    with pytest.raises(DataError, match=r"none.csv: no such file or directory; expected a table"):
        with_columns(folder, tmp_path / "none.csv", ["age"])


def test_an_array_of_the_file_of_samples_is_a_condition(tmp_path):
    vectors, masks = np.arange(12, dtype=np.float32).reshape(4, 3), np.zeros((4, 1, 8), np.uint8)
    np.savez(
        tmp_path / "a.npz",
        x=np.zeros((4, 8), np.float32),
        vector=vectors,
        mask=masks,
        short=vectors[:2],
        bad=vectors * np.nan,
        word=np.array(["a"] * 4),
    )
    found = with_columns(open_images(tmp_path / "a.npz"), tmp_path / "a.npz", ["vector", "mask"])
    assert torch.equal(found.conditions["vector"], torch.from_numpy(vectors))
    assert found.conditions["mask"].dtype == torch.uint8
    wrong = "short is 2 x 3; expected 4 rows, one for each sample; bad: NaN or infinity in samples 0, 1, 2, 3: remove them; word:"
    with pytest.raises(DataError, match=f"a.npz: {wrong} an array of <U1"):
        with_columns(found, tmp_path / "a.npz", ["vector", "short", "bad", "word"])
    with pytest.raises(ValueError, match="has no array 'vectr': did you mean 'vector'"):
        with_columns(found, tmp_path / "a.npz", ["vectr"])
    np.save(tmp_path / "a.npy", vectors)
    with pytest.raises(ValueError, match=r"a.npy holds one array without a name: take columns from a .npz or .safetensors file"):
        with_columns(found, tmp_path / "a.npy", ["vector"])


def test_a_column_that_comes_twice_is_refused(folder, table):
    with pytest.raises(ValueError, match=r"^expected each column once, got 'age' more than once$"):
        with_columns(folder, table("file,age\n1.png,1\n2.png,2\n3.png,3\n"), ["age", "age"])
