"""Flags and keys as users of other tools type them, and misspelt ones: the answer is the one that is meant."""

import subprocess
import sys
from typing import Any

import pytest
from diffkit_cli.app import app
from diffkit_cli.synonyms import SYNONYMS
from diffkit_cli.training.options import OPTIONS
from typer.main import get_command

from .helpers import process, refusal

EPOCH = "an epoch is the number of images / the batch size, in steps; diffkit train --dry-run prints both"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("train --epochs 5", f"no option --epochs: use --steps: {EPOCH}"),
        ("train --set epochs=5", f"--set: unknown option 'epochs': use 'steps': {EPOCH}"),
        ("train --learning-rate 1e-4", "no option --learning-rate: use --lr"),
        ("train --lr_rate=1e-4", "no option --lr_rate: use --lr"),
        ("train --set learning_rate=1e-4", "--set: unknown option 'learning_rate': use 'lr'"),
        ("train --batch 8", "no option --batch: use --batch-size"),
        ("train --image-size 8", "no option --image-size: use --size"),
        ("train --output a", "no option --output: use --out"),
        ("train --dataset a", "no option --dataset: use diffkit train DATA"),
        ("train --checkpoint a", "no option --checkpoint: use --resume"),
        ("train --weight-decay 0", "no option --weight-decay: use --set weight_decay=VALUE"),
        ("train --fp16", "no option --fp16: use --set precision=VALUE"),
        ("train --stepz 5", "no option --stepz: did you mean --steps?"),
        ("train --set flp=true", "--set: unknown option 'flp': did you mean 'flip'?"),
        ("sample -o a.png", "no option -o: use --out"),
        ("sample --num-samples 5", "no option --num-samples: use -n"),
        ("sample --n 5", "no option --n: use -n"),
        ("sample --cfg 2", "no option --cfg: use --guidance"),
        ("sample --num_inference_steps 5", "no option --num_inference_steps: use --steps"),
        ("sample --checkpoint a", "no option --checkpoint: use diffkit sample RUN"),
        ("sample --scheduler ddim", "no option --scheduler: use --sampler"),
        ("sample -x", "no option -x; see diffkit sample --help"),
    ],
)
def test_a_synonym_or_misspelt_option_is_answered_by_ours(typed, answer):
    assert refusal(process(*typed.split()), 2) == f"diffkit: {answer}\n"


def test_an_unknown_key_is_answered_by_the_nearest_three():
    said = refusal(process("train", "--set", "zzz=5"), 2)
    assert said.startswith(f"diffkit: --set: unknown option 'zzz': the nearest of {len(OPTIONS)} options are ")
    assert said.count(",") == 2


def test_every_synonym_is_of_an_option():
    commands: Any = get_command(app)
    parameters = [each for command in commands.commands.values() for each in command.params]
    flags = {flag.lstrip("-").replace("-", "_") for each in parameters for flag in (each.name, *each.opts)}
    assert SYNONYMS.keys() <= flags | OPTIONS.keys()


def test_a_misspelt_command_is_answered_without_heavy_imports():
    code = """
import runpy, sys
sys.argv = ["diffkit", "trian"]
try:
    runpy.run_module("diffkit_cli", run_name="__main__")
finally:
    print(*{"torch", "numpy", "pydantic", "rich"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "\n")
    assert done.stderr == "diffkit: no command 'trian': did you mean 'train'?\n"
