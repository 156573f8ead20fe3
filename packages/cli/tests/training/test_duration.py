"""--time: what it takes, the steps that fit, and a resumed run that keeps them."""

import json
import shutil
import time

import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.training import duration
from diffkit_cli.training.duration import steps_until
from diffkit_cli.training.parse import parse_time
from diffkit_trainer import CostEstimate, World

from ..helpers import keys, process


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("45m", 2700), ("1h30m", 5400), ("1.5h", 5400), ("1H30M", 5400), ("2h5s", 7205)],
)
def test_durations(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "45", "0s", "0h0m", "-5m", "5 m", "30m1h", "1d", "m", "1e3s", "nan", "1234567h", "٣s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="--time must be a duration above 0 such as 45m, 1h30m or 90s, got"):
        parse_time(text)


class Measured:
    """As much of a trainer as is needed, once its steps were measured."""

    world = World()


def test_the_steps_take_what_is_left_of_the_time(monkeypatch):
    monkeypatch.setattr(duration, "estimate_cost", lambda *_, **__: CostEstimate(0.5, 8, 0, 0, 0, 0, None))
    begun = time.monotonic() - 400  # 600 seconds are left
    assert steps_until(Measured(), begun, 1000) == pytest.approx(0.96 * 600 / 0.5, abs=30)
    with pytest.raises(UsageError, match=r"--time 400\.1s leaves no step after .* give at least 7 min"):
        steps_until(Measured(), begun, 400.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "soon"], "--time must be a duration above 0 such as 45m, 1h30m or 90s, got 'soon'"),
        (["--time", "1m", "--steps", "5"], "--time and --steps contradict each other: leave one of them out"),
        (["--time", "1m", *keys("steps=5")], "--time and --steps contradict each other"),
        (["--time", "1m", "--resume"], "--time is for a new run, a resumed one has its number of steps: give more --steps"),
    ],
)
def test_contradictions_are_refused_in_one_line(options, message, tmp_path, diffkit):
    code, out, said = diffkit("train", "--out", tmp_path / "run", *options)
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert message in said
    assert not (tmp_path / "run").exists()


def test_a_run_of_a_few_seconds_ends_at_a_learning_rate_of_0_and_its_steps_are_stored(tmp_path):
    run, config = tmp_path / "run", tmp_path / "my.toml"
    config.write_text("steps = 999999\n")
    options = ["--preset", "tiny", "--batch-size", 4, "--config", config, *keys("sample_every=999999")]
    done = process("train", "--out", run, "--time", "12s", *options)
    assert done.returncode == 0, done.stderr
    stored = json.loads((run / "config.json").read_text())["training"]
    steps = stored["steps"]
    assert (stored["decay_steps"], stored["lr_schedule"]) == (steps, "cosine")
    assert f"recipe tiny: {steps} steps of 4 images" in done.stderr
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == steps < 999999
    assert last["lr"] < 1e-3 * (4 / steps) ** 2
    for folder in (run / "checkpoints").iterdir():
        if folder.name == str(steps):
            shutil.rmtree(folder)
    again = process("train", "--resume", "--out", run, *keys("sample_every=999999"))
    assert again.returncode == 0, again.stderr
    assert json.loads((run / "config.json").read_text())["training"]["steps"] == steps
    assert f"done: {steps} steps" in again.stderr


def test_a_time_that_is_over_before_the_first_step_is_refused(tmp_path):
    refused = process("train", "--out", tmp_path / "run", "--time", "0.01s")
    assert "leaves no step after reading the data and measuring: give at least" in refused.stderr
    assert (refused.returncode, refused.stderr.count("Traceback")) == (2, 0)
    assert not (tmp_path / "run").exists()
