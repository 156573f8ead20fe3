"""Completion in a shell: the script that is installed, run by bash itself."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from .helpers import DIFFKIT

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")


def completed(*words):
    """What bash offers for the last of the words."""
    script = """
source <("$1" --show-completion bash)
command=$1; shift
COMP_WORDS=(diffkit "$@"); COMP_CWORD=$#
_diffkit_completion "$command"
printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run([BASH, "-c", script, "bash", DIFFKIT, *words], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["s"], ["sample", "steps", "schedules"]),
        (["train", "--sk"], ["--skip-bad"]),
        (["train", "--preset", "ddpm"], ["ddpm-cifar10", "ddpm-64"]),
        (["train", "--schedule", "off"], ["offset_cosine"]),
        (["train", "--prediction", "f"], ["flow"]),
        (["train", "--set", "save"], ["save_every=", "save_minutes="]),
        (["train", "--set", "fl"], ["flip=false", "flip=true"]),
        (["train", "--set", "lr_s"], ["lr_schedule=constant", "lr_schedule=cosine"]),
        (["export", "--format", "d"], ["diffusers"]),
        (["schedules", "cosine", "k"], ["karras"]),
        (["sample", "run", "--sampler", "dpmpp"], ["dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_3m_sde", "dpmpp_2s_ancestral"]),
        (["steps", "run", "--spacing", "k"], ["karras", "karras_160"]),
    ],
)
def test_bash_completes_commands_options_and_words(words, offered):
    assert completed(*words) == offered


def test_completion_is_installed_for_a_shell(tmp_path):
    done = subprocess.run(
        [DIFFKIT, "--install-completion", "bash"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    installed = tmp_path / ".bash_completions" / "diffkit.sh"
    assert str(installed) in done.stdout
    assert "_DIFFKIT_COMPLETE=complete_bash" in installed.read_text()
    assert str(installed) in (tmp_path / ".bashrc").read_text()


def test_neither_help_nor_completion_reads_torch_or_numpy():
    code = """
import json, os, runpy, sys
try:
    runpy.run_module("diffkit_cli", run_name="__main__")
except SystemExit:
    print(json.dumps([name for name in ("torch", "numpy", "PIL") if name in sys.modules]))
"""
    for arguments, more in ((["--help"], {}), (["train", "--help"], {}), ([], {"COMP_WORDS": "diffkit tr", "COMP_CWORD": "1"})):
        environment = {**os.environ, **more, **({"_DIFFKIT_COMPLETE": "complete_bash"} if more else {})}
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout.splitlines()[-1]) == [], done.stdout
