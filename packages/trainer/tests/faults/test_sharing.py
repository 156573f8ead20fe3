"""Checkpoints of untrusted origin, malicious or with random damage."""

import json
import os
import pickle
import random
import shutil
import time
from pathlib import Path

import pytest
import torch
from diffkit_trainer import RunError, load, read_config, read_export, save, write_config
from diffkit_trainer.files.atomic import sha256
from safetensors.torch import load_file, save_file


@pytest.fixture
def run(tmp_path, config, make_trainer, train_to):
    write_config(tmp_path / "run", config)
    trained = make_trainer()
    train_to(trained, 1)
    save(tmp_path / "run", trained, config)
    return tmp_path / "run"


@pytest.fixture
def expected(tiny_network):
    """The function that `load` calls for the tensors of the network."""

    def tensors(config):
        with torch.device("meta"):
            return tiny_network().state_dict()

    return tensors


def write_manifest(folder):
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    manifest = {name: sha256(folder / name) for name in names}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


@pytest.fixture
def assert_refused(expected):
    """A function that loads a checkpoint or reads an export, which is refused within a second in one line."""

    def check(path, pattern):
        start = time.process_time()
        with pytest.raises(RunError, match=pattern) as caught:
            load(path, expected_tensors=expected) if (path / "checkpoints").exists() else read_export(path, expected)
        assert time.process_time() - start < 1
        assert "\n" not in str(caught.value)

    return check


class Payload:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name", ["ema.safetensors", "model.safetensors", "config.json", "state.json", "manifest.json", "more.pt"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_pickle_never_runs(run, tmp_path, name, zipped, expected):
    """Under every name, as a plain pickle and as torch.save writes it."""
    path, trace = run / "checkpoints" / "1" / name, tmp_path / "trace"
    if zipped:
        torch.save(Payload(trace), path)
    else:
        path.write_bytes(pickle.dumps(Payload(trace)))
    if name not in ("more.pt", "manifest.json"):
        write_manifest(path.parent)
    for weights in ("ema", "model"):
        try:
            load(run, weights, expected)
        except RunError as error:
            assert name in str(error)  # noqa: PT017
    assert not trace.exists()


def with_header(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("header", "pattern"),
    [
        ({f"t{i}": EMPTY for i in range(1_500_000)}, "expected a header of at most 8388608 bytes"),
        ({f"t{i}": EMPTY for i in range(100_000)}, "expected at most 20000 tensors, found 100000"),
        (b"[" * 8_000_000, "invalid JSON"),
        ({"a": {"dtype": "F32", "shape": [0, 10**18], "data_offsets": [0, 0]}}, "'a': expected a type, a shape and offsets"),
        ({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}, "'a': expected a type"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": {"dtype": "X", "shape": [0], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": [1]}, "'a': expected a type"),
        ({"a": EMPTY | {"shape": [0] * 1000}}, "'a': expected a type"),
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b'{"a": NaN}', "NaN is not a finite number"),
        ({"../../etc/passwd": EMPTY}, r"\.\./\.\./etc/passwd: expected nothing"),
    ],
)
def test_a_header_bomb_is_refused_at_once(run, header, pattern, assert_refused):
    with_header(run / "checkpoints" / "1" / "ema.safetensors", header)
    write_manifest(run / "checkpoints" / "1")
    assert_refused(run, pattern)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**12, 8 * 2**20 + 1])
def test_a_header_longer_than_its_file_is_refused(run, length, assert_refused):
    (run / "checkpoints" / "1" / "ema.safetensors").write_bytes(length.to_bytes(8, "little") + b"{}")
    write_manifest(run / "checkpoints" / "1")
    assert_refused(run, f"expected a header of at most 2 bytes, found {length}")


@pytest.mark.parametrize("difference", ["shape", "dtype", "missing", "extra"])
def test_tensors_that_differ_from_the_network_s_are_named(run, difference, expected):
    path = run / "checkpoints" / "1" / "ema.safetensors"
    tensors = load_file(path)
    wanted, found = "float32 of shape (1, 8, 3, 3)", "nothing"
    if difference == "shape":
        tensors["out.weight"], found = torch.zeros(1, 8, 1, 1), "float32 of shape (1, 8, 1, 1)"
    elif difference == "dtype":
        tensors["out.weight"], found = tensors["out.weight"].half(), "float16 of shape (1, 8, 3, 3)"
    elif difference == "missing":
        del tensors["out.weight"]
    else:
        tensors["out.more"], wanted, found = torch.zeros(2), "nothing", "float32 of shape (2,)"
    save_file(tensors, path)
    write_manifest(path.parent)
    with pytest.raises(RunError) as caught:
        load(run, expected_tensors=expected)
    name = "out.more" if difference == "extra" else "out.weight"
    assert str(caught.value) == f"{path}: {name}: expected {wanted}, found {found}"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(run, value, assert_refused):
    path = run / "checkpoints" / "1" / "ema.safetensors"
    tensors = load_file(path)
    tensors["out.bias"].fill_(value)
    save_file(tensors, path)
    write_manifest(path.parent)
    assert_refused(run, "ema.safetensors: 'out.bias' is not finite")


@pytest.mark.parametrize(
    "name", ["../x", "../../config.json", "/etc/passwd", "sub/ema.safetensors", "ema-0.9/../../x.safetensors"]
)
def test_a_manifest_with_other_paths_is_refused(run, name, assert_refused):
    path = run / "checkpoints" / "1" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["sha256"][name] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert_refused(run, "manifest.json: expected the sums of")


