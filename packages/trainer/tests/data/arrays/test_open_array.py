"""Files of arrays as samples: every format, axes, labels, and what is refused."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from diffkit_trainer import DataError, open_images
from diffkit_trainer.data.sources import source_kind
from safetensors.torch import save_file

X = np.arange(5 * 2 * 7, dtype=np.float32).reshape(5, 2, 7)
CLASSES = np.array([0, 2, 1, 0, 2])


def _write(path, **arrays):
    first = next(iter(arrays.values()))
    if path.suffix == ".npy":
        np.save(path, first)
    elif path.suffix == ".npz":
        (np.savez_compressed if "compressed" in path.name else np.savez)(path, **arrays)
    else:
        save_file({name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in arrays.items()}, path)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "compressed.npz", "a.safetensors"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float16", "float32", "float64", ">f4"])
def test_the_numbers_of_every_format_and_type_are_read(tmp_path, name, dtype):
    if name.endswith("safetensors") and dtype in ("uint16", ">f4"):
        pytest.skip("not in safetensors")
    found = open_images(_write(tmp_path / name, x=X.astype(dtype), labels=CLASSES))
    assert torch.equal(found.pixels.double(), torch.from_numpy(X).double())
    assert str(found.pixels.dtype) == f"torch.{np.dtype(dtype).newbyteorder('=').name}"
    if not name.endswith(".npy"):
        assert (found.labels.tolist(), found.classes) == (CLASSES.tolist(), ("0", "1", "2"))
    assert found.warnings[0].startswith("taken: ")
    assert "5 x 2 x 7" in found.warnings[0]


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors"])
def test_an_array_stays_in_its_file(tmp_path, name):
    """A change of the file is seen through the tensor: nothing was copied."""
    before, after = np.full((4, 1, 8), 3, np.float32), np.ones((4, 1, 8), np.float32)
    path = _write(tmp_path / name, x=before)
    pixels = open_images(path).pixels
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(before.tobytes()))
        file.write(after.tobytes())
    assert torch.equal(pixels, torch.from_numpy(after))
    pixels[0] = 5.0
    assert path.read_bytes().count(after.tobytes()) == 1  # the change stays in memory


def test_a_transposed_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(X))
    assert torch.equal(open_images(tmp_path / "a.npy").pixels, torch.from_numpy(X))


def test_axes_are_those_given_and_the_fingerprint_is_that_of_the_samples(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "last.npy", images)
    np.save(tmp_path / "first.npy", np.ascontiguousarray(np.moveaxis(images, 3, 1)))
    last, first = open_images(tmp_path / "last.npy"), open_images(tmp_path / "first.npy")
    assert last.shape == (4, 6, 5)
    assert last.fingerprint == first.fingerprint
    assert last.statistics() == first.statistics()
    assert open_images(tmp_path / "last.npy", axes="NDHW").shape == (1, 6, 5, 4)
    with pytest.raises(ValueError, match="axes NHW are 3, but the array has 4: 3 x 6 x 5 x 4"):
        open_images(tmp_path / "last.npy", axes="NHW")
    with pytest.raises(ValueError, match="axes is for data of the kind array, got digits"):
        open_images("digits", axes="NHW")


def test_arrays_have_their_names_or_come_first(tmp_path):
    both = open_images(_write(tmp_path / "keras.npz", x_test=X[:1], x_train=X, y_train=CLASSES[:, None], y_test=CLASSES[:1]))
    assert (len(both), both.labels.tolist()) == (5, CLASSES.tolist())
    assert both.warnings[1] == "left out: x_test, y_test"
    other = open_images(_write(tmp_path / "other.npz", a=X, y=CLASSES / 2))
    assert (len(other), other.labels, other.warnings[1]) == (5, None, "left out: y")  # floats are no classes


def test_bytes_of_images_are_resized_and_other_arrays_are_not(tmp_path):
    np.save(tmp_path / "images.npy", np.full((2, 8, 8), 9, np.uint8))
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8), np.float32))
    assert open_images(tmp_path / "images.npy", (4, 6)).pixels.unique().tolist() == [9]
    assert open_images(tmp_path / "floats.npy", 8).shape == (1, 8, 8)
    with pytest.raises(ValueError, match="size is for images of 8 bits"):
        open_images(tmp_path / "floats.npy", 4)


class Malicious:
    """Whoever unpickles this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_python_objects_are_never_loaded(tmp_path, name):
    array = np.array([Malicious(tmp_path / "created")], dtype=object)
    np.save(tmp_path / name, array) if name == "a.npy" else np.savez(tmp_path / name, x=array)
    with pytest.raises(DataError, match=r"a\.np(y|z: x): an array of Python objects, which is never loaded"):
        open_images(tmp_path / name)
    assert not (tmp_path / "created").exists()


