"""What is shown while something lasts: on a terminal, and in plain lines."""

import re

import pytest
from diffkit_cli.terminal import progress
from diffkit_cli.terminal.progress import SMOOTHING, Smoothed, counting, duration, training_progress

from ..helpers import TINY, images, on_a_terminal, process


def test_the_smoothed_loss_is_the_weighted_mean_of_all_updates():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    one, several = Smoothed(), Smoothed()
    for value in values:
        one.add(value, 1)
        last = several.add(value, 10)
    weights = [SMOOTHING ** (len(values) - 1 - i) for i in range(len(values))]
    mean = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
    assert one.total / one.weight == pytest.approx(mean)
    whole = Smoothed()
    for value in values:
        for _ in range(10):
            each = whole.add(value, 1)
    assert last == pytest.approx(each), "the mean of ten updates counts as those ten"


def test_a_constant_loss_is_shown_unchanged_from_the_first_update():
    loss = Smoothed()
    assert [loss.add(0.25, 50) for _ in range(4)] == pytest.approx([0.25] * 4)


def test_durations_have_at_most_two_units():
    said = [duration(seconds) for seconds in (0, 0.0123, 0.0996, 0.4, 3.21, 59, 60, 3570, 3600, 86399, 86400, 10**6)]
    assert said == [
        "0 s",
        "12 ms",
        "0.1 s",
        "0.4 s",
        "3.2 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "1 h 0 min",
        "1 d 0 h",
        "1 d 0 h",
        "11 d 14 h",
    ]


def test_plain_lines_have_step_epoch_loss_rate_and_time(tmp_path):
    done = process("train", "--out", tmp_path / "run", *TINY)
    lines = [line for line in done.stderr.splitlines() if line.startswith("step ")]
    wanted = r"step (\d)/6  epoch 0\.0\d/0\.03  loss \d\.\d{4}  \d+ images/s  \d+ s left"
    steps = [re.fullmatch(wanted, line)[1] for line in lines]
    assert (steps[0], steps[-1]) == ("2", "6")
    assert "\x1b" not in done.stderr + done.stdout


def test_a_terminal_shows_a_bar_with_the_same_numbers(tmp_path):
    shown, code = on_a_terminal("train", "--out", tmp_path / "run", *TINY, COLUMNS="120", NO_COLOR="1")
    assert code == 0, shown
    assert re.search(r"6/6 epoch 0\.03/0\.03 loss \d\.\d{4} \d+ images/s", shown)
    assert "done: 6 steps" in shown


@pytest.mark.parametrize("terminal", [{"COLUMNS": "24"}, {"COLUMNS": "60"}, {"TERM": "dumb"}], ids=str)
def test_the_step_count_stays_on_a_narrow_or_dumb_terminal(tmp_path, terminal):
    (tmp_path / ("long" * 50)).mkdir()
    images(tmp_path / ("long" * 50) / "data", [(8, 8)] * 3)
    options = ["--size", 8, "--out", tmp_path / "run", *TINY]
    shown, code = on_a_terminal("train", tmp_path / ("long" * 50) / "data", *options, NO_COLOR="1", **terminal)
    assert code == 0, shown
    assert re.search(r"6/6 +(epoch \S+ +)?loss \d\.\d{4}", shown)
    assert "TERM" in terminal or re.search(r"3/3 +\d:\d\d:\d\d", shown), "the count of the images too"


def test_lines_are_printed_at_intervals_while_images_are_read(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with counting("reading pictures") as on_progress:
        for done in (1, 2, 3):
            on_progress(done, 3)
    assert capsys.readouterr().err.splitlines() == ["reading pictures: 1 of 3", "reading pictures: 2 of 3"]


def test_lines_are_few(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 1000.0)
    with counting("reading pictures") as on_progress, training_progress(3, 0, 8, 8) as training:
        for done in (1, 2, 3):
            on_progress(done, 3)
            training.at(done)
            training.logged(done, None)
    said = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[:3] for line in said] == [
        ["step 1/3", "epoch 1.00/3.00", "loss -"],
        ["step 3/3", "epoch 3.00/3.00", "loss -"],
    ]


def test_a_long_interval_without_log_entries_is_not_silent(monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    with training_progress(3, 0, 8, 8) as training:
        training.at(1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("step 1/3  epoch 1.00/3.00  loss -  ")


def test_the_time_of_the_run_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(progress, "ESTIMATE_SECONDS", 0.0)
    with training_progress(5, 1, 8, 8) as training:
        for step in (2, 3, 4, 5):
            training.at(step)
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"about \d.* m?s for 4 steps", line)


def test_a_terminal_shows_a_bar_while_images_are_packed(tmp_path):
    images(tmp_path / "data", [(8, 8)] * 30)
    shown, code = on_a_terminal("train", tmp_path / "data", "--size", 8, "--out", tmp_path / "run", *TINY, COLUMNS="200")
    assert code == 0, shown
    assert re.search(r"reading \S+data .*30/30", shown)
