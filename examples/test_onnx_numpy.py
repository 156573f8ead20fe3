"""The example without torch: the images of `diffkit sample` with torch, see the session `without_torch`."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
DRAWN = HERE.parent / "dist" / "onnx"


def test_the_same_picture_without_torch(tmp_path):
    assert importlib.util.find_spec("torch") is None, "this environment is not the one that was meant"
    command = [sys.executable, HERE / "onnx_numpy.py", DRAWN / "digits.onnx", tmp_path / "row.pgm"]
    subprocess.run(command, check=True)
    with Image.open(tmp_path / "row.pgm") as image:
        row = np.asarray(image).astype(int)
    tiles = row[::4, ::4].reshape(8, 9, 8).swapaxes(0, 1)
    paths = sorted((DRAWN / "images").glob("*.png"))
    expected = np.stack([np.asarray(Image.open(path)).astype(int) for path in paths])
    assert expected.shape == tiles.shape == (9, 8, 8)
    assert expected.std() > 50
    assert np.abs(tiles - expected).max() <= 2