def _npy(header, data=b""):
    text = str(header).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HUGE = {"descr": "<f4", "fortran_order": False, "shape": (2**50, 64)}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.npy", b"", "damaged, or not a file of NumPy"),
        ("a.npy", b"P6 1 1 255 abc", "damaged, or not a file of NumPy"),
        ("a.npy", _npy(HUGE), "truncated: expected 2882303761517"),
        ("a.npy", _npy({**HUGE, "shape": (-1, 4)}), "damaged: its header has the shape"),
        ("a.npy", _npy("(" * 5000), "damaged, or not a file of NumPy"),
        ("a.npy", _npy({**HUGE, "descr": "<c8", "shape": (1, 4)}, bytes(32)), "an array of complex64, expected real numbers"),
        ("a.npy", _npy({**HUGE, "descr": "|b1", "shape": (1, 4)}, bytes(4)), "an array of bool, .*save it as uint8"),
        ("a.npy", _npy({**HUGE, "descr": "<f4", "shape": (4,)}, bytes(16)), "is 4 of float32; expected one of NL, NCL"),
        ("a.npy", _npy({**HUGE, "descr": "<f4", "shape": (0, 4)}), "is 0 x 4 of float32; expected"),
        ("a.npz", b"", "damaged: File is not a zip file"),
        ("a.safetensors", b"\xff" * 16, "not a safetensors file, or damaged"),
        ("a.safetensors", (2).to_bytes(8, "little") + b"{}", "holds no array"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path / name))}: .*{reason}") as error:
        open_images(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_pickle_by_another_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.npy: no such file or directory"):
        open_images(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Malicious(tmp_path / "created")))
    with pytest.raises(DataError, match="damaged, or not a file of NumPy"):
        open_images(tmp_path / "a.npy")
    assert not (tmp_path / "created").exists()
    assert source_kind(tmp_path / "missing.npy") == "array"


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_compressed_array_that_is_larger_than_it_says_or_than_memory_is_refused(tmp_path, monkeypatch, kind):
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 100), np.float32))
    with zipfile.ZipFile(tmp_path / "long.npz", "w", kind) as archive:
        archive.writestr("x.npy", stream.getvalue() + b"more")
    with pytest.raises(DataError, match=r"long\.npz: x: damaged: expected 1728 bytes, found 1732"):
        open_images(tmp_path / "long.npz")
    monkeypatch.setattr("diffkit_trainer.data.arrays.numpy_file.free_memory", lambda: 1000)
    np.savez_compressed(tmp_path / "large.npz", x=np.zeros((4, 100), np.float32))
    with pytest.raises(DataError, match=r"takes 1600 bytes unpacked, and 1000 bytes of memory are free: save it with"):
        open_images(tmp_path / "large.npz")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (CLASSES[:3], "expected 5 integers, the class of each sample; found 3 of int64"),
        (CLASSES - 1, "expected classes from 0 to 65535, found -1 in sample 0"),
        (CLASSES.astype(object), "an array of Python objects, which is never loaded"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path, labels, found):
    np.savez(tmp_path / "a.npz", x=X, y=labels)
    with pytest.raises(DataError, match=re.escape(found)):
        open_images(tmp_path / "a.npz")


def test_samples_that_are_not_finite_are_all_named(tmp_path):
    values = X.copy()
    values[1, 0, 0], values[4, 1, 2] = np.nan, np.inf
    np.save(tmp_path / "speech.npy", values)
    with pytest.raises(DataError, match=r"speech\.npy: NaN or infinity in samples 1, 4: remove them"):
        open_images(tmp_path / "speech.npy").statistics()


def test_an_exported_network_is_no_data(tmp_path):
    save_file({"weight": torch.zeros(2, 3)}, tmp_path / "net.safetensors", {"diffkit": "{}"})
    with pytest.raises(DataError, match=r"net.safetensors: an exported network, not data: to fine-tune it, give DATA --from"):
        open_images(tmp_path / "net.safetensors")
