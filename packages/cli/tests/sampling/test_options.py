"""The options of sampling: parsing, defaults, and samplers of other distributions."""

import os
import subprocess
import sys
from inspect import signature

import pytest
import typer
from diffkit_cli import Run
from diffkit_cli.app import app
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.options import OF_SAMPLE, OPTIONS, SamplingOptions, check_seeds, flags_of, resolve
from diffkit_samplers import METHODS
from diffkit_schedules import cosine, cosine_betas
from diffkit_trainer import read_metadata

from ..helpers import one_line, pixels

THEIRS = """
from diffkit_samplers import sampler

@sampler(steps=3, eta=0.25)
def theirs(x, step):
    return step.advance(x)

@sampler()
def broken(x, step):
    raise ValueError("no luck")

not_one = 5
"""
"""Samplers of another distribution: DDIM with other defaults, one that fails, and something else."""


def test_steps_and_eta_are_by_default_the_samplers():
    etas = {name: resolve({"sampler": name}, cosine(), (8, 8)).eta for name in METHODS}
    expected = {
        **dict.fromkeys(("ddim", "heun", "dpmpp_2m", "dpmpp_3m", "deis", "deis_2", "unipc_2", "unipc_3"), 0.0),
        **dict.fromkeys(("ab_2", "ab_3", "lms", "lms_3"), 0.0),
        **dict.fromkeys(("ddpm", "dpmpp_2m_sde", "dpmpp_3m_sde", "euler_ancestral", "heun_churn", "dpmpp_2s_ancestral"), 1.0),
        **{"lcm": 1.0, "tcd": 0.3},
    }
    assert etas.items() >= expected.items()  # >=: a new sampler needs no line here
    assert resolve({"sampler": "ddpm"}, cosine_betas(T=50), (8, 8)).steps == 50
    given = {"sampler": "ddpm", "eta": 0.5, "steps": 7}
    assert resolve(given, cosine(), (8, 8)) == SamplingOptions(size=(8, 8), **given)


def test_seeds_of_all_images_are_in_range():
    check_seeds(2**63 - 2, 2)
    with pytest.raises(UsageError, match="--seed must be at most 9223372036854775806 for 2 images, got 9223372036854775807"):
        check_seeds(2**63 - 1, 2)


def test_every_option_of_sample_is_a_flag_and_a_keyword():
    command = typer.main.get_group(app).commands["sample"]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {flag for name in OF_SAMPLE for flag in flags_of(name)} <= flags
    assert {*SamplingOptions.__struct_fields__, "batch_size", "strength"} <= set(signature(Run.sample).parameters)


def test_every_option_has_help():
    assert [name for name, option in OPTIONS.items() if not option.help.endswith(".")] == []


@pytest.fixture
def sample_theirs(trained, tmp_path, install_distribution):
    """Runs `diffkit sample --sampler NAME` where another distribution registers the samplers of THEIRS."""
    folder = install_distribution(
        "theirs", "diffkit.samplers", {name: f"theirs:{name}" for name in ("theirs", "broken", "not_one")}, THEIRS
    )
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))

    def run(name, out, *options):
        words = ["sample", trained, "-n", "2", "--sampler", name, "--out", tmp_path / out, *options]
        command = [sys.executable, "-m", "diffkit_cli", *map(str, words)]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)

    return run


def test_a_sampler_of_another_distribution_is_used_by_name(sample_theirs, tmp_path):
    done = sample_theirs("theirs", "by-name")
    assert (done.returncode, "3 steps of theirs, eta 0.25" in done.stderr) == (0, True), done.stderr
    metadata = read_metadata(tmp_path / "by-name" / "00000.png")
    assert (metadata["sampler"], metadata["versions"]) == ("theirs", {"theirs": "1.2"})
    assert sample_theirs("ddim", "by-options", "--steps", 3, "--eta", 0.25).returncode == 0
    assert pixels(tmp_path / "by-name") == pixels(tmp_path / "by-options")


@pytest.mark.parametrize(
    ("name", "message"),
    [("broken", "no luck; raised by sampler 'broken' of theirs 1.2"), ("not_one", "'not_one' of theirs 1.2 must be a Sampler")],
)
def test_an_error_of_another_distributions_sampler_names_it(sample_theirs, name, message):
    done = sample_theirs(name, "out")
    assert done.returncode == 2
    assert message in one_line(done.stderr.splitlines(keepends=True)[-1])
