"""The command as a process: signals, pipes, colours, mistyped words, and what its help costs."""

import os
import shlex
import signal
import subprocess
import sys

import pytest

from ..helpers import DIFFKIT, on_a_terminal, one_line, process, said_until, start

COMMANDS = (
    "train",
    "sample",
    "interpolate",
    "steps",
    "inpaint",
    "tune",
    "distill",
    "info",
    "doctor",
    "evaluate",
    "export",
    "import",
    "schedules",
    "ui",
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("sampel", "sample"), ("trian", "train"), ("schedule", "schedules"), ("docter", "doctor"), ("interpolat", "interpolate")],
)
def test_a_mistyped_command_is_answered_by_the_nearest(diffkit, typed, meant):
    code, _, said = diffkit(typed)
    assert code == 2
    assert f"did you mean '{meant}'" in one_line(said)


def test_an_unknown_command_is_answered_by_all_commands(diffkit):
    code, _, said = diffkit("foo")
    assert code == 2
    assert one_line(said).strip().endswith(f"no command 'foo': the commands are {', '.join(COMMANDS)}")


def test_a_mistyped_option_is_answered_by_the_nearest(trained, diffkit):
    code, _, said = diffkit("sample", trained, "--stps", 3)
    assert code == 2
    assert "--steps" in said


def test_every_command_has_help_that_does_not_import_torch(diffkit):
    code, out, _ = diffkit("--help")
    assert code == 0
    for name in COMMANDS:
        assert f"  {name} " in out
        assert diffkit(name, "--help")[0] == 0
    code = """
import runpy, sys
sys.argv = ["diffkit", "sample", "--help"]
try:
    runpy.run_module("diffkit_cli", run_name="__main__")
except SystemExit:
    sys.exit(int("torch" in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "RUN", "-n", 10000, "--sampler", "ddpm", "--out", "OUT.png"],
        ["steps", "RUN", "--steps", 100000, "--out", "OUT.png"],
        ["evaluate", "RUN", "--steps", 1000],
    ],
)
def test_ctrl_c_ends_cleanly(trained, tmp_path, arguments):
    places = {"RUN": trained, "OUT.png": tmp_path / "out.png"}
    with start(*(places.get(argument, argument) for argument in arguments)) as running:
        said_until(running, "sampling steps: ")
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=60)
    *progress, last = said.splitlines()
    assert (running.returncode, out, last) == (130, "", "diffkit: interrupted")
    assert all(line.startswith("sampling steps: ") for line in progress)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["schedules", "--points", 10001, "--json"], ["schedules", "--points", 2000], ["info", "RUN"]]
)
def test_a_closed_pipe_ends_the_command(trained, arguments):
    with start(*(trained if argument == "RUN" else argument for argument in arguments)) as running:
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (141, "")


def test_colours_are_for_terminals_that_allow_them(trained, tmp_path):
    plain = process("info", trained)
    assert "\x1b" not in plain.stdout + plain.stderr
    shown, code = on_a_terminal("sample", trained, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png")
    assert code == 0
    assert "1 step of ddim, eta 0, seed 0: " in shown
    shown, code = on_a_terminal("sample", trained, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png", NO_COLOR="1")
    assert code == 0
    assert "\x1b[3" not in shown
    assert "\x1b[9" not in shown


def test_tables_wrap_in_a_narrow_terminal_and_are_complete_in_a_file(trained):
    narrow, wide = (on_a_terminal("info", trained, COLUMNS=columns, NO_COLOR="1")[0] for columns in ("22", "200"))
    assert narrow.count("\n") > wide.count("\n")
    assert sorted("".join(narrow.split())) == sorted("".join(wide.split()))
    plain = process("schedules", "cosine", "--points", 2, env={**os.environ, "COLUMNS": "20"}).stdout.splitlines()
    assert [line.split() for line in plain[1:]] == [
        ["t", "alpha", "sigma", "log-SNR"],
        ["0", "1.00000", "0.00000", "inf"],
        ["1", "0.00000", "1.00000", "-inf"],
    ]


def test_help_is_printed_for_h_and_for_no_arguments(diffkit):
    code, out, _ = diffkit("sample", "-h")
    assert (code, out) == (0, diffkit("sample", "--help")[1])
    code, _, said = diffkit()
    assert (code, said.startswith("Usage: diffkit [OPTIONS] COMMAND")) == (2, True)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_error(trained, tmp_path, closed):
    words = shlex.join([str(DIFFKIT), "sample", str(trained), "-n", "1", "--steps", "1", "--out", str(tmp_path / "a.png")])
    done = subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "a.png").exists()


def test_a_table_fits_its_terminal(trained):
    shown, code = on_a_terminal("info", trained, COLUMNS="40", NO_COLOR="1")
    assert code == 0
    lines = shown.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[1;3m", "").splitlines()
    assert all(len(line) <= 40 for line in lines[1:]), "below its title, a path that the terminal wraps"


def test_debug_shows_the_traceback(tmp_path):
    done = process("--debug", "info", tmp_path / "nowhere")
    assert "Traceback" in done.stderr
    assert done.returncode == 1
