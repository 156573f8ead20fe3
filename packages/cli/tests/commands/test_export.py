"""diffkit export: the same images from one file."""

import importlib.util
import json
import shlex
from pathlib import Path

import pytest
import torch
from diffkit_trainer import RunError, load, read_export, read_metadata, write_export
from diffkit_unet import UNet
from PIL import Image
from safetensors.torch import load_file, save_file

from ..helpers import near, one_line, pixels


def network(config):
    return UNet.from_config(config["network"]).state_dict()


def read_export_of(run, folder, diffkit):
    assert diffkit("export", run, "--out", folder / "whole.safetensors")[0] == 0
    return read_export(folder / "whole.safetensors", network)


@pytest.mark.parametrize("raw", [False, True])
def test_an_export_gives_the_same_images_as_its_run(trained, tmp_path, diffkit, raw):
    flags = ["--raw"] if raw else []
    assert diffkit("export", trained, "--out", tmp_path / "net.safetensors", *flags)[0] == 0
    assert diffkit("sample", trained, "-n", 3, "--steps", 3, *flags, "--out", tmp_path / "run.png")[0] == 0
    code, _, said = diffkit(
        "sample", tmp_path / "net.safetensors", "--like", tmp_path / "run.png", "--out", tmp_path / "file.png"
    )
    assert (code, "warning" in said) == (0, False)
    assert pixels(tmp_path / "run.png") == pixels(tmp_path / "file.png")
    of_run, of_file = (read_metadata(tmp_path / name) for name in ("run.png", "file.png"))
    assert (of_run.pop("names"), of_file.pop("names")) == ({"run": "run"}, {"run": "net.safetensors"})
    assert of_run == of_file


def test_an_export_folder_has_the_config_and_the_weights(trained, tmp_path, diffkit):
    assert diffkit("export", trained, "--out", tmp_path / "net")[0] == 0
    assert json.loads((tmp_path / "net" / "config.json").read_text()) == json.loads((trained / "config.json").read_text())
    assert diffkit("sample", tmp_path / "net", "-n", 1, "--steps", 1, "--out", tmp_path / "one")[0] == 0


FOREIGN = {
    "net.safetensors": "",
    "net.onnx": "",
    "net/model.safetensors": "",
    "net/config.json": "",
    "net/unet/config.json": "diffusers",
}
"""Files that are there, and the format that would replace them."""


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_diffkit_did_not_export_is_not_replaced(mapped, tmp_path, monkeypatch, diffkit, name):
    monkeypatch.chdir(tmp_path)
    path, text = Path(name), '{"architectures": ["theirs"]}'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    formats = ["--format", FOREIGN[name]] if FOREIGN[name] else []
    code, _, said = diffkit("export", mapped, "--out", path.parts[0], *formats)
    assert (code, path.read_text(), [each for each in tmp_path.rglob("*") if each.is_file()]) == (2, text, [tmp_path / path])
    assert one_line(said) == f"diffkit: {name} was not made by diffkit: give another path, or --force to replace it\n"
    if path.suffix != ".onnx":
        for more in (["--force"], []):
            assert diffkit("export", mapped, "--out", path.parts[0], *formats, *more)[0] == 0, "its own is replaced"


@pytest.mark.parametrize("formats", [[], ["--format", "diffusers"]])
def test_a_folder_of_photographs_gets_no_network_unasked(mapped, tmp_path, diffkit, formats):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "rose.jpg").write_text("precious")
    words = ["export", mapped, "--out", tmp_path / "photos", *formats]
    code, _, said = diffkit(*words)
    assert code == 2
    assert one_line(said).endswith("photos holds other files: give a new folder, or --force to add the network to them\n")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["rose.jpg"]
    assert [diffkit(*words, *more)[0] for more in (["--force"], [])] == [0, 0]
    assert (tmp_path / "photos" / "rose.jpg").read_text() == "precious"


def test_an_import_replaces_no_foreign_file(mapped, tmp_path, diffkit):
    assert diffkit("export", mapped, "--out", tmp_path / "theirs", "--format", "diffusers")[0] == 0
    (tmp_path / "mine.safetensors").write_text("precious")
    words = ["import", tmp_path / "theirs", "--out", tmp_path / "mine.safetensors"]
    code, _, said = diffkit(*words)
    assert (code, "mine.safetensors was not made by diffkit" in one_line(said)) == (2, True)
    assert (tmp_path / "mine.safetensors").read_text() == "precious"
    assert [diffkit(*words, *more)[0] for more in (["--force"], [])] == [0, 0]


def test_an_export_holds_weights_config_and_step(trained, tmp_path, diffkit):
    path = tmp_path / "net.safetensors"
    assert diffkit("export", trained, "--out", path)[0] == 0
    first = path.read_bytes()
    assert diffkit("export", trained, "--out", path)[0] == 0
    assert path.read_bytes() == first
    exported, loaded = read_export(path, network), load(trained)
    assert (exported.step, exported.raw, exported.config) == (6, False, loaded.config)
    assert all(torch.equal(exported.weights[name], value) for name, value in loaded.weights.items())
    assert load_file(path).keys() == loaded.weights.keys(), "any program of safetensors reads it"
    (tmp_path / "new").touch()
    assert path.stat().st_mode == (tmp_path / "new").stat().st_mode
    code, out, _ = diffkit("info", path, "--json")
    assert (code, json.loads(out)["step"]) == (0, 6)
    code, out, _ = diffkit("info", path)
    assert (code, "517,153 parameters" in out) == (0, True)