@pytest.mark.parametrize("name", ["ema.safetensors", "config.json", "manifest.json", ""])
def test_links_are_refused(run, tmp_path, name, assert_refused):
    """Also a link to a file with the right sha256."""
    path = run / "checkpoints" / "1" / name
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert_refused(run, "found a link")


def test_a_fifo_is_not_opened(run, assert_refused):
    for name in ("ema.safetensors", "manifest.json"):
        path = run / "checkpoints" / "1" / name
        path.unlink()
        os.mkfifo(path)
        assert_refused(run, f"{name}: expected a regular file")
    (run / "config.json").unlink()
    os.mkfifo(run / "config.json")
    assert_refused(run, "config.json: expected a regular file")


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', '{"a":' * 10**5, "[1]", "", "{" + " " * 9_000_000 + "}"]
)
def test_a_config_must_be_strict_json(run, text):
    (run / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config\.json: ") as caught:
        read_config(run)
    assert "\n" not in str(caught.value)


# --- exports


@pytest.mark.parametrize(
    ("header", "pattern"),
    [
        ({"__metadata__": {f"k{i}": {} for i in range(400_000)}}, "expected at most 20000 tensors, found 400001"),
        ({"__metadata__": {"diffkit": json.dumps([{}] * 1_000_000)}}, "expected at most 20000 tensors, found 1000001"),
        ({f"t{i}": EMPTY for i in range(100_000)}, "expected at most 20000 tensors, found 100000"),
        ({"__metadata__": [1]}, "__metadata__: expected object, got array"),
        ({"__metadata__": {"diffkit": '{"a":' * 10_000}}, "invalid JSON"),
        ({"__metadata__": {"diffkit": "{}"}, "a": EMPTY | {"shape": [10**18, 0]}}, "'a': expected a type"),
    ],
)
def test_a_header_bomb_in_an_export_is_refused_at_once(tmp_path, header, pattern, assert_refused):
    with_header(tmp_path / "net.safetensors", header)
    assert_refused(tmp_path / "net.safetensors", pattern)


def test_an_export_must_be_a_regular_file(tmp_path, assert_refused):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("no network at all")
    for name, kind in (("fifo", "FIFO"), (".", "folder")):
        assert_refused(tmp_path / name, f"expected a regular file, found a {kind}")
    assert_refused(
        tmp_path / "text", "text: not a safetensors file, or damaged: expected a header of at most 9 bytes, found [0-9]+"
    )
    assert_refused(tmp_path / "none", r"none: cannot be read \(No such file or directory\)")


# --- random damage


def flip_bit(data, rng):
    i = rng.randrange(len(data))
    data[i] ^= 1 << rng.randrange(8)


def truncate(data, rng):
    del data[rng.randrange(len(data)) :]


def append(data, rng):
    data += rng.randbytes(rng.randrange(1, 99))


def zero(data, rng):
    i = rng.randrange(len(data))
    data[i : i + 64] = bytes(len(data[i : i + 64]))


def reverse(data, rng):
    i, j = sorted(rng.randrange(len(data)) for _ in range(2))
    data[i:j] = data[i:j][::-1]


def change_header(data, rng):
    """Change a character in the header of a safetensors file, or in a JSON file."""
    end = min(len(data), 8 + int.from_bytes(data[:8], "little"))
    i = rng.randrange(8, end) if end > 8 else 0
    data[i] = rng.choice(b'0123456789[]{}",:-eE.FN \\')


DAMAGES = (flip_bit, truncate, append, zero, reverse, change_header)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("matching", [False, True], ids=["old manifest", "matching manifest"])
def test_random_damage_gives_an_error_or_the_previous_checkpoint(run, matching, count, make_trainer, train_to, config, expected):
    """Damage gives a clear error or the previous checkpoint, never a crash or a hang; other weights only if the manifest matches.

    Even then the loaded weights have the network's names, shapes and types, and are finite.
    """
    trained = make_trainer()
    train_to(trained, 2)
    older, newer = run / "checkpoints" / "1", save(run, trained, config)
    old, new = (load_file(folder / "ema.safetensors") for folder in (older, newer))
    original = {path.name: path.read_bytes() for path in newer.iterdir()}
    rng, outcomes = random.Random(0), {"newer": 0, "older": 0, "error": 0}
    for _ in range(count):
        name = rng.choice([*original, "ema.safetensors", "ema.safetensors"])
        data = bytearray(original[name])
        for _ in range(rng.choice((1, 1, 1, 3))):
            if data:
                rng.choice(DAMAGES)(data, rng)
        (newer / name).write_bytes(data)
        if matching and name != "manifest.json":
            write_manifest(newer)
        start = time.process_time()
        try:
            loaded = load(run, expected_tensors=expected)
        except RunError as error:
            assert "\n" not in str(error)  # noqa: PT017
            outcomes["error"] += 1
        else:
            expected_weights = {2: new, 1: old}[loaded.step]
            if not matching or loaded.step == 1 or name != "ema.safetensors":
                assert all(torch.equal(loaded.weights[key], value) for key, value in expected_weights.items())
            assert bool(loaded.warnings) == (loaded.step == 1)
            assert all(
                value.isfinite().all() and value.shape == expected_weights[key].shape for key, value in loaded.weights.items()
            )
            outcomes["older" if loaded.step == 1 else "newer"] += 1
        assert time.process_time() - start < 5
        (newer / name).write_bytes(original[name])
        (newer / "manifest.json").write_bytes(original["manifest.json"])
    assert outcomes["older"] + outcomes["error"] > count * (0.2 if matching else 0.9), outcomes
