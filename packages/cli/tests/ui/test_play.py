"""The commands that the page copies."""

import shlex

import pytest
from diffkit_cli.bundled import DIGITS
from diffkit_cli.sampling.loading import load_model
from diffkit_cli.sampling.metadata import image_metadata
from diffkit_cli.sampling.options import INTERPOLATE_DEFAULTS
from diffkit_cli.sampling.plan import make_plan
from diffkit_cli.ui.play.commands import command_line
from diffkit_cli.ui.play.made import made_by
from diffkit_trainer import read_metadata


@pytest.fixture(scope="module")
def digits():
    return load_model(DIGITS, raw=False, device="cpu")


def test_a_command_has_no_option_of_its_default_value(digits):
    own = make_plan(digits, {}).options
    given = {"n": 4, "seed": 0, "steps": own.steps, "sampler": own.sampler, "eta": own.eta, "spacing": own.spacing}
    assert command_line("sample", digits, given, out="a b") == "diffkit sample digits -n 4 --out 'a b'"
    other = {"steps": 7, "sampler": "ddpm", "eta": 1.0, "spacing": own.spacing}
    assert command_line("sample", digits, other, out="a") == "diffkit sample digits --steps 7 --sampler ddpm --out a"


def test_a_command_keeps_what_differs_from_the_defaults_of_its_own(digits):
    given = {"rows": 1, "columns": 11, "seed": 3, "to_seed": 9, "spacing": "uniform"}
    line = command_line("interpolate", digits, given, out="a", defaults=INTERPOLATE_DEFAULTS)
    assert line.startswith("diffkit interpolate digits --rows 1 --seed 3 --to-seed 9")


def test_an_older_checkpoint_is_named(trained):
    assert "--step" not in command_line("sample", load_model(trained, raw=False, device="cpu"), {}, out="a")
    assert "--step 4 " in command_line("sample", load_model(trained, raw=False, device="cpu", step=4), {}, out="a")


def test_the_command_of_one_image_makes_its_file(with_classes, diffkit, tmp_path, monkeypatch):
    loaded = load_model(with_classes, raw=False, device="cpu")
    given = {"n": 3, "seed": 5, "steps": 2, "guidance": 2.0, "classes": ("digit2", "none", "digit7")}
    plan = make_plan(loaded, given)
    made = made_by(plan, given, [None] * 3)
    assert [each.metadata for each in made] == [image_metadata(plan.metadata("sample"), i) for i in range(3)]
    monkeypatch.chdir(tmp_path)
    assert diffkit(*shlex.split(made[2].command)[1:])[0] == 0
    assert read_metadata(tmp_path / "samples" / "00000.png") == made[2].metadata | {"size": [8, 8]}
