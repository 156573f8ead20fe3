"""The network that comes with the command: its size, that it needs no RUN, and what its digits are worth."""

import json
from pathlib import Path

import diffkit_cli

from ..helpers import pixels, size_of

SHIPPED = Path(diffkit_cli.__file__).parent / "digits"


def test_the_bundled_network_is_small_and_names_the_source_of_its_data():
    assert (SHIPPED / "model.safetensors").stat().st_size < 10**6
    assert "CC BY 4.0" in (SHIPPED / "README.md").read_text()


def test_images_are_generated_without_a_run(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    code, _, said = diffkit("sample")
    assert (code, "16 images from the bundled digits network, 20 steps of ddim" in said) == (0, True)
    assert size_of(tmp_path / "samples.png") == (266, 266)
    assert diffkit("sample", SHIPPED / "model.safetensors", "-n", 3, "--out", "by_name")[0] == 0
    assert diffkit("sample", "-n", 3, "--out", "unnamed")[0] == 0
    assert pixels(tmp_path / "by_name") == pixels(tmp_path / "unnamed")
    assert diffkit("steps", "--steps", "1,2", "-n", 2)[0] == 0
    assert diffkit("interpolate", "--rows", 1, "--columns", 2, "--steps", 2)[0] == 0
    code, out, _ = diffkit("info", "--json")
    assert (code, json.loads(out)["config"]["data"]["source"]) == (0, "digits")
    assert diffkit("export", "--out", "net")[0] == 0
    code, out, _ = diffkit("info", "net", "--json")
    assert (code, json.loads(out)["config"]["network"]["widths"]) == (0, [32, 64, 96])


def test_bundled_samples_are_as_near_to_the_data_as_the_data_is_to_itself(diffkit):
    code, out, _ = diffkit("evaluate", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["samples"]["fd"] < 1.5 * found["real"]["fd"]
    assert found["samples"]["nearest_median"] > 0.8 * found["real"]["nearest_median"], "no copies"
