"""Signals that end a command, at every moment from its start to its end."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from diffkit_trainer import load

from ..helpers import COMMAND, finished, keys, until, wait_for

SWEEP = Path(__file__).with_name("at_every_moment.py")
CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
SAMPLE, TRAIN = "sample -n 1 --steps 1 --out a.png", "train --preset tiny --batch-size 1 --steps 1 --out run"


@pytest.mark.parametrize(
    ("signum", "every", "file", "command", "least"),
    [
        *(("SIGINT", 3001, ".", SAMPLE, 3), ("SIGHUP", 9601, ".", SAMPLE, 1), ("SIGTERM", 4001, ".", TRAIN, 2)),
        ("SIGINT", 4, "run/config.json", TRAIN, 1),  # what the first update still imports, and its line in the log
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (
                *(("SIGINT", 83, ".", SAMPLE, 99), ("SIGTERM", 401, ".", SAMPLE, 19), ("SIGHUP", 401, ".", SAMPLE, 19)),
                *(("SIGINT", 1303, ".", TRAIN, 9), ("SIGINT", 1, "run/config.json", TRAIN, 3)),
            )
        ),
    ],
)
def test_a_signal_at_every_moment_ends_with_its_exit_code(tmp_path, signum, every, file, command, least):
    """Each ends with 128 + its number and one message, and leaves no incomplete file."""
    words = [sys.executable, SWEEP, signum, str(every), file, *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    ended = json.loads(done.stdout.splitlines()[-1])
    assert set(ended) == {str(CODES[signum])}, done.stderr
    assert ended[str(CODES[signum])] >= least
    word = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}[signum]
    assert done.stderr.count(f"diffkit: {word}\n") + done.stderr.count(f"{signum}: saved step 1 of 1") == sum(ended.values())
    # no moment need be so late that a picture is there
    assert {path.name for path in tmp_path.iterdir()} <= {"a.png" if command == SAMPLE else "run"}
    assert "Traceback" not in done.stderr


def test_a_signal_after_the_end_changes_nothing():
    code = """
import atexit, signal, sys
from diffkit_cli.__main__ import main
atexit.register(signal.raise_signal, signal.SIGINT)
sys.argv = ["diffkit", "schedules", "cosine", "--points", "2"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 4


def test_a_closed_terminal_saves_the_run(tmp_path):
    """The system sends SIGHUP, and then refuses all output."""
    ours, theirs = pty.openpty()
    run = tmp_path / "run"
    words = [*COMMAND, "train", "--out", str(run), "--steps", "1000000", "--batch-size", "8", *keys("log_every=1")]
    with subprocess.Popen(words, preexec_fn=lambda: os.login_tty(theirs)) as training:  # noqa: PLW1509
        os.close(theirs)
        wait_for(run, 2, training)
        os.close(ours)
    assert training.returncode == 129
    assert load(run).step >= 2


def test_nohup_is_respected(tmp_path):
    run, words = tmp_path / "run", ["train", "--steps", "40", "--batch-size", "8", *keys("log_every=1"), "--out"]
    shell = f"trap '' HUP; exec {shlex.join([*COMMAND, *words, str(run)])}"
    training = subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(run, 2, training)
    training.send_signal(signal.SIGHUP)
    assert finished(training)[0] == 0
    assert load(run).step == 40


def test_a_second_signal_ends_a_command_that_does_not_unwind(tmp_path):
    """Here: a directory that is cleaned up for ever."""
    code = """
import signal, sys
from diffkit_cli.terminal import signals
signals.leave_at_once()
signals.unwind()
try:
    signal.raise_signal(signal.SIGTERM)
finally:
    signal.raise_signal(signal.SIGINT)
    print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "diffkit: interrupted\n")


def test_closed_streams_are_not_reused_for_other_files(tmp_path):
    """A message to a closed stderr must not reach the next file that is opened, which gets its file descriptor."""
    words = shlex.join([*COMMAND, "train", "--out", str(tmp_path / "run"), "--steps", "1000000", "--batch-size", "8"])
    training = subprocess.Popen(["sh", "-c", f"exec {words} <&- >&- 2>&-"])
    until((tmp_path / "run" / "config.json").exists, training)
    training.terminate()
    assert training.wait() == 143
    loaded = load(tmp_path / "run")
    assert (loaded.step >= 1, loaded.warnings) == (True, [])
    assert "SIGTERM" not in "".join(path.read_text("latin1") for path in (tmp_path / "run").rglob("*") if path.is_file())


def test_a_deleted_working_directory_is_refused_before_torch_ends_the_process(tmp_path):
    gone = tmp_path / "gone"
    words = shlex.join([*COMMAND, "info"])
    done = subprocess.run(
        ["sh", "-c", f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {words}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "diffkit: the working directory: is gone; use another path\n"
