"""An export to ONNX, drawn from by the example that has no torch: the same images as the command's."""

import importlib.util
from pathlib import Path

import pytest
from running import near, pixels

EXAMPLE = Path(__file__).parents[4] / "examples" / "onnx_numpy.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("onnx_numpy", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("n", "size"), [(3, (8, 8)), (1, (6, 10))])
def test_numpy_and_onnx_draw_the_same_images(trained, tmp_path, diffkit, example, n, size):
    code, _, said = diffkit("export", trained, "--out", tmp_path / "net.onnx")
    assert code == 0, said
    drawn = example.draw(tmp_path / "net.onnx", range(5, 5 + n), steps=3, size=size)
    options = ["-n", n, "--seed", 5, "--steps", 3, "--size", "{}x{}".format(*size)]
    assert diffkit("sample", trained, *options, "--out", tmp_path / "images")[0] == 0
    assert near([list(image.tobytes()) for image in drawn], pixels(tmp_path / "images"), levels=2)


@pytest.mark.parametrize("label", [None, 3])
def test_a_network_with_classes(with_classes, tmp_path, diffkit, example, label):
    assert diffkit("export", with_classes, "--out", tmp_path / "net.onnx")[0] == 0
    drawn = example.draw(tmp_path / "net.onnx", range(2), steps=2, label=label)
    named = [] if label is None else ["--class", label]
    assert diffkit("sample", with_classes, "-n", 2, "--steps", 2, *named, "--out", tmp_path / "images")[0] == 0
    assert near([list(image.tobytes()) for image in drawn], pixels(tmp_path / "images"), levels=2)
