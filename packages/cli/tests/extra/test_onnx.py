"""An export to ONNX: the example without torch generates the command's images from it."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from diffkit_cli import open_run
from diffkit_trainer import is_own_export, load_feature_network
from diffkit_unet import UNet

from ..helpers import TINY, keys, near, one_line, pixels, process, untrained

EXAMPLE = Path(__file__).parents[4] / "examples" / "onnx_numpy.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("onnx_numpy", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """A run whose network has a linear part."""
    run = tmp_path_factory.mktemp("linear") / "run"
    options = [*TINY, "--preset", "tiny", "--schedule", "cosine", *keys("linear=true")]
    assert process("train", "--out", run, *options).returncode == 0
    return run


@pytest.fixture(scope="module")
def clipped(tmp_path_factory):
    """A run whose x0 is clipped to a range that its samples leave."""
    torch.manual_seed(0)
    network = UNet(1, widths=(8, 16), block_depth=1)
    torch.nn.init.normal_(network.out.weight, std=0.5)
    return untrained(tmp_path_factory.mktemp("clipped") / "run", network, clip_x0=0.3)


@pytest.fixture(scope="module")
def exports():
    """The exported file of each run."""
    return {}


@pytest.mark.parametrize(
    ("kind", "size", "label"),
    [
        *(("trained", (8, 8), None), ("trained", (6, 10), None), ("linear", (8, 8), None), ("linear", (6, 10), None)),
        *(("with_classes", (8, 8), None), ("with_classes", (8, 8), 3), ("clipped", (8, 8), None)),
    ],
)
def test_numpy_and_onnx_generate_the_same_images(
    request, tmp_path_factory, tmp_path, diffkit, example, exports, kind, size, label
):
    run = request.getfixturevalue(kind)
    if kind not in exports:
        path = tmp_path_factory.mktemp("exports") / "net.onnx"
        code, _, error = diffkit("export", run, "--out", path)
        assert code == 0, error
        assert is_own_export(path), "it is replaced without --force"
        exports[kind] = path
    images = example.sample(exports[kind], range(5, 8), steps=3, size=size, label=label)
    named = ["--class", "none" if label is None else label] if kind == "with_classes" else []
    options = ["-n", 3, "--seed", 5, "--steps", 3, "--size", "{}x{}".format(*size), *named]
    assert diffkit("sample", run, *options, "--out", tmp_path / "images")[0] == 0
    assert near([list(image.tobytes()) for image in images], pixels(tmp_path / "images"), levels=2)


@pytest.mark.parametrize("kind", [onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT])
def test_onnx_features_equal_the_networks_output(tmp_path, kind):
    """The means of each channel, of known images, whichever numbers the network takes."""
    features = load_feature_network(means(tmp_path / "means.onnx", kind))
    pixels = torch.randint(0, 256, (70, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(features(pixels), pixels.double().mean(dim=(2, 3)), rtol=1e-6)
    assert features(pixels[:, :1]).shape == (70, 3)


def test_evaluate_uses_the_features_of_an_onnx_network(tmp_path, diffkit):
    path = means(tmp_path / "means.onnx", onnx.TensorProto.UINT8)
    code, out, _ = diffkit("evaluate", "--features", path, "-n", 50, "--steps", 2, "--json")
    assert code == 0
    assert json.loads(out)["features"] == {"kind": "means.onnx", "quality": None}
    code, out, _ = diffkit("evaluate", "--features", path, "-n", 50, "--steps", 2)
    assert (code, "features: those of means.onnx; scores on other" in " ".join(out.split())) == (0, True)


def test_files_without_a_feature_network_are_refused(tmp_path, diffkit):
    (tmp_path / "text.onnx").write_text("no network")
    code, _, said = diffkit("evaluate", "--features", tmp_path / "text.onnx")
    assert (code, "text.onnx: cannot be read as ONNX (" in one_line(said)) == (2, True)
    code, _, said = diffkit("evaluate", "--features", means(tmp_path / "doubles.onnx", onnx.TensorProto.DOUBLE))
    assert (code, "its input is a tensor(double), expected one of tensor(uint8), tensor(float)" in one_line(said)) == (2, True)


def test_a_disk_that_fills_up_during_an_export_is_named(blank, small_disk):
    """The older file stays, and nothing else."""
    disk = small_disk("256k")
    (disk / "net.onnx").write_bytes(b"older")
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 2**13))
    done = process("export", blank, "--out", disk / "net.onnx", "--force")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"diffkit: {disk}/net.onnx: No space left on device\n"
    (disk / "other").unlink()
    assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [("net.onnx", b"older")]


def test_a_feature_network_that_fails_is_named(tmp_path):
    """It takes batches of 1 and 64, and fails on the last 8; onnxruntime's own messages are not shown."""
    make, whole = onnx.helper, onnx.TensorProto.INT64
    given = make.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
    found = make.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", 3])
    numbers = [make.make_tensor(name, whole, [1], [value]) for name, value in (("zero", 0), ("eight", 8))]
    nodes = [
        make.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        make.make_node("Shape", ["pixels"], ["shape"]),
        make.make_node("Gather", ["shape", "zero"], ["count"]),
        make.make_node("Equal", ["count", "eight"], ["few"]),
        make.make_node("Cast", ["few"], ["beyond"], to=whole),
        make.make_node("Gather", ["zero", "beyond"], ["nothing"]),  # there is no second number in it
        make.make_node("Cast", ["nothing"], ["added"], to=onnx.TensorProto.FLOAT),
        make.make_node("Add", ["means", "added"], ["features"]),
    ]
    written(make.make_graph(nodes, "not of 8", [given], [found], numbers), tmp_path / "some.onnx")
    done = process("evaluate", "--features", tmp_path / "some.onnx", "-n", 200, "--steps", 1, "--out", tmp_path / "near.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert "some.onnx: gives no features (N, D) for uint8 images (8, 3, 8, 8) (" in one_line(done.stderr)
    assert not (tmp_path / "near.png").exists()


def means(path, kind):
    make = onnx.helper
    given = make.make_tensor_value_info("pixels", kind, ["n", 3, "h", "w"])
    found = make.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", 3])
    cast = make.make_node("Cast", ["pixels"], ["x"], to=onnx.TensorProto.FLOAT)
    mean = make.make_node("ReduceMean", ["x"], ["features"], axes=[2, 3], keepdims=0)
    graph = make.make_graph([cast, mean], "means", [given], [found])
    return written(graph, path)


def written(graph, path):
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_a_run_of_sequences_with_conditions(tmp_path):
    samples, pitch = np.random.default_rng(0).standard_normal((20, 1, 16)).astype("f4"), np.arange(20, dtype="f4")
    np.savez(tmp_path / "data.npz", samples=samples, pitch=pitch, low=samples[:, :, ::2])
    data, run, out = tmp_path / "data.npz", tmp_path / "run", tmp_path / "net.onnx"
    assert process("train", data, "--columns", "pitch,low", "--steps", 2, "--batch-size", 8, "--out", run).returncode == 0
    assert process("export", run, "--out", out).returncode == 0
    session, network = onnxruntime.InferenceSession(str(out)), open_run(run, device="cpu").network
    assert [each.name for each in session.get_inputs()] == ["x", "condition", "pitch", "low"]
    for count, length in ((3, 16), (1, 21)):
        inputs = {"x": torch.randn(count, 1, length), "condition": torch.rand(count)}
        inputs |= {"pitch": torch.randn(count), "low": torch.randn(count, 1, 8)}
        inputs["pitch"][0] = torch.nan
        with torch.no_grad():
            expected = network(**inputs).numpy()
        assert np.abs(session.run(None, {name: each.numpy() for name, each in inputs.items()})[0] - expected).max() < 1e-4
