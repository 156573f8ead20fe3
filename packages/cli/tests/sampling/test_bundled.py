"""The networks that come with the command: their sizes, names and data, and what their samples are worth."""

import json

from diffkit_cli.bundled import BUNDLED

from ..helpers import pixels, size_of

CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]


def test_the_networks_are_small_and_name_the_sources_of_their_data():
    assert BUNDLED["digits"].stat().st_size < 10**6
    assert BUNDLED["fashion"].stat().st_size < 2 * 10**6
    about = BUNDLED["digits"].with_name("README.md").read_text()
    assert "CC BY 4.0" in about
    assert "The MIT License (MIT)" in about


def test_images_are_generated_without_a_run(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    code, _, said = diffkit("sample")
    assert (code, "16 images from the bundled fashion network, 20 steps of dpmpp_2m" in said) == (0, True)
    assert size_of(tmp_path / "samples.png") == (346, 410)
    for run, out in ((BUNDLED["fashion"], "by_path"), ("fashion", "by_name"), ("--steps=2", "by_default")):
        assert diffkit("sample", run, "-n", 3, "--steps", 2, "--out", out)[0] == 0
    assert pixels(tmp_path / "by_path") == pixels(tmp_path / "by_name") == pixels(tmp_path / "by_default")
    assert diffkit("steps", "--steps", "1,2", "-n", 2)[0] == 0
    assert diffkit("interpolate", "--rows", 1, "--columns", 2, "--steps", 2)[0] == 0
    code, out, _ = diffkit("info", "--json")
    assert (code, json.loads(out)["config"]["data"]["classes"]) == (0, CLASSES)
    assert diffkit("export", "--out", "net")[0] == 0
    code, out, _ = diffkit("info", "net", "--json")
    assert (code, json.loads(out)["config"]["network"]["network"]["widths"]) == (0, [64, 96])


def test_a_file_or_folder_comes_before_a_bundled_network_of_its_name(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    assert diffkit("export", "fashion", "--out", "digits.safetensors")[0] == 0
    (tmp_path / "digits.safetensors").rename("digits")
    code, _, said = diffkit("sample", "digits", "-n", 1, "--steps", 1)
    assert (code, "1 image from digits@" in said) == (0, True)


def test_samples_are_as_near_to_the_data_as_the_data_is_to_itself(diffkit):
    code, out, _ = diffkit("evaluate", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["samples"]["fd"] < 1.5 * found["real"]["fd"]
    assert found["samples"]["nearest_median"] > 0.8 * found["real"]["nearest_median"], "no copies"
