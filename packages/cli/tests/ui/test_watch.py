"""What the page shows of run folders."""

from diffkit_cli.ui.runs import runs_below
from diffkit_cli.ui.watch.configs import differences
from diffkit_cli.ui.watch.curves import CHARTS, chart_options, seconds_left
from diffkit_cli.ui.watch.state import progress
from diffkit_trainer import append_log, read_config, write_config


def test_runs_are_found_below_the_folder_and_nowhere_else(tmp_path, trained):
    for name in ("runs/a", "runs/deeper/b", "runs/1/2/3/too-deep", "runs/.hidden", "outside"):
        write_config(tmp_path / name, {})
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "runs" / "a" / "inside").mkdir()
    assert list(runs_below(tmp_path / "runs")) == ["a", "deeper/b"]
    assert runs_below(trained) == {trained.name: trained}


def test_configs_differ_in_what_was_changed(trained):
    config = read_config(trained)
    other = {**config, "training": {**config["training"], "lr": 0.5}}
    assert differences({"a": config, "b": other}) == [("training.lr", {"a": str(config["training"]["lr"]), "b": "0.5"})]


LOG = [
    {"step": 10, "loss": 4.0, "loss_by_t": [1.0, None], "lr": 0.1, "seconds": 5.0, "loss_trained": 1.5, "loss_held_out": 2.0},
    {"step": 20, "loss": 2.0, "loss_by_t": [0.5, 3.0], "lr": 0.2, "seconds": 2.0},
    {"step": 30, "loss": 1.0, "loss_by_t": [0.25, 2.0], "lr": 0.3, "seconds": 6.0},
]


def _points(chart, logs):
    return {each["name"]: each["data"] for each in chart_options(chart, logs)["series"]}


def test_curves_have_the_logged_values():
    loss, by_level, rate, speed = CHARTS
    curves = _points(loss, {"run": LOG})
    assert curves["logged"] == [[10, 4.0], [20, 2.0], [30, 1.0]]
    assert curves["held out, by the average"] == [[10, 2.0]]
    assert _points(by_level, {"run": LOG}) == {
        "t 0 to 0.5": [[10, 1.0], [20, 0.5], [30, 0.25]],
        "t 0.5 to 1": [[20, 3.0], [30, 2.0]],
    }
    assert _points(rate, {"run": LOG}) == {"run": [[10, 0.1], [20, 0.2], [30, 0.3]]}
    assert _points(speed, {"run": LOG}) == {"run": []}
    assert list(_points(loss, {"a": LOG, "b": LOG[1:]})) == ["a", "a, held out", "b"]


def test_the_time_left_follows_the_speed_since_the_run_was_resumed():
    assert seconds_left(LOG, 130) == 100 * (6 - 2) / 10
    assert seconds_left(LOG[:2], 130) is None
    assert seconds_left([], 130) is None


def test_progress_says_whether_a_run_trains(trained, tmp_path):
    config = read_config(trained)
    write_config(tmp_path / "run", {**config, "training": {**config["training"], "steps": 130}})
    for entry in LOG:
        append_log(tmp_path / "run", entry)
    assert progress(tmp_path / "run", LOG) == "step 30 of 130, 40 s left"
    assert progress(tmp_path / "run", [*LOG, {"step": 130, "loss": 1.0}]) == "finished, 130 steps"
    assert progress(tmp_path / "run", LOG[:2]) == "step 20 of 130, just started"