def test_a_half_precision_export_gives_the_same_images_within_a_grey_level(trained, tmp_path, diffkit):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert diffkit("export", trained, "--out", whole)[0] == 0
    assert diffkit("export", trained, "--out", half, "--half")[0] == 0
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    one, other = (read_export(path, network).weights for path in (whole, half))
    assert all(
        torch.equal(value.half().float() if value.is_floating_point() else value, other[key]) for key, value in one.items()
    )
    for path in (whole, half):
        assert diffkit("sample", path, "-n", 4, "--steps", 5, "--out", tmp_path / path.stem)[0] == 0
    assert near(pixels(tmp_path / "whole"), pixels(tmp_path / "half"))


def test_a_weight_beyond_float16_is_refused(trained, tmp_path, diffkit):
    exported = read_export_of(trained, tmp_path, diffkit)
    exported.weights["image.bias"][0] = 1e5
    with pytest.raises(RunError, match=r"image\.bias does not fit float16, whose largest number is 65504: export it in float32"):
        write_export(tmp_path / "half.safetensors", exported, half=True)
    assert not (tmp_path / "half.safetensors").exists()


def test_onnx_without_its_packages_is_refused(trained, tmp_path, monkeypatch, diffkit):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "onnx" else found(name, *more))
    code, _, said = diffkit("export", trained, "--out", tmp_path / "net.onnx")
    assert "ONNX needs the packages onnx and onnxscript: pip install onnx" in one_line(said)
    assert code == 2


def test_the_printed_command_can_be_pasted(trained, tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    code, _, said = diffkit("export", trained, "--out", "my file.safetensors")
    *_, offered = said.strip().partition(". Sample with: ")
    assert (code, shlex.split(offered)) == (0, ["diffkit", "sample", "my file.safetensors"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "run"], 2, "--out"),
        (["export", "run", "--out", "net.pt"], 2, "--out must be a folder or end in .safetensors, got net.pt"),
        (["export", "run", "--out", "net", "--format", "onnx"], 2, "--out must end in .onnx, got net"),
        (["export", "run", "--out", "net.onnx", "--format", "diffusers"], 2, "--out must be a folder, got net.onnx"),
        (
            ["export", "run", "--out", "net", "--format", "pt"],
            2,
            "--format must be one of safetensors, onnx, diffusers; got 'pt'",
        ),
        (["export", "run", "--out", "net.onnx", "--half"], 2, "--half is for safetensors files, got --format onnx"),
        (
            ["export", "run", "--out", "net", "--format", "diffusers"],
            2,
            "--format diffusers: run has no equivalent in diffusers: ",
        ),
        (["export", "run", "--out", "taken.safetensors"], 4, "taken.safetensors: is a folder"),
        (["export", "run", "--out", "text.safetensors/net"], 4, "text.safetensors/net: a file is where a folder is needed"),
        (["import", "run", "--out", "new"], 4, "run: expected a pipeline folder of diffusers, found no model_index.json"),
        (["export", "run", "--out", "run"], 4, "run: holds a run, whose config.json would be overwritten: give another name"),
        (["import", "nowhere", "--out", "new"], 4, "nowhere: expected a pipeline folder"),
        (["import", "run", "--out", "net.onnx"], 2, "--out must be a folder or end in .safetensors, got net.onnx"),
        (["export", "nowhere", "--out", "net"], 4, "nowhere: no such run folder"),
        (["sample", "plain.safetensors"], 4, "plain.safetensors: its header has no config"),
        (["sample", "text.safetensors"], 4, "text.safetensors"),
        (["sample", "picture.png"], 4, "picture.png"),
        (["sample", "cut.safetensors"], 4, "cut.safetensors: "),
        (["sample", "other.safetensors"], 4, "other.safetensors: image.bias: expected float32 of shape (32,), found nothing"),
        (["sample", "net.safetensors", "--raw"], 2, "--raw: net.safetensors has the moving average only: leave --raw out"),
        (["info", "cut.safetensors"], 4, "cut.safetensors: "),
    ],
)
def test_an_invalid_command_is_refused_in_one_line(trained, tmp_path, diffkit_beside_run, arguments, code, message):
    (tmp_path / "taken.safetensors").mkdir()
    (tmp_path / "text.safetensors").write_text("no network at all")
    Image.new("L", (8, 8)).save("picture.png")
    save_file({"a": torch.ones(1)}, "plain.safetensors")
    assert diffkit_beside_run("export", "run", "--out", "net.safetensors")[0] == 0
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "net.safetensors").read_bytes()[:-1])
    with_config = {"diffkit": json.dumps({"config": json.loads((trained / "config.json").read_text()), "step": 6, "raw": False})}
    weights = load_file("net.safetensors")
    del weights["image.bias"]
    save_file(weights, "other.safetensors", with_config)
    ended, _, said = diffkit_beside_run(*arguments)
    assert message in one_line(said)
    assert ended == code
