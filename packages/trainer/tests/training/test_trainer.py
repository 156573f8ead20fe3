"""Training learns, and goes on after any stop as if there had been none."""

import json
import os
import shutil
import signal

import pytest
import torch
from diffkit_schedules import cosine, rectified
from diffkit_trainer import (
    DivergedError,
    LockedError,
    RunError,
    Trainer,
    append_log,
    checkpoints,
    load,
    locked,
    open_images,
    read_config,
    read_log,
    resume,
    save,
    truncate_log,
    write_config,
)
from diffkit_trainer.files.atomic import sha256
from forks import Fork
from tiny_trainer import CONFIG, Tiny, everything, run_to, same, trainer
from torch import nn


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    return tmp_path / "run"


def test_it_learns():
    losses = run_to(trainer(lr=5e-3, batch_size=64), 150)
    assert sum(losses[-20:]) < 0.75 * sum(losses[:20])


def test_a_step_is_yielded_after_both_updates():
    it = trainer(ema=0.5)
    before = it.model.out.weight.clone()
    for step in it.run(1):
        assert step.step == it.step == it.ema.updates == 1
        assert not step.loss.requires_grad
        assert not torch.equal(it.model.out.weight, before)
        # the first warmed-up decay is 1/10
        torch.testing.assert_close(it.ema.model.out.weight, 0.1 * before + 0.9 * it.model.out.weight)


def test_the_seed_decides_everything():
    one, two, other = trainer(seed=1), trainer(seed=1), trainer(seed=2)
    losses = [run_to(it, 5) for it in (one, two, other)]
    assert losses[0] == losses[1] != losses[2]
    same(everything(one), everything(two))


@pytest.mark.parametrize("stop", [1, 7, 12])
def test_stopped_and_resumed_is_the_same_as_never_stopped(run, stop):
    straight = trainer()
    losses = run_to(straight, 15)
    first = trainer()
    begun = run_to(first, stop)
    save(run, first, CONFIG)
    torch.manual_seed(99)
    second = trainer(seed=0)
    run_to(second, 3)  # whatever it was before
    assert resume(run, second) == []
    assert second.step == stop
    assert begun + run_to(second, 15) == losses
    same(everything(second), everything(straight))
    assert second.metrics() == straight.metrics()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1 to 65536, got 0"),
        ({"lr": 0.0}, "lr must be a number above 0, .*, got 0.0"),
        ({"loss": "l1"}, "loss must be one of mae, mse, huber, got 'l1'"),
        ({"prediction": "noise"}, "prediction must be one of"),
        ({"condition": "level"}, "condition must be one of"),
        ({"ema": 1.5}, r"ema must be a number in \[0, 1\), or several of them, got 1.5"),
        ({"lr_schedule": "cosine"}, "lr_schedule 'cosine' needs decay_steps >= 1"),
        ({"decay_steps": 9}, "decay_steps is for lr_schedule 'cosine', got 9 with 'constant'"),
        ({"compile": True, "shard": True}, "compile and shard cannot be combined"),
    ],
)
def test_what_a_trainer_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        trainer(**options)


@pytest.mark.parametrize("schedule", [cosine(), rectified()], ids=["cosine", "rectified"])
def test_what_could_not_be_sampled_is_not_trained(schedule):
    with pytest.raises(ValueError, match="'eps' is undefined at alpha = 0"):
        Trainer(Tiny(), open_images("digits"), schedule)
    Trainer(Tiny(), open_images("digits"), schedule, prediction="v")


def test_a_checkpoint_is_what_was_saved(run):
    it = trainer()
    run_to(it, 2)
    path = save(run, it, CONFIG)
    assert path == run / "checkpoints" / "2"
    assert sorted(os.listdir(path)) == [
        *("config.json", "ema.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json")
    ]
    for weights, network in (("model", it.model), ("ema", it.ema.model)):
        loaded = load(run, weights)
        assert (loaded.step, loaded.config, loaded.warnings) == (2, CONFIG, [])
        assert all(torch.equal(value, loaded.weights[name]) for name, value in network.state_dict().items())
    mask = os.umask(0)
    os.umask(mask)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o666 & ~mask}


def test_the_newest_few_are_kept_and_strays_left_alone(run):
    it = trainer()
    stray = run / "checkpoints" / "best"
    stray.mkdir(parents=True)
    for steps in (1, 2, 3):
        run_to(it, steps)
        save(run, it, CONFIG, keep=2)
    assert [step for step, _ in checkpoints(run)] == [3, 2]
    assert sorted(os.listdir(run / "checkpoints")) == ["2", "3", "best"]


