"""The network of a run: that of its newest checkpoint, or of a step."""

import shutil

import pytest
from diffkit_trainer import load, read_metadata, weights_hash
from PIL import Image

from ..helpers import one_line, process, refusal

COMMANDS = {
    "sample": "sample run -n 1 --steps 1",
    "interpolate": "interpolate run --rows 1 --columns 2 --steps 1",
    "steps": "steps run -n 1 --steps 1",
    "inpaint": "inpaint run image.png --mask image.png -n 1 --steps 1",
    "evaluate": "evaluate run -n 2 --steps 1 --out near.png",
    "export": "export run --out net.safetensors",
}
FILES = {"sample": "samples.png", "interpolate": "interpolation.png", "steps": "steps.png", "inpaint": "inpainted.png"}


@pytest.fixture
def commands_beside_run(diffkit_beside_run):
    Image.linear_gradient("L").resize((8, 8)).save("image.png")
    return diffkit_beside_run


@pytest.mark.parametrize("name", COMMANDS)
def test_step_chooses_the_checkpoint_and_the_report_names_it(trained, commands_beside_run, name):
    code, out, said = commands_beside_run(*COMMANDS[name].split(), "--step", 4)
    assert code == 0
    expected = weights_hash(load(trained, step=4).weights)
    if name == "export":
        assert f"moving average, step 4, weights {expected}: net.safetensors" in said
    else:
        assert "run@4" in out + said
        note = read_metadata(FILES.get(name, "near.png"))
        assert (note["step"], note["weights"]) == (4, expected)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_step_lists_those_there_are(commands_beside_run, name):
    code, _, said = commands_beside_run(*COMMANDS[name].split(), "--step", 5)
    assert (code, one_line(said)) == (4, "diffkit: run has no checkpoint of step 5: it has those of 4, 6\n")


def test_a_damaged_checkpoint_that_is_asked_for_is_refused_by_name(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    damaged = tmp_path / "run" / "checkpoints" / "4" / "ema.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = process("sample", "run", "--step", 4, cwd=tmp_path)
    assert refusal(done, 4) == "diffkit: sha256 mismatch run/checkpoints/4/ema.safetensors\n"


def test_a_file_has_its_own_step_only(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    assert diffkit("sample", "digits", "-n", 1, "--steps", 1, "--step", 10000)[0] == 0
    code, _, said = diffkit("sample", "digits", "--step", 20)
    expected = "diffkit: --step 20: the bundled digits network has the network of step 10000 only: leave --step out\n"
    assert (code, one_line(said)) == (2, expected)
