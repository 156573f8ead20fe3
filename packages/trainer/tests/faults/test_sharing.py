"""Checkpoints that somebody else made: rows 19 to 25 of the table of faults, and thousands that chance has damaged."""

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
from tiny_trainer import CONFIG, Tiny, run_to, trainer


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    it = trainer()
    run_to(it, 1)
    save(tmp_path / "run", it, CONFIG)
    return tmp_path / "run"


def expected(config):
    with torch.device("meta"):
        return Tiny().state_dict()


def resign(folder):
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    manifest = {name: sha256(folder / name) for name in names}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


def refused(run, pattern):
    begun = time.process_time()
    with pytest.raises(RunError, match=pattern) as caught:
        load(run, expect=expected)
    assert time.process_time() - begun < 1
    assert "\n" not in str(caught.value)


class Payload:
    """Whoever unpickles it leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name", ["ema.safetensors", "model.safetensors", "config.json", "state.json", "manifest.json", "more.pt"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_pickle_never_runs(run, tmp_path, name, zipped):
    """Row 19, under every name, plain and as torch.save packs it."""
    path, trace = run / "checkpoints" / "1" / name, tmp_path / "trace"
    if zipped:
        torch.save(Payload(trace), path)
    else:
        path.write_bytes(pickle.dumps(Payload(trace)))
    if name not in ("more.pt", "manifest.json"):
        resign(path.parent)
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
        (b"[" * 8_000_000, "not the JSON"),
        ({"a": {"dtype": "F32", "shape": [0, 10**18], "data_offsets": [0, 0]}}, "'a': expected a type, a shape and its place"),
        ({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}, "'a': expected a type"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": {"dtype": "X", "shape": [0], "data_offsets": [0, 0]}}, "'a': expected a type"),
        ({"a": [1]}, "'a': expected a type"),
        ({"a": EMPTY | {"shape": [0] * 1000}}, "'a': expected a type"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b'{"a": NaN}', "NaN is no number"),
        ({"../../etc/passwd": EMPTY}, r"\.\./\.\./etc/passwd: expected nothing"),
    ],
)
def test_a_header_bomb_is_refused_at_once(run, header, pattern):
    """Row 20."""
    with_header(run / "checkpoints" / "1" / "ema.safetensors", header)
    resign(run / "checkpoints" / "1")
    refused(run, pattern)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**12, 8 * 2**20 + 1])
def test_a_header_that_is_longer_than_its_file(run, length):
    (run / "checkpoints" / "1" / "ema.safetensors").write_bytes(length.to_bytes(8, "little") + b"{}")
    resign(run / "checkpoints" / "1")
    refused(run, f"expected a header of at most 2 bytes, found {length}")


@pytest.mark.parametrize("harm", ["shape", "dtype", "missing", "extra"])
def test_other_tensors_than_the_network_s_are_named(run, harm):
    """Row 21."""
    path = run / "checkpoints" / "1" / "ema.safetensors"
    tensors = load_file(path)
    should, found = "float32 of shape (1, 8, 3, 3)", "nothing"
    if harm == "shape":
        tensors["out.weight"], found = torch.zeros(1, 8, 1, 1), "float32 of shape (1, 8, 1, 1)"
    elif harm == "dtype":
        tensors["out.weight"], found = tensors["out.weight"].half(), "float16 of shape (1, 8, 3, 3)"
    elif harm == "missing":
        del tensors["out.weight"]
    else:
        tensors["out.more"], should, found = torch.zeros(2), "nothing", "float32 of shape (2,)"
    save_file(tensors, path)
    resign(path.parent)
    with pytest.raises(RunError) as caught:
        load(run, expect=expected)
    name = "out.more" if harm == "extra" else "out.weight"
    assert str(caught.value) == f"{path}: {name}: expected {should}, found {found}"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(run, value):
    """Row 22."""
    path = run / "checkpoints" / "1" / "ema.safetensors"
    tensors = load_file(path)
    tensors["out.bias"].fill_(value)
    save_file(tensors, path)
    resign(path.parent)
    refused(run, "ema.safetensors: 'out.bias' is not finite")


@pytest.mark.parametrize(
    "name", ["../x", "../../config.json", "/etc/passwd", "sub/ema.safetensors", "ema-0.9/../../x.safetensors"]
)
def test_a_manifest_that_points_elsewhere(run, name):
    """Row 25."""
    path = run / "checkpoints" / "1" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["sha256"][name] = "0" * 64
    path.write_text(json.dumps(manifest))
    refused(run, "manifest.json: expected the sums of")


@pytest.mark.parametrize("name", ["ema.safetensors", "config.json", "manifest.json", ""])
def test_links_are_refused(run, tmp_path, name):
    """Row 25: even to a file whose sum is right."""
    path = run / "checkpoints" / "1" / name
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(run, "found a link")


def test_a_fifo_is_never_waited_for(run):
    for name in ("ema.safetensors", "manifest.json"):
        path = run / "checkpoints" / "1" / name
        path.unlink()
        os.mkfifo(path)
        refused(run, f"{name}: expected a regular file")
    (run / "config.json").unlink()
    os.mkfifo(run / "config.json")
    refused(run, "config.json: expected a regular file")


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', '{"a":' * 10**5, "[1]", "", "{" + " " * 9_000_000 + "}"]
)
def test_a_config_has_no_loopholes(run, text):
    """Row 24."""
    (run / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config\.json: ") as caught:
        read_config(run)
    assert "\n" not in str(caught.value)


# --- one file


def export_refused(path, pattern):
    begun = time.process_time()
    with pytest.raises(RunError, match=pattern) as caught:
        read_export(path, expected)
    assert time.process_time() - begun < 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "pattern"),
    [
        ({"__metadata__": {f"k{i}": {} for i in range(400_000)}}, "expected at most 20000 tensors, found 400001"),
        ({"__metadata__": {"diffkit": json.dumps([{}] * 1_000_000)}}, "expected at most 20000 tensors, found 1000001"),
        ({f"t{i}": EMPTY for i in range(100_000)}, "expected at most 20000 tensors, found 100000"),
        ({"__metadata__": [1]}, "__metadata__: expected object, got array"),
        ({"__metadata__": {"diffkit": '{"a":' * 10_000}}, "not the JSON"),
        ({"__metadata__": {"diffkit": "{}"}, "a": EMPTY | {"shape": [10**18, 0]}}, "'a': expected a type"),
    ],
)
def test_a_header_bomb_in_an_export(tmp_path, header, pattern):
    with_header(tmp_path / "net.safetensors", header)
    export_refused(tmp_path / "net.safetensors", pattern)


def test_an_export_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("no network at all")
    for name, kind in (("fifo", "FIFO"), (".", "folder")):
        export_refused(tmp_path / name, f"expected a regular file, found a {kind}")
    export_refused(tmp_path / "text", "text: no safetensors file, or damaged: expected a header of at most 9 bytes, found [0-9]+")
    export_refused(tmp_path / "none", r"none: cannot be read \(No such file or directory\)")


# --- chance


def bit(data, chance):
    i = chance.randrange(len(data))
    data[i] ^= 1 << chance.randrange(8)


def cut(data, chance):
    del data[chance.randrange(len(data)) :]


def grow(data, chance):
    data += chance.randbytes(chance.randrange(1, 99))


def blank(data, chance):
    i = chance.randrange(len(data))
    data[i : i + 64] = bytes(len(data[i : i + 64]))


def shuffle(data, chance):
    i, j = sorted(chance.randrange(len(data)) for _ in range(2))
    data[i:j] = data[i:j][::-1]


def header(data, chance):
    """Another character in the header, which a safetensors file begins with and a JSON file is."""
    end = min(len(data), 8 + int.from_bytes(data[:8], "little"))
    i = chance.randrange(8, end) if end > 8 else 0
    data[i] = chance.choice(b'0123456789[]{}",:-eE.FN \\')


HARMS = (bit, cut, grow, blank, shuffle, header)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("signed", [False, True], ids=["by chance", "with a manifest that agrees"])
def test_damaged_checkpoints(run, signed, count):
    """Always a clear error or the previous checkpoint; never a crash, a hang or, unless the manifest lies too, other weights.

    Where it lies, what is loaded still has the network's names, shapes and types, and is finite.
    """
    it = trainer()
    old = {name: value.clone() for name, value in it.ema.model.state_dict().items()}
    run_to(it, 2)
    older, newer = run / "checkpoints" / "1", save(run, it, CONFIG)
    old, new = (load_file(folder / "ema.safetensors") for folder in (older, newer))
    pristine = {path.name: path.read_bytes() for path in newer.iterdir()}
    chance, outcomes = random.Random(0), {"newer": 0, "older": 0, "error": 0}
    for _ in range(count):
        name = chance.choice([*pristine, "ema.safetensors", "ema.safetensors"])
        data = bytearray(pristine[name])
        for _ in range(chance.choice((1, 1, 1, 3))):
            if data:
                chance.choice(HARMS)(data, chance)
        (newer / name).write_bytes(data)
        if signed and name != "manifest.json":
            resign(newer)
        begun = time.process_time()
        try:
            loaded = load(run, expect=expected)
        except RunError as error:
            assert "\n" not in str(error)  # noqa: PT017
            outcomes["error"] += 1
        else:
            true = {2: new, 1: old}[loaded.step]
            if not signed or loaded.step == 1 or name != "ema.safetensors":
                assert all(torch.equal(loaded.weights[key], value) for key, value in true.items())
            assert bool(loaded.warnings) == (loaded.step == 1)
            assert all(value.isfinite().all() and value.shape == true[key].shape for key, value in loaded.weights.items())
            outcomes["older" if loaded.step == 1 else "newer"] += 1
        assert time.process_time() - begun < 5
        (newer / name).write_bytes(pristine[name])
        (newer / "manifest.json").write_bytes(pristine["manifest.json"])
    assert outcomes["older"] + outcomes["error"] > count * (0.2 if signed else 0.9), outcomes
