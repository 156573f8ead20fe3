"""The command on Windows, or on Linux without what Windows lacks: see testing/like_windows.py."""

import sys

import pytest

from .helpers import TINY

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="on Windows, or Linux made like it")

CODE = """
import sys
if sys.platform != "win32":
    from testing.like_windows import become_like_windows
    become_like_windows()
from diffkit_cli.__main__ import main
main()
"""


def test_a_run_is_trained_resumed_and_sampled_with_what_windows_has(tmp_path, run_python):
    for words, message in (
        (["train", "--out", "run", *TINY], "done: 6 steps in run."),
        (["train", "--out", "run", "--resume", "--steps", "8"], "done: 8 steps in run."),
        (["sample", "run", "-n", "2", "--steps", "2", "--out", "images"], "2 images from run@8"),
        (["sample", "run", "-n", "2", "--steps", "2", "--out", "images.png"], "2 images from run@8"),
    ):
        done = run_python("-c", CODE, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert message in done.stderr
    assert len(list((tmp_path / "images").glob("*.png"))) == 2
