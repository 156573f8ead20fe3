"""Each example of data, conditions and networks of one's own trains a run of a few steps, which the command samples from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent

EXAMPLES = {
    "own_network": ("", ["--network", "own_network:build"], ["digits.png"]),
    "own_audio": ("", [], ["tones.png", "0.wav", "7.wav"]),
    "paired_images": ("run", ["--given", "data/given/00000.png"], ["restored.png"]),
    "vector_conditions": ("", ["--condition", "brightness=0.3"], ["asked.png"]),
    "latents": ("", [], ["digits.png"]),
    "fine_tuning": ("tuned", [], ["first.png", "tuned.png"]),
}
"""By name: where its run is, what sampling from it needs, and the files that it writes."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_trains_a_run_that_the_command_samples_from(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=":")
    run, words, files = EXAMPLES[name]
    lines = (HERE / f"{name}.py").read_text("utf-8").splitlines()
    assert len(lines) < 60
    subprocess.run([sys.executable, HERE / f"{name}.py", tmp_path / "out", "--steps", "4"], check=True)
    for file in files:
        assert (tmp_path / "out" / file).stat().st_size > 100
    sample = ["diffkit_cli", "sample", run or ".", "-n", "2", "--steps", "2", "--out", "sampled", *words]
    subprocess.run([sys.executable, "-m", *sample], check=True, cwd=tmp_path / "out")
    first = next((tmp_path / "out" / "sampled").glob("00000.*"))
    values = np.load(first) if first.suffix == ".npy" else np.asarray(Image.open(first))
    assert np.isfinite(values).all()