FILES = ["config.json", "ema.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage",
    [flip, lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.unlink(), lambda path: path.write_bytes(b"")],
    ids=["bit", "cut", "gone", "empty"],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(run, name, damage):
    it = trainer()
    run_to(it, 1)
    save(run, it, CONFIG)
    good = everything(it)
    run_to(it, 2)
    damage(save(run, it, CONFIG) / name)
    again = trainer()
    (warning,) = resume(run, again)
    assert str(run / "checkpoints" / "2") in warning
    assert "\n" not in warning
    same(everything(again), good)
    shutil.rmtree(run / "checkpoints" / "1")
    with pytest.raises(RunError, match="checkpoints/2"):
        load(run)


def test_a_flipped_bit_is_a_sha256_mismatch(run):
    it = trainer()
    flip(save(run, it, CONFIG) / "ema.safetensors")
    with pytest.raises(RunError, match=r"sha256 mismatch .*ema.safetensors"):
        load(run)


@pytest.mark.parametrize("names", [["../x"], ["/etc/passwd"], FILES[1:], [*FILES, ".x"], [*FILES, "a/b"]])
def test_a_manifest_names_our_files_and_no_others(run, names):
    path = save(run, trainer(), CONFIG) / "manifest.json"
    path.write_text(json.dumps({"sha256": dict.fromkeys(names, "0")}))
    with pytest.raises(RunError, match=r"manifest.json: expected the sums of"):
        load(run)


def test_one_more_file_in_a_checkpoint_is_verified_like_the_others(run):
    folder = save(run, trainer(), CONFIG)
    (folder / "later.json").write_text("{}")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["later.json"] = sha256(folder / "later.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert load(run).warnings == []
    (folder / "later.json").write_text("{ }")
    with pytest.raises(RunError, match=r"sha256 mismatch .*later.json"):
        load(run)


def test_weights_of_another_network_are_named(run):
    save(run, trainer(), CONFIG)
    other = trainer()
    other.model.out = nn.Conv2d(8, 1, 1)
    with pytest.raises(
        RunError, match=r"out.weight: expected float32 of shape \(1, 8, 1, 1\), found float32 of shape \(1, 8, 3, 3\)"
    ):
        resume(run, other)


def test_weights_that_are_not_finite_are_not_saved(run):
    it = trainer()
    save(run, it, CONFIG)
    run_to(it, 1)
    it.model.out.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(DivergedError, match="not finite at step 1"):
        save(run, it, CONFIG)
    assert [step for step, _ in checkpoints(run)] == [0]


def test_what_is_no_run_and_what_has_no_checkpoint(tmp_path, run):
    with pytest.raises(RunError, match="no such run folder"):
        load(tmp_path / "none")
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.json"):
        load(tmp_path)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        load(run)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 10**5, '{"a": '])
def test_json_has_no_loopholes(run, text):
    (run / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config.json: (invalid JSON|expected a JSON object)") as caught:
        read_config(run)
    assert "\n" not in str(caught.value)


def test_the_log_is_cut_back_to_the_step_that_is_resumed(run):
    for step in (10, 20, 30):
        append_log(run, {"step": step, "loss": step / 7})
    with (run / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    truncate_log(run, 20)
    assert read_log(run) == [{"step": 10, "loss": 10 / 7}, {"step": 20, "loss": 20 / 7}]


def test_lines_of_the_log_that_are_no_entries_are_left_out(run):
    good = [{"step": step, "loss": None} for step in (1, 2, 3)]
    lines = [b"", b"text", b'{"step": 1, "lo', b"[1]", b"7", b'{"loss": 1}', b'{"step": "1"}', b"\xff\xfe", b'{"step": 1}}']
    with (run / "log.jsonl").open("wb") as file:
        for i, line in enumerate(lines):
            file.write(line + b"\n" + (json.dumps(good[i // 3]).encode() + b"\n" if i % 3 == 1 else b""))
    assert read_log(run) == good
    truncate_log(run, 2)
    assert (run / "log.jsonl").read_text() == "".join(json.dumps(entry) + "\n" for entry in good[:2])


HOLD = """
import pathlib, sys, time
from diffkit_trainer import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_in_use_is_refused_and_free_again_after_a_kill(run):
    with Fork("-c", HOLD, run) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"in use by process {holder.pid}"), locked(run):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(run):
        assert (run / "lock").read_text() == str(os.getpid())
